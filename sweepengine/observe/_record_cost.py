"""What a record costs: the ingredients that its variables need, each counted once. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sweepengine.observe._variable import Variable


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


class RecordCost(NamedTuple):
    """Cost of a record.

    Attributes
    ----------
    flops : float
        Operations of matrix products that take its time; see :class:`Ingredient`.
    numbers : float
        Numbers of 8 bytes that are alive at once, beyond the parameters and the passes of a step.
    """

    flops: float
    numbers: float


@dataclass(frozen=True)
class Ingredient:
    """Something that variables are made of.

    Attributes
    ----------
    flops : callable
        Sizes → operations of matrix products in the run's precision that take the time of this: products themselves
        exactly; decompositions, passes over arrays and products in float64 by what they measured on one CPU thread.
    held : callable
        Sizes → numbers of 8 bytes that stay until the record is done.
    working : callable
        Sizes → numbers of 8 bytes that are alive only while it is made.
    """

    flops: Callable[[Sizes], float]
    held: Callable[[Sizes], float] = lambda _: 0.0
    working: Callable[[Sizes], float] = lambda _: 0.0


def _largest_layer(s: Sizes) -> float:
    return s.width * float(s.width if s.depth > 1 else s.d)


def _gram_flops(s: Sizes, rows: int, columns: int, signal_products: int) -> float:
    return 2.0 * rows * columns * s.width * s.depth * (1 + signal_products)


def _norm_flops(rows: int, columns: int) -> float:
    """An operator norm in float64: products with a vector, which memory limits; of a short side its Gram matrix."""
    short = min(rows, columns)
    return min(4.0 * rows * columns * short + 12.0 * short**3, 2000.0 * rows * columns)


def _hessian_flops(s: Sizes) -> float:
    products = s.depth * (s.depth - 1) * (s.outputs + 1) - 2 * (s.depth - 1)
    return s.n * (s.width**3 * float(products) + 200.0 * s.outputs * s.width**2 * s.depth**2)


def _hessian_numbers(s: Sizes) -> float:
    each = s.outputs * float(s.width) ** 2
    return (2 * s.depth + 2) * min(s.n * each, max(each, 2.0**18)) if s.depth > 1 else 4.0 * s.pairs * s.width


def _float64_numbers(s: Sizes) -> float:
    """A copy of the networks at both ends, and its passes."""
    return 2.0 * s.hidden_weights + 2.0 * s.n * s.width * s.depth * (3 + s.outputs)


INGREDIENTS: dict[str, Ingredient] = {
    "test": Ingredient(lambda s: 2.0 * s.n_test * s.hidden_weights, held=lambda s: 2.0 * s.n_test * s.width * s.depth),
    "kernel": Ingredient(lambda s: _gram_flops(s, s.n, s.n, s.outputs), held=lambda s: 3.0 * s.n**2),
    "kernel_full": Ingredient(
        lambda s: _gram_flops(s, s.n, s.n, s.outputs**2),
        held=lambda s: 2.0 * s.pairs**2,
        working=lambda s: 2.0 * s.pairs**2,
    ),
    "kernel_test_train": Ingredient(
        lambda s: _gram_flops(s, s.n_test, s.n, s.outputs) + 2.0 * s.n_test * s.outputs * s.hidden_weights,
        held=lambda s: 2.0 * s.n_test * (s.n + s.outputs * s.width * s.depth),
    ),
    "eigenvalues": Ingredient(lambda s: 4.0 * s.pairs**3, working=lambda s: 2.0 * s.pairs**2),
    "eigenvalues_of_change": Ingredient(lambda s: 4.0 * s.pairs**3, working=lambda s: 3.0 * s.pairs**2),
    "grams": Ingredient(lambda s: _gram_flops(s, s.n, s.n, s.outputs), held=lambda s: 4.0 * s.depth * s.n**2),
    "preactivations": Ingredient(
        lambda s: s.n * (2.0 * s.hidden_weights + 150.0 * s.width * s.depth),
        held=lambda s: 3.0 * s.n * s.width * s.depth,
    ),
    "movement": Ingredient(lambda s: 200.0 * s.hidden_weights, working=lambda s: 3.0 * _largest_layer(s)),
    "movement_op": Ingredient(
        lambda s: _norm_flops(s.width, s.d) + (s.depth - 1) * _norm_flops(s.width, s.width),
        working=lambda s: 5.0 * _largest_layer(s),
    ),
    "projection": Ingredient(
        lambda s: (
            s.depth * 80.0 * s.n * s.width * min(s.n, s.width)
            + 2.0 * s.pairs * s.width * (s.width * (s.depth - 1) + s.n * s.depth)
        ),
        working=lambda s: 4.0 * s.n * s.width + 2.0 * s.pairs * s.width,
    ),
    "linear_params": Ingredient(
        lambda s: 2.0 * s.n * s.hidden_weights, working=lambda s: s.hidden_weights + 2.0 * _largest_layer(s)
    ),
    "tangent": Ingredient(
        lambda s: 24.0 * s.n * s.hidden_weights + 2000.0 * s.n * s.width * s.depth,
        held=_float64_numbers,
        working=lambda s: s.hidden_weights + 6.0 * s.n * s.width,
    ),
    "taylor": Ingredient(
        lambda s: 32.0 * s.n * s.hidden_weights + 3000.0 * s.n * s.width * s.depth,
        held=_float64_numbers,
        working=lambda s: 2.0 * s.hidden_weights + 6.0 * s.n * s.width,
    ),
    "hessian": Ingredient(_hessian_flops, working=_hessian_numbers),
}
"""By the name that :attr:`Variable.needs` uses. Whatever needs only sums over the step's own arrays has no ingredient."""


def record_cost(variables: Iterable[Variable], sizes: Sizes) -> RecordCost:
    """Cost of one record of these variables for one network, beside the forward and backward pass that a step makes.

    What several variables need is counted once; working memory is that of the largest ingredient.
    """
    needed = dict.fromkeys(need for variable in variables for need in variable.needs)
    if sizes.outputs == 1 and "kernel_full" in needed:
        needed.pop("kernel", None)  # they are one
    chosen = [INGREDIENTS[need] for need in needed]
    return RecordCost(
        flops=sum(each.flops(sizes) for each in chosen),
        numbers=sum(each.held(sizes) for each in chosen) + max((each.working(sizes) for each in chosen), default=0.0),
    )
