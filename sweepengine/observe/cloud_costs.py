"""The ingredients of observables of particles. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweepengine.observe._record_cost import Ingredient
from sweepengine.transport import EXACT_COUNT, exact_bytes, exact_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

TEST_FUNCTIONS = ("sum", "last", "square", "sine", "bump")
"""Test functions of ``weak_form_defect``: names in :data:`sweepengine.particles.TEST_FUNCTIONS`."""
_SLICED, _SLICED_COORDINATE = 1e-6, 4e-8
"""Seconds for each particle, and for each coordinate, to project two clouds on a hundred directions and sort them."""
_MOVED = 0.12
"""Time of an assignment of particles to where they began over that of one to unrelated particles; measured 0.08
to 1."""
_OUTPUTS = 0.4
"""Time of the outputs, or of the functional, over that of a velocity, which begins with them."""
_MOMENT = 4e-9
"""Seconds for each coordinate of each particle, to sum the moments of a cloud in float64."""
_TOLD_AT_A_TIME = 26
"""Numbers for each particle of the whole cloud, while shards exchange the projections of two clouds on 8 directions."""


@dataclass(frozen=True)
class CloudSizes:
    """The sizes that the cost of a record of particles depends on. A worker holds one shard of the particles.

    Attributes
    ----------
    width, coordinates : int
        Particles m of all shards; coordinates p.
    n, n_test : int
        Training points; test points.
    grid, reference : int
        Number of points of the first variation; number of particles of the reference cloud. 0 if there is none.
    shards : int
        Number of workers that share the particles of a run.
    item : int
        Bytes of a number in the run's precision.
    velocity_flops : float
        Time of one velocity of all particles in floating-point operations, as :class:`Ingredient` counts them.
    pass_bytes : int
        Bytes of the arrays of one pass over the particles.
    """

    width: int
    coordinates: int
    n: int
    n_test: int
    grid: int
    reference: int
    shards: int
    item: int
    velocity_flops: float
    pass_bytes: int

    @property
    def numbers(self) -> int:
        """Number of coordinates of all particles of a shard."""
        return -(-self.width // self.shards) * self.coordinates

    @property
    def cloud(self) -> int:
        """Bytes of a shard's particles."""
        return self.numbers * self.item

    def doubles(self, copies: int) -> int:
        """Bytes of ``copies`` float64 copies of a shard's particles; 0 if the particles are in float64 already."""
        return copies * 8 * self.numbers if self.item < 8 else 0

    @property
    def whole(self) -> int:
        """Bytes to gather all particles in one place, in float64 on the way; 0 if one shard holds them all."""
        return 4 * 8 * self.width * (self.coordinates + 1) if self.shards > 1 else 0

    @property
    def assigns(self) -> bool:
        """Whether an exact distance needs an assignment of particles that is affordable."""
        return self.coordinates > 1 and self.width <= EXACT_COUNT

    def places(self, alone: int) -> int:
        """Bytes of the projections of all particles on directions; one shard has ``alone`` numbers a particle."""
        return (alone if self.shards == 1 else _TOLD_AT_A_TIME) * 8 * self.width


def _assignment(share: float) -> Ingredient:
    """One assignment, which takes a share of the time of one of unrelated clouds."""
    return Ingredient(
        seconds=lambda s: share * exact_seconds(s.width) if s.assigns else 0.0,
        working=lambda s: exact_bytes(s.width) + s.doubles(2) if s.assigns else 0,
    )


def _sliced(s: CloudSizes, particles: int) -> float:
    return particles * (_SLICED + _SLICED_COORDINATE * s.coordinates)


def _at_the_grid() -> Ingredient:
    return Ingredient(lambda s: s.velocity_flops * (_OUTPUTS + s.grid / s.width))


def _kernels(count: int, flops: Callable[[CloudSizes], float] = lambda _: 0.0) -> Ingredient:
    """``count`` N × N matrices of float64 at once."""
    return Ingredient(flops, working=lambda s: count * 8 * s.n**2)


START = Ingredient(kept=lambda s: s.cloud)
WHOLE = Ingredient(kept=lambda s: s.whole)
WHOLE_IF_AFFORDABLE = Ingredient(
    kept=lambda s: s.whole if s.width <= EXACT_COUNT else 0, part_of=lambda _: WHOLE
)  # fmt: skip
SLICED_START = Ingredient(
    seconds=lambda s: _sliced(s, s.width), working=lambda s: s.places(4) + s.doubles(2)
)  # fmt: skip
SLICED_REFERENCE = Ingredient(seconds=lambda s: _sliced(s, max(s.width, s.reference)))
REFERENCE_PLACES = Ingredient(working=lambda s: s.places(2) + 16 * s.reference + s.doubles(1))
ASSIGNMENT_TO_START, ASSIGNMENT_TO_REFERENCE = _assignment(_MOVED), _assignment(1.0)
FIRST_VARIATION, LEAST_FIRST_VARIATION = _at_the_grid(), _at_the_grid()
KERNEL = _kernels(3, lambda s: 4.0 * s.width * s.n**2)
KERNEL_OF_START = _kernels(4)
"""The kernel at t = 0, held while the kernel is made."""
EULER_STEP = Ingredient(
    lambda s: (1 + _OUTPUTS) * s.velocity_flops, working=lambda s: 3 * s.cloud + s.pass_bytes
)  # fmt: skip
"""The velocity, the step, and the functional of the cloud after the step."""
VELOCITY = Ingredient(lambda s: s.velocity_flops)
OUTPUTS = Ingredient(lambda s: _OUTPUTS * s.velocity_flops)
TEST_OUTPUTS = Ingredient(lambda s: _OUTPUTS * s.velocity_flops * s.n_test / s.n)
SHARES = Ingredient(lambda s: 2 * _OUTPUTS * s.velocity_flops)
"""What each particle adds to the outputs, as arrays of its own."""
MOMENTS = Ingredient(seconds=lambda s: _MOMENT * s.numbers)
WEAK_FORM = Ingredient(
    # The velocity; and for every test function F₀ on both sides, each value for a part of a velocity.
    lambda s: (1 + 2 * _OUTPUTS * len(TEST_FUNCTIONS)) * s.velocity_flops,
    # The cloud that is moved along a test function's gradient; all else is done chunk by chunk.
    working=lambda s: s.cloud + s.pass_bytes,
)
