"""Memory of one run of particles: the clouds that stay, and the most that a step, a record or a draw adds to them."""

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

_CHUNK = 2048
"""Particles of one chunk of a pass (``particles.Partition``)."""
_STATE_CLOUDS = 2
"""A state is packed once more before it is written, and what is buffered with it."""
_PASS_ARRAYS = 3
"""Arrays of a chunk's activations that are alive together."""
_DIFFERENTIATED_ARRAYS = 10
"""As much of a unit that is differentiated automatically; how many a user's function makes is not known."""


def particle_memory(run: ParticleRun, shape: BlockShape, sizes: CloudSizes) -> int:
    """Bytes beyond the libraries, of the one worker or of each shard's.

    Parameters
    ----------
    run : ParticleRun
    shape : BlockShape
        Of the run's block.
    sizes : CloudSizes
        Those of the run and of the sweep.
    """
    cloud, item = sizes.cloud, sizes.item
    paired = (WHOLE,) if run.has_pairs else ()
    cost = record_cost((*ingredients_of(run), *paired), sizes)
    kept = cloud + int(cost.kept) + _references(run, shape, item)
    # Twice: its digest is taken of a copy, and in-process the driver has one of its own.
    kept += (2 * 8 * sizes.reference + (8 + item) * sizes.grid) * sizes.coordinates
    step = run.time_method.use("particles").held * cloud + sizes.pass_bytes
    draw = sizes.doubles(1)  # drawn in float64, then rounded
    snapshots = sum(variable.is_snapshot for variable in shape.variables) * len(run.snapshots)
    others = snapshots * (run.width * shape.sizes["coord"] * item - cloud)  # what other shards hold
    buffer = (shape.run_bytes() - others) * shape.chunk_runs
    commit = _STATE_CLOUDS * cloud + buffer
    return kept + buffer + max(step, draw, commit, int(cost.bytes))


def pass_bytes(run: ParticleRun, shape: BlockShape) -> int:
    """Arrays of one chunk against the points, and of a chunk of pairs."""
    item = np.dtype(run.precision).itemsize
    chunk = min(_CHUNK, max(run.width, shape.sizes.get("grid", 0)))
    points = max(shape.sizes["i"], shape.sizes["test"]) if run.has_risk else 0
    pairs = run.has_pairs
    # A pairwise term copies the particles, which move while it is used.
    copies = run.width * shape.sizes["coord"] * item if pairs else 0
    arrays = _DIFFERENTIATED_ARRAYS if isinstance(run.unit, UserUnitSpec) else _PASS_ARRAYS
    return arrays * chunk * (points + (_CHUNK if pairs else 0)) * item + copies


def _references(run: ParticleRun, shape: BlockShape, item: int) -> int:
    """The fixed points of discrepancies, drawn in float64."""
    count = max(term.reference_points for term in run.terms)
    return count * shape.sizes["coord"] * (item + 8)
