"""The tables of the report as plain text cells, written once for HTML and Markdown."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

from sweepengine.analysis._constants import PROVENANCE_ATTRIBUTES, STATUSES
from sweepengine.analysis._format import number_text, significant_text
from sweepengine.analysis._levels import LEVEL_RULES
from sweepengine.analysis._table import Table
from sweepengine.analysis._terminal import at_these_widths, level_text
from sweepengine.analysis._verdict import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sweepengine.analysis._results import GroupSummary, Summary
    from sweepengine.analysis._scaling_fit import ScalingFit


TOGETHER: Final = "[95 % together]"
"""The column of the intervals that cover together."""
INTERVALS: Final = (
    "Exponents are of the width m, Q ∝ m^exponent, in the limit m → ∞ where nothing else is said. Brackets hold 95 % "
    "intervals over seeds (Student's t with S − 1 degrees of freedom); a replicate is one seed's whole curve. The "
    "limit's interval allows for finite-size terms 1 + B m^−q, 1/2 ≤ q ≤ 1, of up to a factor of 2.5 at the smallest "
    "width. Each interval has 95 % coverage by itself; those of the column “together” cover all at once, and only they "
    "refute a row."
)


def glance_table(summary: Summary) -> Table:
    """One row for each group: headline exponents beside their expectations, and accuracy or loss.

    What no run has measured has no column.
    """
    columns = [("runs", [group.label for group in summary.groups])]
    for name in (each for each in summary.kind.headlines if each in summary.measured):
        fits = [group.fits.get(name) for group in summary.groups]
        told = [_expected(summary, group.label, name) for group in summary.groups]
        exponents = [f"{fit.exponent}; {at_these_widths(fit)}" if fit else "no fit" for fit in fits]
        columns += [
            (summary.kind.quantity(name).title, exponents),
            *([("expected", told)] if set(told) != {"–"} else []),
        ]
    caption = (
        "Exponents of the width in the limit with 95 % intervals, and those of a straight line at these widths, where "
        "± is half the 95 % interval. ≤ marks a theorem's bound, → an asymptote."
    )
    if summary.kind.level in summary.measured:
        levels = [
            level_text(group) + (f" at m = {group.level.width}" if group.level else "") for group in summary.groups
        ]
        columns.append((summary.kind.quantity(summary.kind.level).title, levels))
        caption += " The last column is the mean ± standard error over seeds at the largest width."
    headers, cells = zip(*columns, strict=True)
    numeric = frozenset(k for k, header in enumerate(headers) if header not in ("runs", "expected"))
    return Table("glance", "At a glance", caption, headers, tuple(zip(*cells, strict=True)), numeric)


def claims_table(summary: Summary) -> Table:
    """The claims with their verdicts."""
    rows = tuple(
        (
            c.id,
            c.source,
            c.group,
            c.title,
            c.expected_text + (f" ({c.note})" if c.note else ""),
            f"{c.measures}: {c.measured_text}" if not c.is_exponent else c.measured_text,
            c.together_text,
            c.verdict,
            c.why or "–",
        )
        for c in summary.claims
    )
    return Table(
        "claims",
        "Claims",
        f"Statements of docs/theory.md, section 7, against what these runs measured. {INTERVALS}",
        ("id", "source", "runs", "observable", "expected", "limit [95 %]", TOGETHER, "verdict", "why"),
        rows,
        frozenset({5, 6}),
    )


def fits_table(summary: Summary) -> Table:
    """All fits with their residual trends, and the reasons for missing fits."""
    rows: list[tuple[str, ...]] = []
    for group in summary.groups:
        rows += [_fit_row(group, summary.kind.title_of(key), fit) for key, fit in group.fits.items()]
        rows += [
            (group.label, summary.kind.title_of(key), "no fit", *("–",) * 5, why) for key, why in group.failures.items()
        ]
    return Table(
        "fits",
        "Fits",
        "The limit is the exponent as m → ∞, finite-size terms 1 + B m^−q allowed for. At these widths: log E Q = "
        "log A − p log m by least squares, E the mean over seeds of norms taken in each run. The residual trend is the "
        "coefficient of (log m)² in a parabola through the widths used; the smallest width is dropped while the "
        "trend's 99 % interval excludes 0 and more than four widths remain. The best prediction is that of the model "
        "which is nearest to the widest width if it is fitted without it.",
        (
            "runs",
            "quantity",
            "limit [95 %]",
            "at these widths [95 %]",
            "A",
            "residual trend [95 %]",
            "best prediction",
            "seeds",
            "widths",
        ),
        tuple(rows),
        frozenset({2, 3, 4, 5, 7}),
    )


def counts_table(summary: Summary) -> Table:
    """Numbers of runs by status, for each group and in total."""
    rows = [(g.label, *_counts(g.counts)) for g in summary.groups]
    if len(rows) != 1:
        rows.append(("all", *_counts(summary.counts)))
    return Table(
        "runs",
        "Runs",
        "Only runs that are done enter means and fits; the others are counted here.",
        ("runs", *STATUSES, "total"),
        tuple(rows),
        frozenset(range(1, len(STATUSES) + 2)),
    )


def definitions_table(summary: Summary) -> Table:
    """Formula, unit and source of every quantity."""
    return Table(
        "definitions",
        "Definitions",
        "m width, t training time (gradient-flow time: a step of size η advances it by η), N train points, Θ_t the "
        "kernel on the train points, θ_t the parameters, L hidden layers, S seeds. A supremum runs over the records. "
        "Unit 1 is a pure number.",
        ("quantity", "formula", "unit", "source"),
        tuple((q.title, q.symbol, q.unit, q.source) for q in summary.quantities if q.name in summary.measured),
        formula=frozenset({1}),
    )


def rules_table() -> Table:
    """The rules by which verdicts are reached."""
    return Table(
        "verdicts",
        "How a verdict is reached",
        "A wrong verdict is worse than an open one. Without an interval (fewer than two seeds, or no fit) every "
        "verdict is undecided.",
        ("kind of claim", "rule, with e the claimed exponent of m"),
        (*RULES, *LEVEL_RULES),
        formula=frozenset({1}),
    )


def provenance_table(attrs: Mapping[str, Any]) -> Table:
    """Store, machine, versions and history of the numbers, from the attributes of the dataset."""
    rows = [("store", str(attrs.get("store", "")) or "not recorded")]
    for name in PROVENANCE_ATTRIBUTES:
        if attrs.get(name):
            rows += _record(name, str(attrs[name]))
    rows.append(("history", str(attrs.get("history", "")) or "not recorded"))
    return Table("provenance", "Provenance", "", ("what", "value"), tuple(rows))


def _record(name: str, text: str) -> list[tuple[str, str]]:
    """One row for each key of a JSON object, with one level of nesting unfolded; any other text is one row."""
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, dict):
        return [(f"{name} (not a JSON object)", text)]
    flat: dict[str, Any] = {}
    for key, value in parsed.items():
        flat.update(value if isinstance(value, dict) else {key: value})
    return [(str(k), v if isinstance(v, str) else json.dumps(v, ensure_ascii=False)) for k, v in flat.items()]


def _expected(summary: Summary, group: str, quantity: str) -> str:
    """What the claims expect of a quantity in a group of runs; a dash where they expect nothing."""
    told = [each.expected_text for each in summary.claims if (each.group, each.observable) == (group, quantity)]
    return ", ".join(dict.fromkeys(told)) or "–"


def _counts(counts: Mapping[str, int]) -> tuple[str, ...]:
    return (*(str(counts[s]) for s in STATUSES), str(sum(counts.values())))


def _fit_row(group: GroupSummary, title: str, fit: ScalingFit) -> tuple[str, ...]:
    widths = f"{fit.kept[0]}–{fit.kept[-1]}"
    if fit.dropped:
        widths += f"; dropped {', '.join(map(str, fit.dropped))} (with them {fit.p_all.negated()})"
    if fit.bends:
        widths += "; still bends"
    if not fit.explained:
        widths += "; no finite-size term describes it"
    elif len(fit.limit_widths) < len(fit.widths):
        widths += f"; limit from {fit.limit_widths[0]} on"
    size = fit.finite_size
    if size.identified and size.p and size.b and size.q:
        widths += (
            f"; finite-size fit: exponent {size.p.negated()}, "
            f"b = {number_text(size.b.value)}, q = {number_text(size.q.value)}"
        )
    return (
        group.label,
        title,
        str(fit.exponent),
        str(fit.exponent_at_these_widths),
        significant_text(fit.amplitude.value),
        str(fit.curvature),
        _prediction(fit),
        f"{len(fit.seeds)} of {len(group.seeds)}",
        widths,
    )


def _prediction(fit: ScalingFit) -> str:
    """`power law (0.4 % off), then offset (2.1 %)`: which models predict the widest left out best."""
    parts = [f"{model.name} ({100 * abs(math.expm1(model.error.value)):.2g} % off)" for model in fit.models[:2]]
    return ", then ".join(parts)
