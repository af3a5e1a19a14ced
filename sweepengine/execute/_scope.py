"""The scope of a task's computing: how its matrices are multiplied, which is a setting of the whole process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweepengine.networks import LARGE_PRODUCT, first_product, matmul_precision

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from contextlib import AbstractContextManager

    from sweepengine.execute._data import Data
    from sweepengine.execute._events import Event
    from sweepengine.spec import AnyRun


def matmul_of(run: AnyRun, data: Data) -> AbstractContextManager[None]:
    """Return the scope in which a run is advanced."""
    large = first_product(data.x_train, run.width) >= LARGE_PRODUCT
    return matmul_precision(run.matmul, data.x_train.device, large=large)


def within(scope: Callable[[], AbstractContextManager[None]], events: Generator[Event, None, Event]) -> Iterator[Event]:
    """Yield events that are each made within a scope, which is left before the yield: other code shares this process.

    The last event is the one that a generator returns, so that the scope, which takes as long to enter as a step of a
    small network, is entered once for a run that yields nothing else.
    """
    while True:
        with scope():
            try:
                event, is_last = next(events), False
            except StopIteration as end:
                event, is_last = end.value, True
        yield event
        if is_last:
            return
