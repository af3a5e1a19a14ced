"""Weights hardly move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.analysis._claim import Claim, Evidence, passed_off
from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._of_networks import MOVEMENT_OP, MOVEMENT_ROW_MAX, MOVEMENT_TOTAL
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import Reduction
from sweepengine.analysis._setting import EPS

if TYPE_CHECKING:
    import xarray as xr

    from sweepengine.analysis._setting import Setting

_SOURCE: Final = "Lee et al. 2019, Thm 2.1; theory.md §4.3"


def _applies(setting: Setting, layer: str) -> bool:
    return setting.balanced and 0.5 - EPS < setting.gamma < 1 + EPS and setting.moves(layer)


def _of_neurons(setting: Setting, layer: str, readout: str) -> bool:
    first = setting.depth == 1 and layer in ("", "W0") and setting.at(0.5)
    return first and setting.readout == readout and _applies(setting, "W0")


def largest_gaussian(m: int) -> float:
    """E max_k |a_k| of m independent N(0, 1), which tends to √(2 log m): ∫ 1 − P(|a| ≤ x)^m dx, to 1e-6."""
    from scipy import special

    x = np.linspace(0.0, 12.0, 12001)
    return float(np.trapezoid(1 - special.erf(x / np.sqrt(2)) ** m, x))


def _over_largest(done: xr.Dataset, _: xr.Dataset) -> xr.DataArray:
    import xarray as xr

    largest = xr.DataArray([largest_gaussian(int(m)) for m in done["width"].values], dims="run")
    moved: xr.DataArray = MOVEMENT_ROW_MAX.reduction.compute(done, done).isel(layer=0, drop=True)
    return moved / largest


NEURON_MOVEMENT: Final = Quantity(
    "neuron_movement",
    Reduction("sup", _over_largest, {"movement_row_max": ("run", "record", "layer")}),
    "largest movement of a neuron over the largest read-out weight",
    "sup_t max_k ‖w_k(t) − w_k(0)‖ / E max_k |a_k|, W^0 and a of m numbers N(0, 1); the second is about √(2 log m)",
    "theory.md §7 lazy",
)

_EXPECTED: Final = (
    Exponent(MOVEMENT_TOTAL, "sharp", _applies, lambda s, _: (1 if s.depth == 1 else 1.5) - s.gamma, _SOURCE),
    Exponent(MOVEMENT_OP, "sharp", _applies, lambda s, _: 1 - s.gamma, "Valle Pérez 2019, lemma 1; theory.md §4.3"),
)
_OF_NEURONS: Final = (
    Exponent(
        NEURON_MOVEMENT,
        "sharp",
        lambda s, place: _of_neurons(s, place, "gaussian") and s.trained == "all",
        lambda *_: 0.5,
        "Du et al. 2019, §3; Wide-network notes, §3.8",
        note="the largest movement itself is m^−1/2 √log m, which reads −0.35 to −0.42",
    ),
)
_OF_SIGNS: Final = (
    Exponent(
        MOVEMENT_ROW_MAX,
        "sharp",
        lambda s, layer: _of_neurons(s, layer, "signs") and layer == "W0",
        lambda *_: 0.5,
        "Du et al. 2019, §3; Wide-network notes, §3.8",
    ),
)

CLAIM: Final = Claim(
    "lazy",
    "‖θ_t − θ_0‖/‖θ_0‖ is m^(γ−1) for one hidden layer and m^(γ−3/2) for more; ‖W^l_t − W^l_0‖_op/√m is m^(γ−1); "
    "at γ = 1/2 max_k ‖w_k(t) − w_k(0)‖ is m^−1/2 for a = ±1, and √log m times this for Gaussian a.",
    tuple(
        Evidence(
            job,
            expected,
            twin=lambda sweep: passed_off(sweep, 1.0, 0.5),
            says_twin="runs at γ = 1 passed off as γ = 0.5",
            anywhere=expected is _EXPECTED,
        )
        for job, expected in (
            ("one_layer", _EXPECTED),
            ("two_layers", _EXPECTED),
            ("relu", _EXPECTED),
            ("relu", _OF_NEURONS),
            ("features", _OF_SIGNS),
        )
    ),
    source="Lee et al. 2019, Thm 2.1; Kalvankar notes, §1.8; Valle Pérez 2019, lemma 1; Wide-network notes, §3.8; "
    "Xu 2021, eq 81",
)
