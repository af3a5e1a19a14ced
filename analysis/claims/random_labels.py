"""Wide networks fit random labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sweepengine.analysis._claim import Claim, Evidence
from sweepengine.analysis._levels import Inequality
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import Reduction, last

if TYPE_CHECKING:
    import xarray as xr

    from sweepengine.analysis._setting import Setting


def _loss(done: xr.Dataset, _: xr.Dataset) -> xr.DataArray:
    return last(done["loss_train"], done) / done["loss_train"].isel(record=0, drop=True)


def _errors(done: xr.Dataset, _: xr.Dataset) -> xr.DataArray:
    return 1 - last(done["accuracy_train"], done)


def _is_lazy(setting: Setting, _: str) -> bool:
    return setting.at(0.5) and setting.balanced


LOSS: Final = Quantity(
    "loss_fall",
    Reduction("final", _loss, {"loss_train": ("run", "record")}),
    "final train loss over the initial one",
    "R_T / R_0 on the train points",
    "theory.md §7 random-labels",
    fitted=False,
)
ERRORS: Final = Quantity(
    "labels_missed",
    Reduction("final", _errors, {"accuracy_train": ("run", "record")}),
    "share of train labels that are missed",
    "share of train points with sign f(x) ≠ sign y at the last record",
    "theory.md §7 random-labels",
    fitted=False,
)


def narrowest(sweep: xr.Dataset) -> xr.Dataset:
    """The runs of the smallest width: a twin for claims about wide networks."""
    import numpy as np

    width = sweep["width"].values
    return sweep.isel(run=np.flatnonzero(width == width.min()))


CLAIM: Final = Claim(
    "random-labels",
    "Wide networks fit random labels: the final train loss → 0 for every seed.",
    (
        Evidence(
            "random_labels",
            (
                Inequality(
                    LOSS,
                    _is_lazy,
                    "≤",
                    lambda *_: 1e-6,
                    source="Zhang et al. 2017; Wide-network notes, §3.2",
                    runs="the widest",
                ),
                Inequality(
                    ERRORS,
                    _is_lazy,
                    "≤",
                    lambda *_: 0.0,
                    source="Zhang et al. 2017; Wide-network notes, §3.2",
                    runs="the widest",
                ),
            ),
            twin=narrowest,
            says_twin="networks of four neurons",
        ),
    ),
    source="Zhang et al. 2017; Wide-network notes, §3.2",
)
