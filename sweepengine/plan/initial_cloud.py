"""Initial particles of a run, and the grid of its first variation. Imports torch."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import torch

from sweepengine.data import Given
from sweepengine.errors import SpecError
from sweepengine.networks import initialise
from sweepengine.particles import ball, gaussian_cloud, sphere
from sweepengine.spec import Architecture, UnitSpec

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.spec import ParticleRun

DRAWN_POINTS = 512
"""Points of the grid if a spec gives no grid."""
MOST_POINTS = 100_000
_LAST_SEED = 2**63 - 1


def initial_cloud(run: ParticleRun, d: int, seed: int, rows: range) -> Tensor:
    """Draw particles of a run's initial law, and project them as the run does.

    The particles are independent. A particle depends on the seed and on its own number alone.

    Parameters
    ----------
    run : ParticleRun
    d : int
        Input dimension.
    seed : int
    rows : range
        Numbers of the particles.

    Returns
    -------
    Tensor, shape (len(rows), p)
        In the run's precision.
    """
    cloud = _drawn(run, d, seed, rows)
    project(run, cloud)
    return cloud


def project(run: ParticleRun, cloud: Tensor) -> None:
    """Project particles in place on the sphere or ball of a run; without a projection leave them as they are."""
    to = run.projection
    if to is not None:
        (sphere if to.to == "sphere" else ball)(to.radius)(cloud)


def grid_of(run: ParticleRun, d: int) -> Given:
    """The points at which the first variation of a run is taken; they are the same for all runs of a sweep.

    Raises
    ------
    SpecError
        The lattice of the spec has too many points.
    """
    lattice, p = run.grid, len(run.coordinates(d))
    if lattice is None:
        points = initial_cloud(run, d, _LAST_SEED, range(DRAWN_POINTS)).numpy().astype(np.float64)
        return Given("grid", run.grid_id, {"points": points})
    # In logarithms, as p may be in the thousands.
    if p * np.log10(lattice.count) > np.log10(MOST_POINTS):
        raise SpecError(
            f"grid.count: found {lattice.count} in each of {p} coordinates, which is more than {MOST_POINTS} points; "
            f"take fewer, or leave grid out for {DRAWN_POINTS} draws of the initial law"
        )
    line = np.linspace(lattice.low, lattice.high, lattice.count)
    return Given("grid", run.grid_id, {"points": np.array(list(itertools.product(line, repeat=p)))})


def _drawn(run: ParticleRun, d: int, seed: int, rows: range) -> Tensor:
    law, names = run.initial, run.coordinates(d)
    if law.law == "network":
        return _network(run, d, seed, rows.stop)[rows.start :]
    cloud = gaussian_cloud(seed, len(rows), len(names), first=rows.start)
    apart = law.output != "alike" or law.output_scale is not None
    inner = cloud[:, : len(names) - 1] if apart else cloud
    if law.law == "sphere":
        inner /= torch.linalg.vector_norm(inner, dim=1, keepdim=True)
    inner.mul_(law.scale).add_(law.mean)
    if apart:
        weight, scale = cloud[:, -1], law.scale if law.output_scale is None else law.output_scale
        if law.output == "zeros":
            weight.zero_()
        else:
            weight.copy_(weight.sign() * scale if law.output == "signs" else weight * scale + law.mean)
    return cloud.to(getattr(torch, run.precision))


def _network(run: ParticleRun, d: int, seed: int, count: int) -> Tensor:
    """Particles (w, b, a): the neurons of the network of this seed (theory.md §1.1), with all weights N(0, 1)."""
    bias = isinstance(run.unit, UnitSpec) and run.unit.bias
    architecture = Architecture(1, "relu", sigma_w=1.0, sigma_b=float(bias), sigma_a=1.0)
    parameters = initialise(architecture, count, d, seed, getattr(torch, run.precision))
    return torch.cat([*parameters.layer_matrices()[:1], parameters.readout.reshape(count, 1)], dim=1)
