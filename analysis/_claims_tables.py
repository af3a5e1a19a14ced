"""The tables of decided claims as plain text cells, written once for the page, Markdown and the terminal."""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING, Final

from sweepengine.analysis._decision import WORST_FIRST
from sweepengine.analysis._format import number_text
from sweepengine.analysis._judgement import AGAINST
from sweepengine.analysis._quantities import split_key
from sweepengine.analysis._table import Table
from sweepengine.analysis._tables import INTERVALS, TOGETHER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sweepengine.analysis._decision import Decision, Part
    from sweepengine.analysis._judgement import ClaimResult
    from sweepengine.analysis._verdict import Verdict

HEADERS: Final = ("id", "source", "what was measured", "expected", "measured [95 %]", "verdict", "seconds")
CAUGHT: Final = "caught"
NOT_CAUGHT: Final = "NOT CAUGHT"
TWIN: Final = "twin"
REMARK: Final = "remark"
"""The column that says why a row is undecided, and notes beside it."""


def caught_text(*, caught: bool) -> str:
    """Whether a twin was caught, in words."""
    return CAUGHT if caught else NOT_CAUGHT


def measured_what(row: ClaimResult) -> str:
    """What a row measures: the quantity, the number taken of it, and the runs."""
    return f"{row.title}: {row.measures} ({row.group})"


def twin_row(part: Part) -> ClaimResult | None:
    """The row of a twin that tells most: the first that refutes it, else the first; None if there is none."""
    refuting = [row for row in part.twin_rows if row.verdict in AGAINST]
    return next(iter((*refuting, *part.twin_rows)), None)


def worst_first(decisions: Sequence[Decision]) -> dict[Verdict, list[Decision]]:
    """The verdicts that occur, the worst first → the claims that have it."""
    found = {verdict: [each for each in decisions if each.verdict == verdict] for verdict in WORST_FIRST}
    return {verdict: some for verdict, some in found.items() if some}


def counts_sentence(decisions: Sequence[Decision]) -> str:
    """How many claims hold, are undecided or are refuted, and whether every twin was caught."""
    found = worst_first(decisions)
    refuted = sum(each.verdict in AGAINST for each in decisions)
    missed = [each.claim.id for each in decisions if not each.twins_are_caught]
    twins = f"Twins of {', '.join(missed)} were NOT caught." if missed else "Every negative twin was caught."
    return (
        f"{len(decisions)} claim{'' if len(decisions) == 1 else 's'}: {len(found.get('holds', []))} hold, "
        f"{len(found.get('undecided', []))} undecided, {refuted} refuted. {twins}"
    )


def decisions_table(decisions: Sequence[Decision]) -> Table:
    """All rows of all claims with their twins."""
    rows: list[tuple[str, ...]] = []
    for decision in decisions:
        seconds = "–" if math.isnan(decision.seconds) else number_text(decision.seconds, 1)
        for part in decision.parts:
            for *cells, remark, together in _part_rows(decision, part):
                rows.append((decision.claim.id, *cells, seconds, remark, together))
                seconds = ""
    return Table(
        "decisions",
        "All rows",
        "Each row is one expectation of a claim; a row “twin” is a wrong copy of the claim, which must be refuted. "
        f"Seconds are those of the claim's jobs, which other claims may share. {INTERVALS}",
        (*HEADERS, REMARK, TOGETHER),
        tuple(rows),
        frozenset({4, 6, 8}),
    )


def part_table(decision: Decision, part: Part, number: int) -> Table:
    """The rows of one piece of evidence, and its twin; verdicts first, for narrow screens."""
    rows = tuple(
        (f"{TWIN}: {what}" if source == TWIN else what, verdict, expected, measured, together, remark, source)
        for source, what, expected, measured, verdict, remark, together in _part_rows(decision, part)
    )
    return Table(
        f"{decision.claim.id}-{number}",
        f"Rows of {decision.claim.id}, job {part.evidence.job}",
        "",
        ("what was measured", "verdict", "expected", "measured [95 %]", TOGETHER, REMARK, "source"),
        rows,
        frozenset({3, 4}),
    )


def quantities_table(decision: Decision) -> Table:
    """Formula and source of what a claim measures."""
    found = {
        (part.evidence.of, split_key(row.observable)[0]): part.evidence.quantity(row.observable)
        for part in decision.parts
        for row in part.rows
    }
    return Table(
        f"{decision.claim.id}-measured",
        "What is measured",
        "",
        ("quantity", "formula", "unit", "source"),
        tuple((each.title, each.symbol, each.unit, each.source) for each in found.values()),
        formula=frozenset({1}),
    )


def reproduction(decision: Decision, command: str) -> Iterator[tuple[str, str]]:
    """Commands that decide a claim, run its jobs alone and report on them; each with what it does."""
    yield f"{command} {decision.claim.id}", "decides this claim: it runs what its stores lack."
    for job in decision.claim.jobs:
        store = decision.store(job)
        yield shlex.join(["sweepengine", "run", job]), "runs its job alone, with the sizes of the job's file."
        if store:
            yield (
                shlex.join(["sweepengine", "report", store]),
                "writes the report on the store from which these numbers come.",
            )


def _part_rows(decision: Decision, part: Part) -> Iterator[tuple[str, ...]]:
    """Source, what was measured, expected, measured, verdict, remark and joint interval of each row and of the twin."""
    for row in part.rows:
        remark = "; ".join(text for text in (decision.why(row), row.note) if text)
        told = (row.source, measured_what(row), row.expected_text, row.measured_text, row.verdict)
        yield *told, remark or "–", row.together_text
    refuting = twin_row(part)
    yield (
        TWIN,
        part.evidence.says_twin,
        refuting.expected_text if refuting else "–",
        refuting.measured_text if refuting else "none",
        caught_text(caught=part.twin_is_caught),
        f"{measured_what(refuting)}: {refuting.verdict}"
        if refuting
        else "no run of the twin is of the claim's setting",
        "–",
    )
