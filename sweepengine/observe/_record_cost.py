"""The cost of a record: that of the ingredients of its observables, each counted once. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def _nothing(_: Any) -> int:
    return 0


@dataclass(frozen=True)
class Ingredient:
    """An intermediate quantity from which observables are computed, with its cost.

    The functions take the sizes of a kind of sweep, such as :class:`sweepengine.observe.Sizes`.

    Attributes
    ----------
    flops : callable
        Sizes → time of the ingredient in floating-point operations, at the rate of matrix products in the run's
        precision. Products count exactly; decompositions, passes over arrays and products in float64 count as many
        operations as their time on one CPU thread was measured to be worth.
    seconds : callable
        Sizes → seconds of work whose time does not follow the rate of products, such as sorting.
    kept : callable
        Sizes → bytes that stay from the first record to the last.
    held : callable
        Sizes → bytes that stay until the record is done.
    working : callable
        Sizes → bytes that are used only while the ingredient is made.
    part_of : callable
        Sizes → another ingredient that contains this one, or None. If that ingredient is needed too, this one is free.
    """

    flops: Callable[[Any], float] = _nothing
    seconds: Callable[[Any], float] = _nothing
    kept: Callable[[Any], float] = _nothing
    held: Callable[[Any], float] = _nothing
    working: Callable[[Any], float] = _nothing
    part_of: Callable[[Any], Ingredient | None] = lambda _: None


FREE: tuple[Ingredient, ...] = ()
"""The cost of an observable that needs only sums over arrays that a step or every record has made."""


class RecordCost(NamedTuple):
    """Cost of a record of one run.

    Attributes
    ----------
    flops, seconds : float
        See :class:`Ingredient`.
    kept : float
        Bytes that stay from the first record to the last.
    bytes : float
        Largest memory of a record in bytes, beyond the parameters and the passes of a step: the held memory of all
        ingredients, and the working memory of the ingredient that needs most.
    """

    flops: float
    seconds: float
    kept: float
    bytes: float


def record_cost(ingredients: Iterable[Ingredient], sizes: Any) -> RecordCost:
    """Cost of one record, beyond the work that every step and every record does.

    Parameters
    ----------
    ingredients : iterable of Ingredient
        Ingredients of all observables. An ingredient may come several times and is counted once.
    sizes : Sizes or CloudSizes
        Sizes of the observables' kind of sweep.

    Returns
    -------
    RecordCost
    """
    needed = dict.fromkeys(ingredients)
    chosen = [each for each in needed if each.part_of(sizes) not in needed]
    return RecordCost(
        flops=sum(each.flops(sizes) for each in chosen),
        seconds=sum(each.seconds(sizes) for each in chosen),
        kept=sum(each.kept(sizes) for each in chosen),
        bytes=sum(each.held(sizes) for each in chosen) + max((each.working(sizes) for each in chosen), default=0),
    )
