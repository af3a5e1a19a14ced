"""A large output scale α makes centred networks lazy at any width."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.analysis._claim import Claim, Evidence, passed_off
from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._of_networks import KERNEL_DRIFT
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import Reduction, last

if TYPE_CHECKING:
    import xarray as xr

    from sweepengine.analysis._setting import Setting

_SOURCE: Final = "Chizat et al. 2019; Valle Pérez 2019, §8"


def _applies(setting: Setting) -> bool:
    return setting.centred and setting.depth == 1 and setting.smooth and setting.moves_kernel


def _passed_off_as_centred(sweep: xr.Dataset) -> xr.Dataset:
    network = json.loads(sweep.attrs["network"]) | {"centred": True}
    return sweep.assign_attrs(network=json.dumps(network))


def _change(done: xr.Dataset, _: xr.Dataset) -> xr.DataArray:
    import xarray as xr

    first, final = (
        each.astype(np.float64) for each in (done["kernel"].isel(record=0, drop=True), last(done["kernel"], done))
    )
    change = (final - first) / (first**2).sum(("i", "j"), skipna=False) ** 0.5
    columns = [change.isel(j=j, drop=True).rename(i="component") for j in range(change.sizes["j"])]
    return xr.concat(columns, "component").transpose("run", "component")


KERNEL_SHIFT: Final = Quantity(
    "kernel_shift",
    Reduction("final", _change, {"kernel": ("run", "record", "i", "j")}),
    "mean change of the kernel",
    "‖E (Θ_T − Θ_0)/‖Θ_0‖_F‖_F over seeds, on the train points",
    "theory.md §7 alpha",
    average="norm_of_means",
)

CLAIM: Final = Claim(
    "alpha",
    "The kernel of a centred network drifts by c₁δ/√m + c₂δ², δ = 1/(α m^(1−γ)), at fixed m: in each network by α^−1 "
    "at γ = 1/2; at γ = 1 by α^−2 until α ~ √m, and in the mean over seeds, where c₁ cancels, beyond.",
    (
        Evidence(
            "alpha",
            (
                Exponent(
                    KERNEL_DRIFT,
                    "sharp",
                    lambda s, _: _applies(s) and s.at(0.5),
                    lambda *_: 1.0,
                    _SOURCE,
                    axis="alpha",
                ),
            ),
            twin=_passed_off_as_centred,
            says_twin="networks whose f_0 is not subtracted",
            twin_job="alpha_uncentred",
        ),
        Evidence(
            "alpha_mean_field",
            (
                Exponent(
                    KERNEL_SHIFT,
                    "sharp",
                    lambda s, _: _applies(s) and s.at(1.0),
                    lambda *_: 2.0,
                    _SOURCE,
                    note="in a single network only for 1 ≪ α ≪ √m/6",
                    axis="alpha",
                ),
            ),
            twin=lambda sweep: _passed_off_as_centred(passed_off(sweep, 0.5, 1.0)),
            says_twin="networks whose f_0 is not subtracted, at γ = 1/2",
            twin_job="alpha_uncentred",
        ),
    ),
    source=_SOURCE,
)
