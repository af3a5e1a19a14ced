"""Trained ensembles: every network of finite width beside the path of the limit that begins where the network begins.

The limit's path of a run is g_t = f_0 + A_t (y − f_0(X)), A_t = Θ_∞(·, X) Θ_∞⁻¹ (I − (I − ηΘ_∞/N)^(t/η)): that of the
infinitely wide network with the outputs f_0 of the run. Over seeds f_0 has mean 0 exactly, and for L = 1 the covariance
K exactly (theory.md §4.5), so g_t has the mean μ_t and variance σ_t² of the theory, at every width. So the mean of
f_t over seeds differs from μ_t by the mean of f_t − g_t, and the mean of (f_t − μ_t)² from σ_t² by the mean of
(f_t − μ_t)² − (g_t − μ_t)². These vary much less from seed to seed than f_t does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._levels import Equality
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import Reduction, for_each_limit, spectrum

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

    from sweepengine.analysis._expectations import Applies
    from sweepengine.analysis._setting import Setting

READ: Final = {
    "outputs_train": ("run", "record", "i"),
    "outputs_test": ("run", "record", "test"),
    "targets_train": ("i",),
}
_THEORY: Final = ("ntk_train", "ntk_test_train", "outputs_mean_test", "outputs_std_test")
_OF_THE_LIMIT: Final = "theory.md §3.5; Lee et al. 2019; Xu 2021, §5.2"
TOLERANCE: Final = 0.1
"""Smallest relative difference of a mean or variance that would matter."""


class Paths(NamedTuple):
    """Outputs on the test points at every record.

    Attributes
    ----------
    trained, limit
        (run, record, test [, output]): f_t of the networks, and g_t.
    mean, deviation
        (run, record, test): μ_t and σ_t; NaN for a run without a limit.
    """

    trained: xr.DataArray
    limit: xr.DataArray
    mean: xr.DataArray
    deviation: xr.DataArray

    def distance(self) -> xr.DataArray:
        """Root mean square over test points of f_t − g_t."""
        return _mean((self.trained - self.limit) ** 2) ** 0.5

    def shift(self, along: xr.DataArray) -> xr.DataArray:
        """⟨f_t − g_t, along⟩/⟨along, along⟩: its mean over seeds is what the ensemble's mean lacks or exceeds."""
        return _mean((self.trained - self.limit) * along) / _mean(along**2)

    def variance(self) -> xr.DataArray:
        """1 + ((f_t − μ_t)² − (g_t − μ_t)²)/σ_t², whose mean over seeds is the ensemble's variance over σ_t²."""
        squares = (self.trained - self.mean) ** 2 - (self.limit - self.mean) ** 2
        return 1 + _mean(squares / self.deviation**2)


def _mean(values: xr.DataArray) -> xr.DataArray:
    over = [dim for dim in values.dims if dim not in ("run", "record")]
    mean: xr.DataArray = values.mean(over, skipna=False)
    return mean


def paths(runs: xr.Dataset, limit: xr.Dataset) -> Paths:
    """The paths of the runs of one limit."""
    values, vectors = spectrum(limit["ntk_train"])
    share = runs["step_size"].isel(run=slice(1)).mean() / values.sizes["mode"]
    lost = 1 - (1 - share * values) ** runs["step"]
    gain = (lost / values.where(values > 0)).where(values != 0, share * runs["step"])
    return Paths(
        runs["outputs_test"].astype(np.float64),
        matheron(runs, vectors, gain, limit["ntk_test_train"]),
        limit["outputs_mean_test"],
        limit["outputs_std_test"],
    )


def matheron(runs: xr.Dataset, vectors: xr.DataArray, gain: xr.DataArray, cross: xr.DataArray) -> xr.DataArray:
    """f_0 + C V diag(gain) Vᵀ (y − f_0(X)) on the test points, f_0 of each run: Matheron's rule for gain 1/λ."""
    first = {
        name: runs[name].isel(record=0, drop=True).astype(np.float64) for name in ("outputs_train", "outputs_test")
    }
    moved = prediction(runs["targets_train"] - first["outputs_train"], vectors, gain, cross)
    path: xr.DataArray = first["outputs_test"] + moved
    return path


def prediction(targets: xr.DataArray, vectors: xr.DataArray, gain: xr.DataArray, cross: xr.DataArray) -> xr.DataArray:
    """C V diag(gain) Vᵀ y on the test points, for targets y (…, i [, output])."""
    import xarray as xr

    modes = gain * xr.dot(targets, vectors, dim="i")
    moved: xr.DataArray = xr.dot(modes, xr.dot(cross, vectors, dim="i"), dim="mode")
    return moved


def from_zero(sweep: xr.Dataset) -> xr.Dataset:
    """Subtract f_0 from the outputs, as if the networks had started at 0: a twin for claims about ensembles."""
    names = ("outputs_train", "outputs_test")
    return sweep.assign({name: sweep[name] - sweep[name].isel(record=0, drop=True) for name in names})


def _reduction(compute: Callable[[Paths], xr.DataArray], dim: str = "") -> Reduction:
    def of_runs(done: xr.Dataset, theory: xr.Dataset) -> xr.DataArray:
        return for_each_limit(done, theory, lambda runs, limit: compute(paths(runs, limit)))

    return Reduction("at t" if dim else "final", of_runs, READ, dim, _THEORY)


PATH_DISTANCE: Final = Quantity(
    "limit_path_distance",
    _reduction(lambda paths: paths.distance().isel(record=-1)),
    "distance from the limit's path",
    "root mean square over test points of f_T − g_T, g the path of the infinitely wide network from the same f_0",
    _OF_THE_LIMIT,
)
ENSEMBLE_MEAN: Final = Quantity(
    "ensemble_mean",
    _reduction(lambda paths: paths.shift(paths.mean.isel(record=-1)), "record"),
    "shift of the ensemble's mean",
    "⟨f_t − g_t, μ_T⟩/⟨μ_T, μ_T⟩ over test points, g the limit's path from the same f_0; its mean over seeds is that "
    "of ⟨f_t − μ_t, μ_T⟩/⟨μ_T, μ_T⟩",
    _OF_THE_LIMIT,
    fitted=False,
)
ENSEMBLE_VARIANCE: Final = Quantity(
    "ensemble_variance",
    _reduction(lambda paths: paths.variance(), "record"),
    "variance of the ensemble over that of the limit",
    "1 + ((f_t − μ_t)² − (g_t − μ_t)²)/σ_t², mean over test points, g the limit's path from the same f_0; its mean "
    "over seeds is that of (f_t − μ_t)²/σ_t²",
    _OF_THE_LIMIT,
    fitted=False,
)


def of_ensembles(applies: Applies, source: str) -> tuple[Exponent | Equality, ...]:
    """What is expected of an ensemble at every record: its mean, its variance, how its networks come to the limit."""

    def after_the_start(setting: Setting, record: str) -> bool:
        return applies(setting, record) and record != "0"

    return (
        Exponent(PATH_DISTANCE, "sharp", applies, lambda *_: 0.5, source),
        Equality(ENSEMBLE_MEAN, after_the_start, lambda *_: 0.0, TOLERANCE, source, runs="the widest"),
        Equality(ENSEMBLE_VARIANCE, after_the_start, lambda *_: 1.0, TOLERANCE, source, runs="the widest"),
    )
