"""Quantities from which several observables follow."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Quantity = TypeVar("Quantity")


def shared(quantity: Callable[[Any, Any], Quantity]) -> Callable[[Any, Any], Quantity]:
    """Make a quantity of a moment and the one at t = 0 once, for all the observables that follow from it."""

    @wraps(quantity)
    def kept(now: Any, start: Any) -> Quantity:
        if quantity not in now.shared:
            now.shared[quantity] = quantity(now, start)
        value: Quantity = now.shared[quantity]
        return value

    return kept
