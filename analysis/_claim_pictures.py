"""The figures of a decided claim: its exponents at a glance, one figure for each quantity, and those that it names."""

from __future__ import annotations

from dataclasses import replace
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Final

from sweepengine.analysis._claim_charts import exponent_chart, level_chart, overview_chart
from sweepengine.analysis._claim_series import BREAK, Picture, Series, pictures
from sweepengine.analysis._errors import ContractError
from sweepengine.analysis._figure import Figure, Panel
from sweepengine.analysis._panels import side_by_side
from sweepengine.analysis._results import strict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sweepengine.analysis._chart import Chart
    from sweepengine.analysis._decision import Decision
    from sweepengine.analysis._judgement import ClaimResult

_MANY: Final = 6
"""Number of exponents from which they are also shown one below the other."""

HOW_TO_READ: Final = (
    (
        "an exponent",
        (
            "Both axes are logarithmic. Small marks are single runs, large ones means over seeds. The line is the "
            "fitted power law, dashed over sizes that the fit leaves out; the band around it has the slopes of its 95 "
            "% interval; the dotted line has the expected exponent. A bound is a line that the data must fall at least "
            "as steeply as."
        ),
    ),
    (
        "a value, a limit or a share",
        (
            "Marks are single runs, one strip for each series at each size; the bar across a strip is their mean. The "
            "shaded part is what is expected, within dotted limits."
        ),
    ),
    (
        "the twin",
        (
            "Grey crosses, with their own fit: a wrong copy of the claim, judged by the same rules, which must come "
            "out otherwise. A twin that does not would mean that the test cannot fail."
        ),
    ),
)
"""What the marks mean, for all figures of the page."""


def claim_figures(decision: Decision) -> tuple[Figure, ...]:
    """Draw the figures of a claim; keys are unique among all claims."""
    figures = [*_overview(decision), *map(_figure, pictures(decision.parts))]
    for job, reference in decision.claim.figures:
        figures += resolve_name(reference)(*decision.sweeps[job])
    return tuple(replace(each, key=f"fig-{decision.claim.id}-{k}-{each.key}") for k, each in enumerate(figures))


def claim_chart(decision: Decision) -> Chart:
    """Draw a decided claim for a notebook: the figures that the report on claims has of it, its twin among them.

    Raises
    ------
    ContractError
        No group of runs is one of which the claim speaks.
    MissingExtraError
        The extra `report` is not installed.
    """
    figures = claim_figures(decision)
    if not figures:
        raise ContractError(
            f"{decision.claim.id}: there is nothing to draw: none of its expectations applies to a group of the runs."
        )
    return side_by_side(figures)


def _overview(decision: Decision) -> list[Figure]:
    several = len(decision.parts) > 1
    rows = [
        (row, f"{row.title} ({part.evidence.job})" if several else row.title)
        for part in decision.parts
        for row in part.rows
        if row.is_exponent and row.measured is not None
    ]
    if len(rows) < _MANY:
        return []
    groups = list(dict.fromkeys(row.group for row, _ in rows))
    together = len(rows) < _MANY / 2 * len(groups)  # else a panel would have a row or two
    panels = []
    for heading in [""] if together else groups:
        own = [(row, what) for row, what in rows if together or row.group == heading]
        drawn = [_overview_row(row, f"{row.group}: {what}" if together else what) for row, what in own]
        alt = f"Exponents {heading}: ".replace(" :", ":") + " ".join(f"{what}: {_told(row)}." for row, what in own)
        panels.append(Panel(heading, alt, overview_chart(drawn, alt)))
    caption = "Every exponent with its 95 % interval (mark and line), and what is expected (orange tick)."
    return [Figure("all", "All exponents", caption, tuple(panels))]


def _overview_row(row: ClaimResult, what: str) -> dict[str, Any]:
    measured = row.measured
    plain: dict[str, Any] = strict(
        {
            "what": what,
            "measured": measured.value if measured else None,
            "low": measured.low if measured else None,
            "high": measured.high if measured else None,
            "expected": row.expected,
        }
    )
    return plain


def _figure(picture: Picture) -> Figure:
    quantity, panels = picture.quantity, []
    for group, series in picture.panels.items():
        chart = exponent_chart if picture.is_exponent else level_chart
        alt = f"{quantity.title} along {picture.axis}, {group}. {_read(series)}"
        panels.append(Panel(group, alt, chart(series, picture.axis, quantity.title, alt)))
    twins = f" Crosses: the twin, {'; '.join(picture.twins)}." if picture.twins else ""
    return Figure(quantity.name, quantity.title, "", tuple(panels), f"{quantity.symbol}.{twins}")


def _read(series: Sequence[Series]) -> str:
    return " ".join(f"{each.name.replace(BREAK, ' ')}." for each in series)


def _told(row: ClaimResult) -> str:
    return f"{row.measured_text}, expected {row.expected_text}"
