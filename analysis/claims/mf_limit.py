"""Propagation of chaos: in the mean field a cloud of m particles tends to the one of infinitely many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.analysis._claim import BySweep, Claim, Exponent
from sweepengine.analysis._of_particles import CHAOS_OUTPUTS, CHAOS_PARTICLES

if TYPE_CHECKING:
    import xarray as xr


def _of_another_seed(sweep: xr.Dataset) -> xr.Dataset:
    """The widest clouds under other seeds: particles that share neither start nor noise do not come together."""
    width, seed = sweep["width"].values, sweep["seed"].values
    seeds = np.unique(seed)
    following = seeds[(np.searchsorted(seeds, seed) + 1) % seeds.size]
    return sweep.assign_coords(seed=("run", np.where(width == width.max(), following, seed)))


CLAIM: Final = Claim(
    "mf-limit",
    "Outputs and particles of clouds that begin alike are m^−1/2 from those of the widest, divided by √(1 − m/M).",
    BySweep(
        "particles",
        (
            Exponent(
                CHAOS_OUTPUTS,
                "sharp",
                lambda s, _: s.has_outputs,
                lambda *_: 0.5,
                "S4 §4",
                note="trial read −0.51",
            ),
            Exponent(
                CHAOS_PARTICLES,
                "sharp",
                lambda s, _: s.couples,
                lambda *_: 0.5,
                "S4 §4",
                note="trial read −0.49",
            ),
        ),
        twin=_of_another_seed,
        of="particles",
    ),
)
