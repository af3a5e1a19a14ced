"""Requests to a store that is far away, made at the same time or while the program goes on.

A store that is near, on a disk or in memory, is asked at once and in order, because there is nothing to wait for.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from zarr.storage import LocalStore, MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from zarr.abc.store import Store

_Answer = TypeVar("_Answer")
_AT_A_TIME = 8


def begin(store: Store, call: Callable[[], _Answer]) -> Future[_Answer]:
    """Begin a call that asks a store; its result says, or raises, how it ended. A near store's has ended at once."""
    if not _is_near(store):
        return _threads().submit(call)
    return completed(call())


def completed(answer: _Answer) -> Future[_Answer]:
    """What :func:`begin` returns for a call that has ended."""
    done: Future[_Answer] = Future()
    done.set_result(answer)
    return done


def side_by_side(store: Store, *calls: Callable[[], Any]) -> list[Any]:
    """The results of calls that ask a store, made at the same time; near stores are asked in order, to the first error.

    It returns, or raises the error of the first call that has one, when no call is at work any more.
    """
    if _is_near(store):
        return [call() for call in calls]
    begun = [begin(store, call) for call in calls]
    wait(begun)
    return [each.result() for each in begun]


def _is_near(store: Store) -> bool:
    return isinstance(store, LocalStore | MemoryStore)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="sweepengine-meanwhile")
