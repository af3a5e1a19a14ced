"""Memory of one run of particles: the clouds that stay, and the most that a step, a record or a draw adds to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sweepengine.spec import UserUnitSpec
from sweepengine.transport import EXACT_COUNT, exact_bytes

if TYPE_CHECKING:
    from sweepengine.spec import ParticleRun
    from sweepengine.store import BlockShape

_CHUNK = 2048
"""Particles of one chunk of a pass (``particles.Partition``)."""
_STATE_CLOUDS = 2
"""A state is packed once more before it is written, and what is buffered with it."""
_DEFECT_CLOUDS = 3
"""Velocity, step and the cloud after it, of the energy's defect."""
_WEAK_FORM_CLOUDS = 1
"""The cloud that is moved along a test function's gradient; all else is done chunk by chunk."""
_PASS_ARRAYS = 3
"""Arrays of a chunk's activations that are alive together."""
_DIFFERENTIATED_ARRAYS = 10
"""As much of a unit that is differentiated automatically; how many a user's function makes is not known."""
_FROM_START = {"displacement", "sliced_w2_start", "sliced_w2_start_error", "w2_start", "kernel_drift"}
_SLICED = {"sliced_w2_start", "sliced_w2_start_error"}
_TO_REFERENCE = {"sliced_w2_reference", "sliced_w2_reference_error", "w2_reference"}
_TOLD_AT_A_TIME = 26
"""Numbers a particle of the whole cloud while shards tell each other the places of two clouds along eight directions."""


def particle_memory(run: ParticleRun, shape: BlockShape, shards: int = 1, reference: int = 0) -> int:
    """Bytes beyond the libraries, of the one worker or of each shard's.

    Parameters
    ----------
    run : ParticleRun
    shape : BlockShape
        Of the run's block.
    shards : int
        Workers that share the run's particles.
    reference : int
        Particles of the cloud to which distances are measured.
    """
    names, item = {variable.name for variable in shape.variables}, np.dtype(run.precision).itemsize
    numbers = -(-run.width // shards) * shape.sizes["coord"]
    cloud, double = numbers * item, numbers * 8
    grid = shape.sizes.get("grid", 0)
    kept = cloud * (2 if names & _FROM_START else 1) + _references(run, shape, item)
    # Twice: its digest is taken of a copy, and in-process the driver has one of its own.
    kept += (2 * 8 * reference + (8 + item) * grid) * shape.sizes["coord"]
    passes = _pass_bytes(run, shape, item)
    record = [passes, _kernels(names, shape.sizes["i"])]
    if names & _SLICED:
        places = 4 if shards == 1 else _TOLD_AT_A_TIME
        record.append(places * 8 * run.width + (2 * double if item < 8 else 0))
    if names & _TO_REFERENCE:
        places = 2 if shards == 1 else _TOLD_AT_A_TIME
        record.append(8 * (places * run.width + 2 * reference) + (double if item < 8 else 0))
    if names & {"w2_start", "w2_reference"} and run.width <= EXACT_COUNT and shape.sizes["coord"] > 1:
        record.append(exact_bytes(run.width) + (2 * double if item < 8 else 0))
    if "weak_form_defect" in names:
        record.append(_WEAK_FORM_CLOUDS * cloud + passes)
    if "energy_defect" in names:
        record.append(_DEFECT_CLOUDS * cloud + passes)
    step = run.time_method.use("particles").held * cloud + passes
    draw = double if item < 8 else 0  # drawn in float64, then rounded
    snapshots = sum(variable.is_snapshot for variable in shape.variables) * len(run.snapshots)
    others = snapshots * (run.width * shape.sizes["coord"] * item - cloud)  # what other shards hold
    buffer = (shape.run_bytes() - others) * shape.chunk_runs
    gathered = "w2_reference" in names or ("w2_start" in names and run.width <= EXACT_COUNT)
    if shards > 1 and (gathered or run.has_pairs):
        # Pairs and assignments need every particle in one place, in float64 on the way there.
        kept += 4 * 8 * run.width * (shape.sizes["coord"] + 1)
    commit = _STATE_CLOUDS * cloud + buffer
    return kept + buffer + max(step, draw, commit, *record)


def _pass_bytes(run: ParticleRun, shape: BlockShape, item: int) -> int:
    """Arrays of one chunk against the points, and of a chunk of pairs."""
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


def _kernels(names: set[str], n: int) -> int:
    """Three N × N matrices of float64 while a kernel is made, and that of t = 0."""
    kernels = 3 * bool(names & {"kernel", "kernel_drift"}) + ("kernel_drift" in names)
    return kernels * 8 * n * n
