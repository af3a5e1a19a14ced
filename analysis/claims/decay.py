"""Each eigenvector of the kernel decays at a rate of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.analysis._claim import Claim, Evidence
from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import Reduction, for_each_limit, spectrum

if TYPE_CHECKING:
    import xarray as xr

    from sweepengine.analysis._setting import Setting

_TOP: Final = 4
"""Number of modes, those of the largest eigenvalues."""
_FLOOR: Final = 0.1
"""Share of its start below which a mode is no longer its own: what others leak into it is m^−1 of theirs."""
_SOURCE: Final = "Kalvankar notes, §1.7; theory.md §4.7"
_SYMBOL: Final = (
    "|rate/rate_j − 1|, rate of v_j·(f_t − y) from t = 0 to t, rate_j = −log(1 − ηλ_j/N)/η, mean over the four largest "
    "λ_j and the records where (1 − ηλ_j/N)^(t/η) ≥ 1/10, weighted by (v_j·(f_0 − y))²"
)


def _deviation(modes: xr.DataArray, eigenvalues: xr.DataArray, done: xr.Dataset) -> xr.DataArray:
    """The weighted mean of |rate/rate_j − 1| from modes (run, record, mode) and eigenvalues ([run,] mode)."""
    import xarray as xr

    top = modes.isel(mode=slice(-_TOP, None)).astype(np.float64)
    flow = done["step_size"] * eigenvalues.isel(mode=slice(-_TOP, None)) / eigenvalues.sizes["mode"]
    expected = done["step"] * xr.apply_ufunc(np.log, abs(1 - flow), dask="allowed")
    start = top.isel(record=0, drop=True)
    measured = np.log(np.abs(top / start))
    kept = (expected >= np.log(_FLOOR)) & (expected < 0)
    weight = (start**2).where(kept, 0.0)
    deviation = abs(measured / expected.where(kept) - 1)
    total: xr.DataArray = weight.sum(("record", "mode"))
    mean: xr.DataArray = (weight * deviation.where(kept, 0.0)).sum(("record", "mode"), skipna=False) / total
    return mean


def _own(done: xr.Dataset, _: xr.Dataset) -> xr.DataArray:
    return _deviation(done["residual_modes"], done["kernel_eigenvalues"].isel(record=0, drop=True), done)


def _of_the_limit(done: xr.Dataset, theory: xr.Dataset) -> xr.DataArray:
    def compute(runs: xr.Dataset, limit: xr.Dataset) -> xr.DataArray:
        import xarray as xr

        eigenvalues, vectors = spectrum(limit["ntk_train"])
        residual = runs["outputs_train"].astype(np.float64) - runs["targets_train"]
        return _deviation(xr.dot(residual, vectors, dim="i"), eigenvalues, runs)

    return for_each_limit(done, theory, compute)


MODE_RATES: Final = Quantity(
    "mode_rates",
    Reduction(
        "mean",
        _own,
        {"residual_modes": ("run", "record", "mode"), "kernel_eigenvalues": ("run", "record", "mode")},
    ),
    "rates of the modes of Θ_0",
    f"{_SYMBOL}; v_j, λ_j of the run's own Θ_0",
    "theory.md §7 decay",
)
MODE_RATES_OF_THE_LIMIT: Final = Quantity(
    "mode_rates_limit",
    Reduction(
        "mean",
        _of_the_limit,
        {"outputs_train": ("run", "record", "i"), "targets_train": ("i",)},
        theory=("ntk_train",),
    ),
    "rates of the modes of Θ_∞",
    f"{_SYMBOL}; v_j, λ_j of Θ_∞",
    "theory.md §7 decay",
)


def _applies(setting: Setting, _: str) -> bool:
    return setting.kernel_drifts_at(0.5) and setting.loss == "mse" and setting.method == "gd"


def _as_of_flow(sweep: xr.Dataset) -> xr.Dataset:
    """Give the modes the eigenvalues N(1 − e^(−ηλ/N))/η, with which descent would decay as flow does with λ."""
    points, step_size = sweep.sizes["mode"], sweep["step_size"]
    return sweep.assign(
        kernel_eigenvalues=-np.expm1(-step_size * sweep["kernel_eigenvalues"] / points) * points / step_size
    )


CLAIM: Final = Claim(
    "decay",
    "v_j·(f_t − y) decays at the rate λ_j/N of flow, −log(1 − ηλ_j/N)/η of descent: to m^−1 with v_j, λ_j of the "
    "network's own Θ_0, to m^−1/2 with those of Θ_∞.",
    (
        Evidence(
            "decay",
            (
                Exponent(MODE_RATES, "sharp", lambda s, p: _applies(s, p) and s.smooth, lambda *_: 1.0, _SOURCE),
                Exponent(MODE_RATES_OF_THE_LIMIT, "sharp", _applies, lambda *_: 0.5, _SOURCE, note="modes mix"),
            ),
            twin=_as_of_flow,
            says_twin="rates λ_j/N of flow for steps of descent",
        ),
    ),
    source=_SOURCE,
    figures=(("decay", "sweepengine.analysis._mode_figures:mode_figures"),),
)
