"""The ingredients of observables of networks. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweepengine.observe._record_cost import Ingredient

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Sizes:
    """The sizes that a record's cost depends on.

    Attributes
    ----------
    n, n_test : int
        Training and test points.
    d, width, depth, outputs : int
        d, m, L, k.
    """

    n: int
    n_test: int
    d: int
    width: int
    depth: int
    outputs: int = 1

    @property
    def hidden_weights(self) -> int:
        """Entries of W^0 … W^{L−1}."""
        return self.width * (self.d + self.width * (self.depth - 1))

    @property
    def pairs(self) -> int:
        """N k, the side of the full kernel."""
        return self.n * self.outputs


def _largest_layer(s: Sizes) -> float:
    return s.width * float(s.width if s.depth > 1 else s.d)


def _gram_flops(s: Sizes, rows: int, columns: int, signal_products: int) -> float:
    return 2.0 * rows * columns * s.width * s.depth * (1 + signal_products)


def _norm_flops(rows: int, columns: int) -> float:
    """Cost of an operator norm in float64, by products with a vector or, if a side is short, by a Gram matrix."""
    short = min(rows, columns)
    return min(4.0 * rows * columns * short + 12.0 * short**3, 2000.0 * rows * columns)


def _hessian_flops(s: Sizes) -> float:
    products = s.depth * (s.depth - 1) * (s.outputs + 1) - 2 * (s.depth - 1)
    return s.n * (s.width**3 * float(products) + 200.0 * s.outputs * s.width**2 * s.depth**2)


def _hessian_numbers(s: Sizes) -> float:
    point = s.outputs * float(s.width) ** 2
    return (2 * s.depth + 2) * min(s.n * point, max(point, 2.0**18)) if s.depth > 1 else 4.0 * s.pairs * s.width


def _float64_numbers(s: Sizes) -> float:
    """Numbers of the float64 copies of the networks now and at t = 0, and of their passes."""
    return 2.0 * s.hidden_weights + 2.0 * s.n * s.width * s.depth * (3 + s.outputs)


def _made(
    flops: Callable[[Sizes], float],
    held: Callable[[Sizes], float] = lambda _: 0.0,
    working: Callable[[Sizes], float] = lambda _: 0.0,
    part_of: Callable[[Sizes], Ingredient | None] = lambda _: None,
) -> Ingredient:
    """An ingredient whose memory is counted in numbers of 8 bytes."""
    return Ingredient(flops, held=lambda s: 8 * held(s), working=lambda s: 8 * working(s), part_of=part_of)


TEST = _made(lambda s: 2.0 * s.n_test * s.hidden_weights, held=lambda s: 2.0 * s.n_test * s.width * s.depth)
KERNEL_FULL = _made(
    lambda s: _gram_flops(s, s.n, s.n, s.outputs**2),
    held=lambda s: 2.0 * s.pairs**2,
    working=lambda s: 2.0 * s.pairs**2,
)
KERNEL = _made(
    lambda s: _gram_flops(s, s.n, s.n, s.outputs),
    held=lambda s: 3.0 * s.n**2,
    part_of=lambda s: KERNEL_FULL if s.outputs == 1 else None,
)
KERNEL_TEST_TRAIN = _made(
    lambda s: _gram_flops(s, s.n_test, s.n, s.outputs) + 2.0 * s.n_test * s.outputs * s.hidden_weights,
    held=lambda s: 2.0 * s.n_test * (s.n + s.outputs * s.width * s.depth),
)
EIGENVALUES = _made(lambda s: 4.0 * s.pairs**3, working=lambda s: 2.0 * s.pairs**2)
EIGENVALUES_OF_CHANGE = _made(lambda s: 4.0 * s.pairs**3, working=lambda s: 3.0 * s.pairs**2)
GRAMS = _made(lambda s: _gram_flops(s, s.n, s.n, s.outputs), held=lambda s: 4.0 * s.depth * s.n**2)
PREACTIVATIONS = _made(
    lambda s: s.n * (2.0 * s.hidden_weights + 150.0 * s.width * s.depth),
    held=lambda s: 3.0 * s.n * s.width * s.depth,
)
MOVEMENT = _made(lambda s: 200.0 * s.hidden_weights, working=lambda s: 3.0 * _largest_layer(s))
MOVEMENT_OP = _made(
    lambda s: _norm_flops(s.width, s.d) + (s.depth - 1) * _norm_flops(s.width, s.width),
    working=lambda s: 5.0 * _largest_layer(s),
)
PROJECTION = _made(
    lambda s: (
        s.depth * 80.0 * s.n * s.width * min(s.n, s.width)
        + 2.0 * s.pairs * s.width * (s.width * (s.depth - 1) + s.n * s.depth)
    ),
    working=lambda s: 4.0 * s.n * s.width + 2.0 * s.pairs * s.width,
)
LINEAR_PARAMS = _made(
    lambda s: 2.0 * s.n * s.hidden_weights, working=lambda s: s.hidden_weights + 2.0 * _largest_layer(s)
)
TANGENT = _made(
    lambda s: 24.0 * s.n * s.hidden_weights + 2000.0 * s.n * s.width * s.depth,
    held=_float64_numbers,
    working=lambda s: s.hidden_weights + 6.0 * s.n * s.width,
)
TAYLOR = _made(
    lambda s: 32.0 * s.n * s.hidden_weights + 3000.0 * s.n * s.width * s.depth,
    held=_float64_numbers,
    working=lambda s: 2.0 * s.hidden_weights + 6.0 * s.n * s.width,
)
TAYLOR_TENSOR = _made(
    lambda s: s.pairs * (s.pairs + 1) / 2 * (16.0 * s.n * s.hidden_weights + 1500.0 * s.n * s.width * s.depth),
    held=_float64_numbers,
    working=lambda s: 2.0 * s.hidden_weights + 6.0 * s.n * s.width + 3.0 * s.pairs**2,
)
HESSIAN = _made(_hessian_flops, working=_hessian_numbers)
