"""Seconds of a velocity of particles on one CPU thread, by what it does: products, passes, pairs, and calls.

The products follow the machine's rate (:class:`sweepengine.plan._cost.MachineRate`). The other constants were measured
in float32 on a CPU with AVX-512, by ``benchmarks/product.py estimates`` and its parts; float64 takes twice the memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sweepengine.activations import entry_of
from sweepengine.plan._particle_memory import CHUNK
from sweepengine.spec import UserUnitSpec

if TYPE_CHECKING:
    from sweepengine.plan._cost import MachineRate
    from sweepengine.spec import ParticleRun
    from sweepengine.store import BlockShape

_ENTRY = 2.5e-10
"""Seconds for a particle at a point, beside products and activation: reading the product, and the sums over either."""
_DIFFERENTIATED = 2e-8
"""The same with activation and products for a unit of the user's own: a guess, as its function is unknown."""
_CALLS = 9e-5
"""Seconds of the calls for one chunk of particles, in both passes of a risk together."""
_COORDINATE = 1e-9
"""Seconds for a coordinate of a particle in the force of a term without pairs, or in a step."""
_POTENTIAL_CALLS = 1e-5
"""Seconds of the calls of a term without pairs for one chunk of particles."""
_PAIR, _PAIR_COORDINATE = 3e-9, 1.7e-10
"""Seconds for a pair of particles in a force, and for each coordinate of it: half as much again in float64."""
_DRAW, _DRAWN_ROW = 2e-8, 6e-8
"""Seconds to draw one number, and for each particle whose numbers are drawn."""


def velocity_seconds(run: ParticleRun, shape: BlockShape, rate: MachineRate) -> float:
    """Seconds of one velocity of all particles.

    Parameters
    ----------
    run : ParticleRun
    shape : BlockShape
        Shape of the run's block.
    rate : MachineRate
    """
    m, p = run.width, shape.sizes["coord"]
    item, chunks = np.dtype(run.precision).itemsize / 4, -(-run.width // CHUNK)
    products, passes = 0.0, 0.0
    if run.has_risk:
        entries = m * shape.sizes["i"]
        products = 6.0 * entries * p / rate.flops  # h = w·x twice, and back to w
        passes += entries * _entry(run, item) + chunks * _CALLS
    for term in run.terms:
        if term.coupling == "pairs":
            pairs = m * (m + term.reference_points)
            passes += pairs * (_PAIR + p * _PAIR_COORDINATE) * (1 + item) / 2
        elif not term.needs_data:
            passes += m * p * _COORDINATE * item + chunks * _POTENTIAL_CALLS
    return products + passes * rate.passes


def _entry(run: ParticleRun, item: float) -> float:
    """Seconds for a particle at a point beside the products: φ alone, and φ with φ'."""
    if run.unit is None or isinstance(run.unit, UserUnitSpec):
        return _DIFFERENTIATED * item
    times = entry_of(run.unit.activation).times(run.precision)
    return _ENTRY * item + (times.alone + times.sloped) * 1e-9


def step_seconds(run: ParticleRun, shape: BlockShape, rate: MachineRate) -> float:
    """Seconds of one step beside its velocities: the noise, and the passes that move the particles."""
    m, p, method = run.width, shape.sizes["coord"], run.time_method
    noise = method.noise * draw_seconds(m, p, rate) if run.temperature > 0 else 0.0
    return noise + method.velocities * m * p * _COORDINATE * rate.passes * np.dtype(run.precision).itemsize / 4


def draw_seconds(m: int, p: int, rate: MachineRate) -> float:
    """Seconds to draw p Gaussians for each of m particles."""
    return m * (p * _DRAW + _DRAWN_ROW) * rate.passes
