"""Memory of one run of particles: the clouds that stay, and the most that a step, a record, a draw or a commit adds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sweepengine.observe import ingredients_of, record_cost
from sweepengine.observe.cloud_costs import WHOLE
from sweepengine.spec import UserUnitSpec

if TYPE_CHECKING:
    from sweepengine.observe import CloudSizes
    from sweepengine.spec import ParticleRun
    from sweepengine.store import BlockShape

CHUNK = 2048
"""Particles of one chunk of a pass (``particles.Partition``)."""
_STATE_CLOUDS = 2
"""Clouds in the copies that a commit makes of a state before it writes it; the buffer is copied with them."""
_PASS_ARRAYS = 3
"""Arrays of the activations of a chunk that exist at the same time."""
_DIFFERENTIATED_ARRAYS = 10
"""The same for a unit that is differentiated automatically: a guess, as the arrays of a user's function are unknown."""


def particle_memory(run: ParticleRun, shape: BlockShape, sizes: CloudSizes) -> int:
    """Bytes of one run beyond the libraries, for its worker, or for the worker of each shard.

    Parameters
    ----------
    run : ParticleRun
    shape : BlockShape
        Shape of the run's block.
    sizes : CloudSizes
        Sizes of the run and of the sweep.
    """
    cloud, item = sizes.cloud, sizes.item
    paired = (WHOLE,) if run.has_pairs else ()
    cost = record_cost((*ingredients_of(run), *paired), sizes)
    kept = cloud + int(cost.kept) + _references(run, shape, item)
    # The reference twice: its digest is taken of a copy, and in-process the driver has its own.
    kept += (2 * 8 * sizes.reference + (8 + item) * sizes.grid) * sizes.coordinates
    step = run.time_method.use("particles").held * cloud + sizes.pass_bytes
    draw = sizes.doubles(1)  # drawn in float64, then rounded
    snapshots = sum(variable.is_snapshot for variable in shape.variables) * len(run.snapshots)
    elsewhere = snapshots * (run.width * shape.sizes["coord"] * item - cloud)  # held by other shards
    buffer = (shape.run_bytes() - elsewhere) * shape.chunk_runs
    commit = _STATE_CLOUDS * cloud + buffer
    return kept + buffer + max(step, draw, commit, int(cost.bytes))


def pass_bytes(run: ParticleRun, shape: BlockShape) -> int:
    """Bytes of the arrays of one chunk of particles with the points, and with a chunk of other particles for pairs."""
    item = np.dtype(run.precision).itemsize
    chunk = min(CHUNK, max(run.width, shape.sizes.get("grid", 0)))
    points = max(shape.sizes["i"], shape.sizes["test"]) if run.has_risk else 0
    pairs = run.has_pairs
    # A pairwise term copies the particles, which move while it is used.
    copies = run.width * shape.sizes["coord"] * item if pairs else 0
    arrays = _DIFFERENTIATED_ARRAYS if isinstance(run.unit, UserUnitSpec) else _PASS_ARRAYS
    return arrays * chunk * (points + (CHUNK if pairs else 0)) * item + copies


def _references(run: ParticleRun, shape: BlockShape, item: int) -> int:
    """Bytes of the fixed points of discrepancies, which are drawn in float64."""
    count = max(term.reference_points for term in run.terms)
    return count * shape.sizes["coord"] * (item + 8)
