"""The form of a claim: what the notes say and where, what measures it, what it expects, and what must refute it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

    from sweepengine.analysis._quantities import Quantity
    from sweepengine.analysis._setting import Setting
    from sweepengine.analysis._verdict import Kind, Verdict


@dataclass(frozen=True, slots=True)
class Exponent:
    """The power of the width that one quantity is expected to have, Q ~ m^−p.

    Attributes
    ----------
    quantity
        What is measured: one of the tables of a kind of sweep, or one that the claim declares itself. The latter is
        reduced where a sweep has recorded what it reads.
    kind
        A theorem's `bound`, a `sharp` exponent, or an `asymptote`.
    applies
        Whether the claim speaks of a group of runs, and of the quantity at a place along its dim (empty without a dim).
    p
        The exponent there.
    source
        Seed and equation, or the section of theory.md.
    note
        Shown beside the expectation (a trial's reading).
    """

    quantity: Quantity
    kind: Kind
    applies: Callable[[Setting, str], bool]
    p: Callable[[Setting, str], float]
    source: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class BySweep:
    """Evidence of a sweep: every sweep of the kind is judged; a job of the package measures the claim.

    Attributes
    ----------
    job
        Name of the packaged job.
    exponents
        What is expected, in the order of the tables.
    twin
        Makes of that job's sweep one for which at least one of the exponents must come out refuted.
    of
        Name of the findings that the claim belongs to: what it measures is a quantity of theirs.
    """

    job: str
    exponents: tuple[Exponent, ...]
    twin: Callable[[xr.Dataset], xr.Dataset]
    of: str = "networks"


@dataclass(frozen=True, slots=True)
class ByComputation:
    """Evidence of a computation of its own: one number, which must lie in an interval, and a twin that must not.

    Attributes
    ----------
    symbol
        The number's formula.
    low, high
        The ends of the interval.
    compute, twin
        Give the number, the second where the claim is false.
    """

    symbol: str
    low: float
    high: float
    compute: Callable[[], float]
    twin: Callable[[], float]

    def judge(self, value: float) -> Verdict:
        """Say whether a number is the claimed one; NaN is not."""
        return "holds" if self.low <= value <= self.high else "differs"


@dataclass(frozen=True, slots=True)
class Claim:
    """One row of theory.md §4, in a file of its own that is called like its id.

    Attributes
    ----------
    id
        The row's id.
    says
        What the notes state, in a sentence.
    evidence
        What measures it, with its expectation and its negative twin.
    """

    id: str
    says: str
    evidence: BySweep | ByComputation


def passed_off(sweep: xr.Dataset, measured: float, claimed: float) -> xr.Dataset:
    """Return a sweep's runs at one γ under the name of another γ: a twin for claims that tell the scalings apart."""
    import numpy as np

    runs = sweep.isel(run=np.flatnonzero(np.isclose(sweep["gamma"].values, measured)))
    labels = np.full(runs.sizes["run"], f"runs at γ = {measured:g}", dtype=object)
    return runs.assign_coords(gamma=("run", np.full(runs.sizes["run"], claimed)), scaling=("run", labels))
