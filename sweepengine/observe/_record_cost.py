"""What a record costs: the ingredients of its observables, each counted once. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def _nothing(_: Any) -> int:
    return 0


@dataclass(frozen=True)
class Ingredient:
    """Something that observables are made of. Its functions take the sizes that a kind of sweep has.

    Attributes
    ----------
    flops : callable
        Sizes → operations of matrix products in the run's precision that take the time of this: products themselves
        exactly; decompositions, passes over arrays and products in float64 by what they measured on one CPU thread.
    seconds : callable
        Sizes → seconds of what no rate of products says anything about, such as sorting.
    kept : callable
        Sizes → bytes that stay from the first record to the last.
    held : callable
        Sizes → bytes that stay until the record is done.
    working : callable
        Sizes → bytes that are alive only while it is made.
    part_of : callable
        Sizes → another ingredient that has this one in it, or None. Where the other is needed too, this costs nothing.
    """

    flops: Callable[[Any], float] = _nothing
    seconds: Callable[[Any], float] = _nothing
    kept: Callable[[Any], float] = _nothing
    held: Callable[[Any], float] = _nothing
    working: Callable[[Any], float] = _nothing
    part_of: Callable[[Any], Ingredient | None] = lambda _: None


FREE: tuple[Ingredient, ...] = ()
"""The cost of what needs only sums over arrays that a step or every record has made."""


class RecordCost(NamedTuple):
    """Cost of a record of one run.

    Attributes
    ----------
    flops, seconds : float
        See :class:`Ingredient`.
    kept : float
        Bytes that stay from the first record to the last.
    bytes : float
        Bytes that are alive at once during a record, beyond the parameters and the passes of a step: all that is held,
        and the working memory of the largest ingredient.
    """

    flops: float
    seconds: float
    kept: float
    bytes: float


def record_cost(ingredients: Iterable[Ingredient], sizes: Any) -> RecordCost:
    """Cost of one record, beside what every step and record makes.

    Parameters
    ----------
    ingredients : iterable of Ingredient
        Of all the observables; what several need may come several times and is counted once.
    sizes : Sizes or CloudSizes
        Those of the observables' kind.
    """
    needed = dict.fromkeys(ingredients)
    chosen = [each for each in needed if each.part_of(sizes) not in needed]
    return RecordCost(
        flops=sum(each.flops(sizes) for each in chosen),
        seconds=sum(each.seconds(sizes) for each in chosen),
        kept=sum(each.kept(sizes) for each in chosen),
        bytes=sum(each.held(sizes) for each in chosen) + max((each.working(sizes) for each in chosen), default=0),
    )
