"""Quantities from which several observables are computed."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Quantity = TypeVar("Quantity")


def shared(quantity: Callable[[Any, Any], Quantity]) -> Callable[[Any, Any], Quantity]:
    """Decorate a function of the moments now and at t = 0, so that it is computed once for each moment now."""

    @wraps(quantity)
    def kept(now: Any, start: Any) -> Quantity:
        if quantity not in now.shared:
            now.shared[quantity] = quantity(now, start)
        value: Quantity = now.shared[quantity]
        return value

    return kept
