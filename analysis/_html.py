"""The report as one self-contained page: no network, no outside fonts, and a policy that lets only our scripts run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sweepengine.analysis._chart_parts import load_vl_convert, vega_lite_version
from sweepengine.analysis._markup import asset, escape, script_digest, script_json, table_html
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
        A complete document. Its Content-Security-Policy forbids every connection, and allows only the two inline
        scripts with the digests that it lists, so that even a mistake in escaping could not run code from a name or a
        spec.

    Raises
    ------
    MissingExtraError
        The extra `report` is not installed.
    """
    library = load_vl_convert().javascript_bundle(vl_version=vega_lite_version())
    embed = asset("embed.js")
    policy = (
        f"default-src 'none'; script-src {script_digest(library)} {script_digest(embed)}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    title = escape(summary.title or "sweep")
    claims = table_html(claims_table(summary), 1) + _details("How a verdict is reached", table_html(rules_table()))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="sweepengine">
<title>{title} · sweepengine report</title>
<style>
{asset("style.css")}</style>
</head>
<body>
<main>
{_header(summary, title)}
{_warnings(summary)}
{_section("glance", "At a glance", table_html(glance_table(summary)))}
{_section("figures", "Figures", _figures(figures))}
{_section("claims", "Claims", claims)}
{_section("fits", "Fits", table_html(fits_table(summary), 2))}
{_section("runs", "Runs", table_html(counts_table(summary), 3))}
{_section("definitions", "Definitions", table_html(definitions_table(summary), 4))}
{_section("provenance", "Provenance", table_html(provenance_table(attrs)) + _spec(attrs))}
</main>
<script>{library}</script>
<script>{embed}</script>
</body>
</html>
"""


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


def _section(key: str, title: str, content: str) -> str:
    return f'<section id="{key}">\n<h2>{title}</h2>\n{content}\n</section>'


def _details(title: str, content: str) -> str:
    return f"<details><summary>{title}</summary>\n{content}\n</details>"


def _figures(figures: Sequence[Figure]) -> str:
    if not figures:
        return "<p>No run is done yet, or no quantity of these runs has a figure: there is nothing to draw.</p>"
    warning = "<noscript><p>The figures need JavaScript; the tables below hold the same numbers.</p></noscript>"
    return warning + "\n".join(_figure(figure, number) for number, figure in enumerate(figures, start=1))


def _figure(figure: Figure, number: int) -> str:
    panels = []
    for k, panel in enumerate(figure.panels):
        heading = f"<h4>{escape(panel.heading)}</h4>" if panel.heading else ""
        data = f"{figure.key}-{k}"
        panels.append(
            f'<div class="panel">{heading}<div class="chart" data-chart="{data}" role="group" '
            f'aria-label="{escape(panel.alt)}"></div>\n'
            f'<script type="application/json" id="{data}">{script_json(panel.spec)}</script></div>'
        )
    many = " many" if len(panels) > 1 else ""
    return (
        f'<figure class="plot" id="{figure.key}"><h3>{escape(figure.title[:1].upper() + figure.title[1:])}</h3>\n'
        f'<div class="panels{many}">{"".join(panels)}</div>\n'
        f"<figcaption><b>Figure {number}.</b> {escape(figure.caption)}</figcaption></figure>"
    )


def _spec(attrs: Mapping[str, Any]) -> str:
    spec = str(attrs.get("spec", "")).strip("\n")
    if not spec:
        return "<p>The dataset does not record its spec.</p>"
    return f'<h3>Spec</h3>\n<pre tabindex="0" aria-label="Spec of the sweep"><code>{escape(spec)}</code></pre>'
