"""The decision of a claim from the sweeps of its jobs: the rows of its evidence, and those of its negative twins."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from sweepengine.analysis._judgement import AGAINST, judged_together
from sweepengine.analysis._observables import read_for, reduce_runs
from sweepengine.analysis._samples import judge_sweep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

    from sweepengine.analysis._claim import Claim, Evidence
    from sweepengine.analysis._judgement import ClaimResult
    from sweepengine.analysis._verdict import Verdict

    Sweeps = Mapping[str, tuple[xr.Dataset, xr.Dataset]]
    """Name of a job → the sweep, and the theory of its store."""

WORST_FIRST: Final[tuple[Verdict, ...]] = ("violated", "differs", "undecided", "holds")


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of evidence, judged.

    Attributes
    ----------
    evidence
        The evidence.
    rows, twin_rows
        What the sweep of the job says, and what the twin says.
    """

    evidence: Evidence
    rows: tuple[ClaimResult, ...]
    twin_rows: tuple[ClaimResult, ...]

    @property
    def twin_is_caught(self) -> bool:
        """Whether at least one expectation is refuted in the twin."""
        return any(row.verdict in AGAINST for row in self.twin_rows)


@dataclass(frozen=True, slots=True)
class Decision:
    """A claim with its verdict.

    Attributes
    ----------
    claim
        The claim.
    parts
        Its evidence, judged.
    seconds
        Time that its jobs took when they were computed; NaN where that is not known.
    sweeps
        The sweeps of its jobs and their theories, for figures.
    """

    claim: Claim
    parts: tuple[Part, ...]
    seconds: float
    sweeps: Sweeps = field(repr=False, compare=False)

    def store(self, job: str) -> str:
        """Address of the store of one of the claim's jobs; empty where the sweep says none."""
        return str(self.sweeps[job][0].attrs.get("store", ""))

    @property
    def rows(self) -> tuple[ClaimResult, ...]:
        """The rows of all parts."""
        return tuple(row for part in self.parts for row in part.rows)

    def seconds_to_decide(self, row: ClaimResult) -> float:
        """Seconds that the seeds take which would decide a row, at the time of the present seeds; NaN if unknown."""
        seeds = len(set(row.sample.seed.tolist()))
        return self.seconds * row.more_seeds / seeds if row.more_seeds and seeds else float("nan")

    def why(self, row: ClaimResult) -> str:
        """The reason why a row is undecided, with the time that deciding it by seeds would take where that is known."""
        seconds = self.seconds_to_decide(row)
        return row.why if math.isnan(seconds) else f"{row.why} (the seeds: about {seconds:.2g} s here)"

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of the rows; a part without a row that is judged leaves the claim undecided."""
        verdicts = {row.verdict for row in self.rows}
        if any(all(row.verdict == "none" for row in part.rows) for part in self.parts):
            verdicts.add("undecided")
        return next(verdict for verdict in WORST_FIRST if verdict in verdicts)

    @property
    def twins_are_caught(self) -> bool:
        """Whether every negative twin comes out otherwise than the claim."""
        return all(part.twin_is_caught for part in self.parts)

    @property
    def is_refuted(self) -> bool:
        """Whether the claim is violated or differs, or a twin is not caught."""
        return self.verdict in AGAINST or not self.twins_are_caught

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, lists and strings."""
        return {
            "id": self.claim.id,
            "says": self.claim.says,
            "source": self.claim.source,
            "verdict": self.verdict,
            "twins_are_caught": self.twins_are_caught,
            "seconds": self.seconds,
            "parts": [
                {
                    "job": part.evidence.job,
                    "of": part.evidence.of,
                    "store": self.store(part.evidence.job),
                    "rows": [_row(row) for row in part.rows],
                    "twin": part.evidence.says_twin,
                    "twin_job": part.evidence.twin_job or part.evidence.job,
                    "twin_is_caught": part.twin_is_caught,
                    "twin_store": self.store(part.evidence.twin_job or part.evidence.job),
                    "twin_rows": [_row(row) for row in part.twin_rows],
                }
                for part in self.parts
            ],
        }


def decide(claim: Claim, sweeps: Sweeps, seconds: float = float("nan")) -> Decision:
    """Decide a claim from the sweeps of its jobs.

    Parameters
    ----------
    claim
        The claim.
    sweeps
        Name of each of its jobs → the sweep as `sweepengine.open_sweep` returns it, and the theory of
        `sweepengine.open_theory`.
    seconds
        Time that the jobs took.

    Raises
    ------
    ContractError
        A sweep lacks what the contract promises.
    """
    parts = []
    for evidence in claim.evidence:
        quantities = {expectation.quantity for expectation in evidence.expected}
        read = {job: tuple(read_for(each, quantities) for each in sweeps[job]) for job in evidence.jobs}
        sweep, theory = read[evidence.job]
        twin, twin_theory = read[evidence.twin_job or evidence.job]
        rows = _judged(claim, evidence, sweep, theory)
        twin_rows = _judged(claim, evidence, evidence.twin(twin), twin_theory)
        parts.append(Part(evidence, rows, twin_rows))
    return Decision(claim, tuple(parts), seconds, {job: sweeps[job] for job in claim.jobs})


def _row(row: ClaimResult) -> dict[str, Any]:
    """A row with what is behind it: the allowed values, the number of runs, and the power law or null."""
    fit = row.sample.fit if row.is_exponent else None
    behind = {"allowed": list(row.allowed), "runs": len(row.sample.values), "fit": fit.law() if fit else None}
    return row.to_dict() | behind


def _judged(claim: Claim, evidence: Evidence, sweep: xr.Dataset, theory: xr.Dataset) -> tuple[ClaimResult, ...]:
    quantities = {expectation.quantity for expectation in evidence.expected}
    table = reduce_runs(sweep, theory=theory, only=quantities)
    return judge_sweep(sweep, table, [(claim.id, expectation) for expectation in evidence.expected])


def decided_together(decisions: Sequence[Decision]) -> tuple[Decision, ...]:
    """Return the decisions of one table, whose rows are refuted only by intervals that cover together."""
    rows = iter(judged_together([row for decision in decisions for row in decision.rows]))
    return tuple(
        replace(
            decision, parts=tuple(replace(part, rows=tuple(next(rows) for _ in part.rows)) for part in decision.parts)
        )
        for decision in decisions
    )
