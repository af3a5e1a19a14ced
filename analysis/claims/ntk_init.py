"""At t = 0 the kernel is near its limit: Θ_0 → Θ_∞."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.analysis._claim import Claim, Evidence, after_training
from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import Reduction, of_each_run

if TYPE_CHECKING:
    import xarray as xr


def _distance(done: xr.Dataset, theory: xr.Dataset) -> xr.DataArray:
    limit = of_each_run(theory["ntk_train"], done)
    apart = done["kernel"].isel(record=0, drop=True).astype(np.float64) - limit
    squares: xr.DataArray = (apart**2).sum(("i", "j"), skipna=False) / (limit**2).sum(("i", "j"), skipna=False)
    return squares**0.5


KERNEL_DISTANCE: Final = Quantity(
    "kernel_distance",
    Reduction("initial", _distance, {"kernel": ("run", "record", "i", "j")}, theory=("ntk_train",)),
    "kernel's distance from its limit",
    "‖Θ_0 − Θ_∞‖_F / ‖Θ_∞‖_F on the train points, norm taken in each run, then averaged over seeds",
    "theory.md §4 ntk-init",
)

CLAIM: Final = Claim(
    "ntk-init",
    "‖Θ_0 − Θ_∞‖_F / ‖Θ_∞‖_F is m^−1/2 in every scaling.",
    (
        Evidence(
            "lazy_to_rich",
            (
                Exponent(
                    KERNEL_DISTANCE,
                    "sharp",
                    lambda *_: True,
                    lambda *_: 0.5,
                    "S0, S1 eq 35, S2 §1.3, S3 Thm 1, S4 lemma 7",
                    note="trial read −0.50",
                ),
            ),
            twin=after_training,
            says_twin="trained networks passed off as networks at t = 0",
            anywhere=True,
        ),
    ),
    source="S0, S1 eq 35, S2 §1.3, S3 Thm 1, S4 lemma 7",
)
