"""At t = 0 the kernel is near its limit: Θ_0 → Θ_∞."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.analysis._claim import Claim, Evidence, after_training, of_case
from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._levels import Equality
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import Reduction, final, final_vector, of_each_run

if TYPE_CHECKING:
    import xarray as xr

_SOURCE: Final = "Jacot et al. 2018, Thm 1; theory.md §4.5"


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
    "theory.md §7 ntk-init",
)
DISTANCES: Final = Quantity(
    "initial_kernel_distance",
    final("initial_kernel_distance", "norm"),
    "kernel's distance from its limit, many networks",
    "mean over networks of ‖Θ_0 − Θ_∞‖/‖Θ_∞‖",
    "theory.md §7 ntk-init",
)
BIAS: Final = Quantity(
    "initial_kernel_bias",
    final_vector("initial_kernel_bias", "component"),
    "bias of the kernel",
    "‖E Θ_0 − Θ_∞‖_F/‖Θ_∞‖_F, variance/S subtracted",
    "theory.md §7 ntk-init",
    average="norm_of_means",
)
BIAS_SQUARE: Final = Quantity(
    "initial_kernel_bias_square",
    final("initial_kernel_bias_square"),
    "square of the bias of the kernel",
    "m² ‖E Θ_0 − Θ_∞‖_F²/‖Θ_∞‖_F², variance/S subtracted",
    "theory.md §7 ntk-init",
    fitted=False,
)

CLAIM: Final = Claim(
    "ntk-init",
    "‖Θ_0 − Θ_∞‖/‖Θ_∞‖ is m^−1/2 in every scaling, in the Frobenius and the operator norm; the bias "
    "‖E Θ_0 − Θ_∞‖ is 0 for L = 1 and m^−1 for L ≥ 2.",
    (
        Evidence(
            "lazy_to_rich",
            (Exponent(KERNEL_DISTANCE, "sharp", lambda *_: True, lambda *_: 0.5, _SOURCE),),
            twin=after_training,
            says_twin="trained networks passed off as networks at t = 0",
            anywhere=True,
        ),
        Evidence(
            "initial_kernel",
            (Exponent(DISTANCES, "sharp", lambda s, _: s.case != "twin", lambda *_: 0.5, _SOURCE),),
            twin=lambda sweep: of_case(sweep, "twin"),
            says_twin="the distance from K in place of Θ_∞",
            of="computation",
        ),
        Evidence(
            "initial_bias",
            (
                Exponent(BIAS, "sharp", lambda s, _: s.case.startswith("deep"), lambda *_: 1.0, "theory.md §4.5"),
                Equality(
                    BIAS_SQUARE,
                    lambda s, _: s.case.startswith("shallow"),
                    lambda *_: 0.0,
                    within=0.01,
                    source="theory.md §4.5",
                    note="0.03 for relu and 0.17 for cos at L = 2",
                ),
            ),
            twin=lambda sweep: of_case(sweep, "deep_relu", "shallow_relu"),
            says_twin="networks of L = 2 passed off as L = 1",
            of="computation",
        ),
    ),
    source="Jacot et al. 2018, Thm 1; Kalvankar notes, §1.3; Li 2025, §1; Valle Pérez 2019, Thm 1; "
    "Wide-network notes, §3.7; Xu 2021, eq 35",
)
