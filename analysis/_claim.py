"""The form of a claim: a statement and its source, what measures it, the expectations, and a negative twin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._quantities import split_key
from sweepengine.analysis._setting import EPS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import xarray as xr

    from sweepengine.analysis._expectations import Expectation
    from sweepengine.analysis._quantities import Quantity


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


def vanishing_between_the_scalings(quantity: Quantity, source: str) -> Exponent:
    """The exponent min(3/2 − γ, 2 − 2γ) of the same for ½ < γ < 1, one hidden layer and a smooth φ; it is 2 − 2γ there.

    With δ = m^(γ−1), the movement of the features, the drift is c₁δ/√m + c₂δ²: the first term fluctuates with mean 0.
    """
    return Exponent(
        quantity,
        "sharp",
        lambda s, _: s.balanced and s.moves_kernel and 0.5 + EPS < s.gamma < 1 - EPS and s.depth == 1 and s.smooth,
        lambda s, _: min(1.5 - s.gamma, 2 - 2 * s.gamma),
        source,
    )


@dataclass(frozen=True, slots=True)
class Evidence:
    """What decides a claim: expectations of the runs of a job, and a twin in which one of them must be refuted.

    Attributes
    ----------
    job
        Name of the packaged job that measures the claim.
    expected
        Expectations, in the order of the tables.
    twin
        Turns the sweep of ``twin_job`` into one that must refute at least one of the expectations.
    says_twin
        What is wrong in the twin, in a few words, such as "runs at γ = 1 passed off as γ = 1/2".
    of
        Name of the findings to which the quantities belong.
    twin_job
        Name of the job of the twin; that of the claim where it is empty.
    anywhere
        Whether the expectations are also judged on every other sweep of the kind, where they apply. False: they depend
        on the points, the times or the sizes of the job, and a user's sweep says nothing about them.
    """

    job: str
    expected: tuple[Expectation, ...]
    twin: Callable[[xr.Dataset], xr.Dataset]
    says_twin: str
    of: str = "networks"
    twin_job: str = ""
    anywhere: bool = False

    def quantity(self, key: str) -> Quantity:
        """The quantity of a key such as `kernel_drift` or `movement_op/W0`, which one of the expectations is about."""
        return next(each.quantity for each in self.expected if each.quantity.name == split_key(key)[0])

    @property
    def jobs(self) -> tuple[str, ...]:
        """Names of the jobs that the evidence needs."""
        return (self.job, self.twin_job) if self.twin_job else (self.job,)


@dataclass(frozen=True, slots=True)
class Claim:
    """One row of theory.md §7; the file of the claim has its id as name.

    Attributes
    ----------
    id
        Id of the row.
    says
        The statement, in a sentence, with its equation.
    evidence
        What measures the parts of the statement.
    source
        Where it is stated: works with places, or sections of theory.md (:mod:`sweepengine.sources`).
    figures
        Further figures, where a number does not tell it: pairs of a packaged job and a reference "module:function" to
        what draws them, from the sweep of the job and its theory to a tuple of `Figure`, empty where the sweep has not
        recorded what they show. They are texts because the functions lie in modules that import this one.
    """

    id: str
    says: str
    evidence: tuple[Evidence, ...]
    source: str
    figures: tuple[tuple[str, str], ...] = ()

    @property
    def jobs(self) -> tuple[str, ...]:
        """Names of the jobs that the claim needs, each once."""
        needed = [job for evidence in self.evidence for job in evidence.jobs]
        return tuple(dict.fromkeys([*needed, *(job for job, _ in self.figures)]))


def passed_off(sweep: xr.Dataset, measured: float, claimed: float) -> xr.Dataset:
    """Return a sweep's runs at γ = ``measured``, labelled as γ = ``claimed``: a twin for claims about a scaling."""
    import numpy as np

    runs = sweep.isel(run=np.flatnonzero(np.isclose(sweep["gamma"].values, measured)))
    labels = np.full(runs.sizes["run"], f"runs at γ = {measured:g}", dtype=object)
    return runs.assign_coords(gamma=("run", np.full(runs.sizes["run"], claimed)), scaling=("run", labels))


def in_the_ntk_scaling(jobs: Iterable[str], expected: tuple[Expectation, ...]) -> tuple[Evidence, ...]:
    """Evidence from each of some jobs that have both scalings; the twin passes γ = 1 off as γ = 1/2."""
    return tuple(
        Evidence(
            job,
            expected,
            twin=lambda sweep: passed_off(sweep, 1.0, 0.5),
            says_twin="runs at γ = 1 passed off as γ = 0.5",
            anywhere=True,
        )
        for job in jobs
    )


def after_training(sweep: xr.Dataset) -> xr.Dataset:
    """Take the last record of mean-field runs as their first: a twin for claims about t = 0."""
    import numpy as np

    runs = np.flatnonzero(np.isclose(sweep["gamma"].values, 1.0))
    return sweep.isel(run=runs, record=[-1]).assign_coords(records_done=("run", np.ones(runs.size, dtype=int)))


def of_case(sweep: xr.Dataset, case: str, claimed: str = "claim") -> xr.Dataset:
    """Return the runs of one case of a sweep of computations, labelled as another: a twin for computed claims."""
    import numpy as np

    runs = sweep.isel(run=np.flatnonzero(sweep["scaling"].values == case))
    return runs.assign_coords(scaling=("run", np.full(runs.sizes["run"], claimed, dtype=object)))
