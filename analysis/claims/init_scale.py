"""The size of the output at t = 0 in the NTK scaling, for the read-outs a = ±1 and a = 1 (theory.md §1.2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.analysis._claim import Claim, Evidence
from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._of_networks import KERNEL_DRIFT
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import Reduction

if TYPE_CHECKING:
    import xarray as xr


def _mean_square(done: xr.Dataset, _: xr.Dataset) -> xr.DataArray:
    start = done["outputs_train"].isel(record=0, drop=True).astype(np.float64)
    squares: xr.DataArray = (start**2).mean([dim for dim in start.dims if dim != "run"], skipna=False)
    return squares


def _with_readout(sweep: xr.Dataset, readout: str) -> xr.Dataset:
    """The same runs, labelled as networks with another read-out."""
    network = json.loads(sweep.attrs["network"]) | {"readout": readout}
    return sweep.assign_attrs(network=json.dumps(network))


START: Final = Quantity(
    "output_start",
    Reduction("initial", _mean_square, {"outputs_train": ("run", "record", "i")}),
    "size of the output at t = 0",
    "mean over train points of f_0², uncentred; its mean over seeds is E f_0²",
    "theory.md §7 init-scale",
)

CLAIM: Final = Claim(
    "init-scale",
    "At γ = 1/2 E f_0² is O(1) for a = ±1; for a = 1 it is m for relu and O(1) for an odd activation without biases, "
    "and relu with a = 1 is not lazy: its kernel drifts by O(1).",
    (
        Evidence(
            "init_scale_signs",
            (
                Exponent(
                    START,
                    "sharp",
                    lambda s, _: s.readout == "signs",
                    lambda *_: 0.0,
                    "Wide-network notes, §3.3 and §3.8",
                ),
            ),
            twin=lambda sweep: _with_readout(sweep, "signs"),
            says_twin="a = 1 passed off as a = ±1",
            twin_job="init_scale_ones",
        ),
        Evidence(
            "init_scale_ones",
            (
                Exponent(
                    START,
                    "sharp",
                    lambda s, _: s.readout == "ones",
                    lambda s, _: 0.0 if s.balanced else -1.0,
                    "Wide-network notes, §3.8",
                ),
                Exponent(
                    KERNEL_DRIFT,
                    "sharp",
                    lambda s, _: s.readout == "ones" and not s.balanced,
                    lambda *_: 0.0,
                    "theory.md §7 init-scale",
                ),
            ),
            twin=lambda sweep: _with_readout(sweep, "ones"),
            says_twin="a = ±1 passed off as a = 1",
            twin_job="init_scale_signs",
        ),
    ),
    source="Wide-network notes, §3.3 and §3.8",
)
