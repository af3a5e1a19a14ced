"""The table of decided claims: one row for each expectation, and one for each negative twin."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from sweepengine.analysis._decision import AGAINST
from sweepengine.analysis._format import number_text
from sweepengine.analysis._tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sweepengine.analysis._decision import Decision, Part
    from sweepengine.analysis._judgement import ClaimResult

HEADERS: Final = ("id", "source", "what was measured", "expected", "measured [95 %]", "verdict", "seconds")
CAUGHT: Final = "caught"
NOT_CAUGHT: Final = "NOT CAUGHT"


def measured_what(row: ClaimResult) -> str:
    """What a row measures: the quantity, the number taken of it, and the runs."""
    return f"{row.title}: {row.measures} ({row.group})"


def twin_row(part: Part) -> ClaimResult | None:
    """The row of a twin that tells most: the first that refutes it, else the first; None if there is none."""
    refuting = [row for row in part.twin_rows if row.verdict in AGAINST]
    return next(iter((*refuting, *part.twin_rows)), None)


def decisions_table(decisions: Sequence[Decision]) -> Table:
    """All rows of all claims with their twins."""
    rows: list[tuple[str, ...]] = []
    for decision in decisions:
        rows += _rows(decision)
    return Table(
        "claims",
        "Claims",
        "Each row is one expectation of a claim; a row “twin” is a wrong copy of the claim, which must be refuted.",
        (*HEADERS, "why"),
        tuple(rows),
        frozenset({4, 6}),
    )


def _rows(decision: Decision) -> Iterable[tuple[str, ...]]:
    seconds = "–" if math.isnan(decision.seconds) else number_text(decision.seconds, 1)
    for part in decision.parts:
        for row in part.rows:
            what, measured = measured_what(row), row.measured_text
            yield decision.claim.id, row.seed, what, row.expected_text, measured, row.verdict, seconds, row.why or "–"
            seconds = ""
        told = twin_row(part)
        yield (
            decision.claim.id,
            "twin",
            part.evidence.says_twin,
            told.expected_text if told else "–",
            told.measured_text if told else "none",
            CAUGHT if part.twin_is_caught else NOT_CAUGHT,
            "",
            told.verdict if told else "no run of the twin is of the claim's setting",
        )


def verdicts_table(decisions: Sequence[Decision]) -> Table:
    """One row for each claim, verdict first."""
    rows = tuple(
        (
            decision.claim.id,
            decision.verdict,
            CAUGHT if decision.twins_are_caught else NOT_CAUGHT,
            decision.claim.says,
            decision.claim.source,
        )
        for decision in decisions
    )
    return Table("verdicts", "Verdicts", "", ("id", "verdict", "twin", "statement", "source"), rows)
