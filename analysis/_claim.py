"""The form of a claim: what the notes state and where, what measures it, the expected number, and a negative twin."""

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
    """The power of the width with which a quantity is expected to fall, Q ~ m^−p.

    Attributes
    ----------
    quantity
        The measured quantity: one of the findings of a kind of sweep, or one that the claim itself declares. The latter
        is reduced where a sweep has recorded the variables that it reads.
    kind
        A theorem's `bound`, a `sharp` exponent, or an `asymptote`.
    applies
        From the setting of a group of runs and a place along the quantity's dim (empty without a dim): whether the
        claim speaks of them.
    p
        From the same arguments: the exponent.
    source
        Seed and equation, or the section of theory.md.
    note
        Text beside the expectation, such as the exponent that a trial read.
    """

    quantity: Quantity
    kind: Kind
    applies: Callable[[Setting, str], bool]
    p: Callable[[Setting, str], float]
    source: str
    note: str = ""


def vanishing_in_the_ntk_scaling(
    quantity: Quantity, source: str, *, limits: str = "", smooth: str = "", relu: str = ""
) -> tuple[Exponent, ...]:
    """The exponents of what a linear model does not have: at least 1/2, 1 for a smooth φ, → 3/4 for one layer of relu.

    Parameters
    ----------
    quantity
    source
        Source of the bound.
    limits
        Source of the two exponents for given activations, where it is another one.
    smooth, relu
        Notes beside these two.
    """
    sources = limits or source
    return (
        Exponent(quantity, "bound", lambda s, _: s.kernel_drifts_at(0.5), lambda *_: 0.5, source),
        Exponent(quantity, "sharp", lambda s, _: s.kernel_drifts_at(0.5) and s.smooth, lambda *_: 1.0, sources, smooth),
        Exponent(
            quantity,
            "asymptote",
            lambda s, _: s.kernel_drifts_at(0.5) and s.shallow_relu,
            lambda *_: 0.75,
            sources,
            relu,
        ),
    )


@dataclass(frozen=True, slots=True)
class BySweep:
    """Evidence from a sweep: the claim is judged on every sweep of its kind, and a packaged job measures it.

    Attributes
    ----------
    job
        Name of the packaged job.
    exponents
        Expected exponents, in the order of the tables.
    twin
        Turns the sweep of the job into one that must refute at least one of the exponents.
    of
        Name of the findings to which the claim belongs.
    """

    job: str
    exponents: tuple[Exponent, ...]
    twin: Callable[[xr.Dataset], xr.Dataset]
    of: str = "networks"


@dataclass(frozen=True, slots=True)
class ByComputation:
    """Evidence from a computation: its number must lie in an interval, and the number of its twin must lie outside.

    Attributes
    ----------
    symbol
        Formula of the number.
    low, high
        Ends of the interval.
    compute, twin
        Return the number: `compute` where the claim is true, `twin` where it is false.
    """

    symbol: str
    low: float
    high: float
    compute: Callable[[], float]
    twin: Callable[[], float]

    def judge(self, value: float) -> Verdict:
        """`holds` for a number in the interval, else `differs`; NaN differs."""
        return "holds" if self.low <= value <= self.high else "differs"


@dataclass(frozen=True, slots=True)
class Claim:
    """One row of theory.md §4; the file of the claim has its id as name.

    Attributes
    ----------
    id
        Id of the row.
    says
        The statement of the notes, in a sentence.
    evidence
        The sweep or computation that measures the claim, with its expectation and its negative twin.
    """

    id: str
    says: str
    evidence: BySweep | ByComputation


def passed_off(sweep: xr.Dataset, measured: float, claimed: float) -> xr.Dataset:
    """Return a sweep's runs at γ = ``measured``, labelled as γ = ``claimed``: a twin for claims about a scaling."""
    import numpy as np

    runs = sweep.isel(run=np.flatnonzero(np.isclose(sweep["gamma"].values, measured)))
    labels = np.full(runs.sizes["run"], f"runs at γ = {measured:g}", dtype=object)
    return runs.assign_coords(gamma=("run", np.full(runs.sizes["run"], claimed)), scaling=("run", labels))


def after_training(sweep: xr.Dataset) -> xr.Dataset:
    """Take the last record of mean-field runs as their first: a twin for claims about t = 0."""
    import numpy as np

    runs = np.flatnonzero(np.isclose(sweep["gamma"].values, 1.0))
    return sweep.isel(run=runs, record=[-1]).assign_coords(records_done=("run", np.ones(runs.size, dtype=int)))
