"""The report on decided claims as one self-contained page: the verdicts, then a section for each claim."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sweepengine.analysis._claim_pictures import HOW_TO_READ, claim_figures
from sweepengine.analysis._claims_tables import (
    caught_text,
    counts_sentence,
    part_table,
    quantities_table,
    reproduction,
    worst_first,
)
from sweepengine.analysis._figure_html import NO_SCRIPT, details, figure_html, page_with_figures
from sweepengine.analysis._markup import escape, formula, table_html
from sweepengine.analysis._sources import sources_of_claims, sources_table
from sweepengine.analysis._tables import INTERVALS, rules_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from itertools import count

    from sweepengine.analysis._decision import Decision

_HEADINGS: Final = {
    "violated": "Violated",
    "differs": "Different from what is claimed",
    "undecided": "Undecided",
    "holds": "Hold",
}


def claims_page(decisions: Sequence[Decision], command: str) -> str:
    """Write the page.

    Parameters
    ----------
    decisions
        The decided claims.
    command
        The command that decides all of them, such as `sweepengine claims`.

    Returns
    -------
    str
        A complete document, in which only the two scripts that draw the figures may run.

    Raises
    ------
    MissingExtraError
        The extra `report` is not installed.
    """
    from itertools import count

    numbers = count(1)
    sections = "\n".join(_claim(decision, command, numbers) for decision in decisions)
    body = f"""<header>
<p class="over">sweepengine claims</p>
<h1>Claims</h1>
<p class="lead">{escape(counts_sentence(decisions))}</p>
</header>
<nav class="contents" aria-label="Claims">
{_contents(decisions)}
</nav>
<section id="reading">
<h2>How to read this page</h2>
{_reading()}
</section>
{NO_SCRIPT}
{sections}
<section id="sources">
<h2>Sources</h2>
{table_html(sources_table(sources_of_claims(decisions)))}
</section>"""
    return page_with_figures("Claims · sweepengine", body)


def _contents(decisions: Sequence[Decision]) -> str:
    """The claims by verdict, the worst first, each with its verdict, its twin and its statement."""
    parts = []
    for verdict, some in worst_first(decisions).items():
        items = "\n".join(
            f'<li><a href="#{_anchor(each)}">{escape(each.claim.id)}</a> {_twin_badge(caught=each.twins_are_caught)}'
            f"<p>{formula(each.claim.says)}</p></li>"
            for each in some
        )
        heading = f'<span class="verdict {verdict}">{_HEADINGS[verdict]}</span> <span class="count">{len(some)}</span>'
        parts.append(f"<h2>{heading}</h2>\n<ul>\n{items}\n</ul>")
    return "\n".join(parts)


def _reading() -> str:
    terms = "".join(
        f"<dt>{escape(name)}</dt><dd>{formula(text)}</dd>\n" for name, text in (*HOW_TO_READ, ("brackets", INTERVALS))
    )
    return f"<dl>\n{terms}</dl>\n" + details("How a verdict is reached", table_html(rules_table()))


def _claim(decision: Decision, command: str, numbers: count[int]) -> str:
    claim, verdict = decision.claim, decision.verdict
    figures = "\n".join(figure_html(figure, next(numbers)) for figure in claim_figures(decision))
    tables = "\n".join(table_html(part_table(decision, part, number)) for number, part in enumerate(decision.parts))
    badge = _twin_badge(caught=decision.twins_are_caught)
    return f"""<section class="claim" id="{_anchor(decision)}">
<h2>{escape(claim.id)} <span class="verdict {verdict}">{verdict}</span> {badge}</h2>
<p class="says">{formula(claim.says)}</p>
<p class="from">Stated in {escape(claim.source)}.</p>
{figures}
{tables}
{details("What is measured", table_html(quantities_table(decision)))}
{_reproduce(reproduction(decision, command))}
</section>"""


def _reproduce(lines: Iterable[tuple[str, str]]) -> str:
    items = "\n".join(f"<li><code>{escape(line)}</code> {escape(what)}</li>" for line, what in lines)
    return f'<h3>How to reproduce</h3>\n<ul class="reproduce">\n{items}\n</ul>'


def _anchor(decision: Decision) -> str:
    return f"claim-{escape(decision.claim.id)}"


def _twin_badge(*, caught: bool) -> str:
    return f'<span class="twin {"caught" if caught else "missed"}">twin {escape(caught_text(caught=caught))}</span>'
