"""Outputs at t = 0 are a Gaussian process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.analysis._claim import Claim, Evidence, after_training
from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import Reduction, of_each_run

if TYPE_CHECKING:
    import xarray as xr


def _kurtosis(done: xr.Dataset, theory: xr.Dataset) -> xr.DataArray:
    import xarray as xr

    limit = of_each_run(theory["nngp_train"], done)
    point = xr.DataArray(np.arange(limit.sizes["i"]), dims="i")
    variance = limit.isel(i=point, j=point)
    relative = done["output_variance"].isel(record=0, drop=True).astype(np.float64) / variance - 1
    mean: xr.DataArray = 3 * (relative**2).mean("i", skipna=False)
    return mean


OUTPUT_KURTOSIS: Final = Quantity(
    "output_kurtosis",
    Reduction("initial", _kurtosis, {"output_variance": ("run", "record", "i")}, theory=("nngp_train",)),
    "excess kurtosis of the output",
    "3 (V − K)²/K² at t = 0, V = σ_a²‖φ^L‖²/m + σ_b², K its limit, mean over train points; its mean over seeds is the "
    "excess kurtosis",
    "theory.md §4 nngp",
)

CLAIM: Final = Claim(
    "nngp",
    "The excess kurtosis of the uncentred output at t = 0, 3 Var V/(E V)² with Gaussian a, is m^−1: 15/m for relu and "
    "L = 1.",
    (
        Evidence(
            "initialisation",
            (
                Exponent(
                    OUTPUT_KURTOSIS, "sharp", lambda s, _: s.readout == "gaussian", lambda *_: 1.0, "S1 §3, S3 prop 1"
                ),
            ),
            twin=after_training,
            says_twin="trained networks passed off as networks at t = 0",
            anywhere=True,
        ),
    ),
    source="S1 §3, S3 prop 1",
)
