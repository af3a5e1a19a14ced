"""The report as one self-contained page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sweepengine.analysis._figure_html import NO_SCRIPT, details, figure_html, page_with_figures, section
from sweepengine.analysis._markup import escape, table_html
from sweepengine.analysis._sources import sources_of, sources_table
from sweepengine.analysis._tables import (
    claims_table,
    counts_table,
    definitions_table,
    fits_table,
    glance_table,
    provenance_table,
    rules_table,
)
from sweepengine.analysis._terminal import counts_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sweepengine.analysis._figure import Figure
    from sweepengine.analysis._results import Summary


def page(summary: Summary, figures: Sequence[Figure], attrs: Mapping[str, Any]) -> str:
    """Write the report as one HTML document.

    Parameters
    ----------
    summary
        Summary of the sweep.
    figures
        Figures, from `build_figures`.
    attrs
        Attributes of the dataset: title, spec, history, provenance, store.

    Returns
    -------
    str
        A complete document, in which only the two scripts that draw the figures may run.

    Raises
    ------
    MissingExtraError
        The extra `report` is not installed.
    """
    title = escape(summary.title or "sweep")
    claims = table_html(claims_table(summary), 1) + details("How a verdict is reached", table_html(rules_table()))
    sections = (
        _header(summary, title),
        _warnings(summary),
        section("glance", "At a glance", table_html(glance_table(summary))),
        section("figures", "Figures", _figures(figures)),
        section("claims", "Claims", claims),
        section("fits", "Fits", table_html(fits_table(summary), 2)),
        section("runs", "Runs", table_html(counts_table(summary), 3)),
        section("definitions", "Definitions", table_html(definitions_table(summary), 4)),
        section("sources", "Sources", table_html(sources_table(sources_of(summary)))),
        section("provenance", "Provenance", table_html(provenance_table(attrs)) + _spec(attrs)),
    )
    return page_with_figures(f"{title} · sweepengine report", "\n".join(sections))


def _header(summary: Summary, title: str) -> str:
    axes = []
    for name, values in (
        ("group", [g.label for g in summary.groups]),
        ("width", sorted({w for g in summary.groups for w in g.widths})),
        ("seed", sorted({s for g in summary.groups for s in g.seeds})),
    ):
        axes.append(f"{len(values)} {name}{'' if len(values) == 1 else 's'}")
    links = "".join(
        f'<a href="#{key}">{name}</a>'
        for key, name in (
            ("figures", "Figures"),
            ("claims", "Claims"),
            ("fits", "Fits"),
            ("runs", "Runs"),
            ("definitions", "Definitions"),
            ("sources", "Sources"),
            ("provenance", "Provenance"),
        )
    )
    return f"""<header>
<p class="over">sweepengine report</p>
<h1>{title}</h1>
<p class="lead">{summary.runs} run{"" if summary.runs == 1 else "s"}: {escape(counts_text(summary.counts))}.
{" × ".join(axes)}.</p>
<nav aria-label="Sections">{links}</nav>
</header>"""


def _warnings(summary: Summary) -> str:
    if not summary.warnings:
        return ""
    items = "".join(f"<li>{escape(w)}</li>\n" for w in summary.warnings)
    return f'<aside class="warnings" aria-label="Warnings"><h2>Read this first</h2>\n<ul>{items}</ul></aside>'


def _figures(figures: Sequence[Figure]) -> str:
    if not figures:
        return "<p>No run is done yet, or no quantity of these runs has a figure: there is nothing to draw.</p>"
    return NO_SCRIPT + "\n".join(figure_html(figure, number) for number, figure in enumerate(figures, start=1))


def _spec(attrs: Mapping[str, Any]) -> str:
    spec = str(attrs.get("spec", "")).strip("\n")
    if not spec:
        return "<p>The dataset does not record its spec.</p>"
    return f'<h3>Spec</h3>\n<pre tabindex="0" aria-label="Spec of the sweep"><code>{escape(spec)}</code></pre>'
