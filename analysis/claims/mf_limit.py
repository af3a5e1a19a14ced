"""Propagation of chaos: in the mean-field scaling a cloud of m particles tends to an infinite cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.analysis._claim import Claim, Evidence, passed_off
from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._of_particles import CHAOS_OUTPUTS, CHAOS_PARTICLES

if TYPE_CHECKING:
    import xarray as xr


def _of_another_seed(sweep: xr.Dataset) -> xr.Dataset:
    """Give the widest runs other seeds: particles that share neither start nor noise do not come together."""
    width, seed = sweep["width"].values, sweep["seed"].values
    seeds = np.unique(seed)
    following = seeds[(np.searchsorted(seeds, seed) + 1) % seeds.size]
    return sweep.assign_coords(seed=("run", np.where(width == width.max(), following, seed)))


CLAIM: Final = Claim(
    "mf-limit",
    "The distance of the outputs and particles of a cloud of m from those of the widest cloud M, which begins with the "
    "same particles, divided by √(1 − m/M), is m^−1/2; so are the outputs of networks with one hidden layer at γ = 1.",
    (
        Evidence(
            "particles",
            (
                Exponent(
                    CHAOS_OUTPUTS,
                    "sharp",
                    lambda s, _: s.has_outputs,
                    lambda *_: 0.5,
                    "Mei et al. 2018; Wide-network notes, §4",
                ),
                Exponent(
                    CHAOS_PARTICLES,
                    "sharp",
                    lambda s, _: s.couples,
                    lambda *_: 0.5,
                    "Mei et al. 2018; Wide-network notes, §4",
                ),
            ),
            twin=_of_another_seed,
            of="particles",
            says_twin="particles compared with the widest cloud of another seed",
            anywhere=True,
        ),
        Evidence(
            "chaos",
            (
                Exponent(
                    CHAOS_OUTPUTS,
                    "sharp",
                    lambda s, _: s.at(1.0) and s.depth == 1 and s.balanced,
                    lambda *_: 0.5,
                    "Mei et al. 2018; Wide-network notes, §4",
                ),
            ),
            twin=lambda sweep: passed_off(sweep, 0.5, 1.0),
            says_twin="runs at γ = 0.5 passed off as γ = 1",
        ),
    ),
    source="Mei et al. 2018; Wide-network notes, §4",
)
