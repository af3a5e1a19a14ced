"""SIGINT and SIGTERM: raised as an error of our own in a sweep, put off while Ray starts, ignored while a sweep closes.

In a worker of Ray SIGTERM is a question, which the worker answers by a commit.

Only the main thread has handlers; in any other thread these context managers do nothing.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sweepengine.errors import Interrupted, SweepError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_STOPPING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interruptible() -> Iterator[None]:
    """Inside, SIGINT raises :class:`Interrupted` if the previous handler raises KeyboardInterrupt."""
    before = signal.getsignal(signal.SIGINT)
    if not _in_main_thread() or not callable(before):
        yield
        return

    def handler(number: int, frame: FrameType | None) -> None:
        try:
            before(number, frame)
        except KeyboardInterrupt as error:
            raise Interrupted from error

    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class LeavingError(SweepError):
    """A worker was asked to end: it has committed what it has, and advances no further."""


@contextmanager
def asked_to_leave() -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether SIGTERM has come; the process ends by the signal behind the context only.

    A node that is taken away gives its processes some seconds, which Ray would use to end them at once.
    """
    if not _in_main_thread():
        yield lambda: False
        return
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: came.append(number))
    try:
        yield lambda: bool(came)
    finally:
        signal.signal(signal.SIGTERM, before)
        if came:
            signal.raise_signal(signal.SIGTERM)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore SIGINT and SIGTERM inside: a second Ctrl-C must not interrupt the clean-up after the first."""
    with _handled_by(signal.SIG_IGN):
        yield


@contextmanager
def deferred() -> Iterator[None]:
    """Put SIGINT and SIGTERM off to the end, so that what starts inside has wholly started when it is stopped.

    A signal must not raise in the middle of Ray's compiled code. The handlers that Ray sets inside are refused, because
    they would end the process with exit codes of their own.
    """
    if not _in_main_thread():
        yield
        return
    came: list[int] = []

    def later(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    setter = signal.signal

    def keeping(number: int, handler: Any) -> Any:
        return signal.getsignal(number) if number in _STOPPING else setter(number, handler)

    try:
        with _handled_by(later):
            signal.signal = keeping  # type: ignore[assignment]
            try:
                yield
            finally:
                signal.signal = setter
    finally:
        if came:
            signal.raise_signal(came[0])


@contextmanager
def _handled_by(handler: Any) -> Iterator[None]:
    if not _in_main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in _STOPPING}
    try:
        yield
    finally:
        for number, handler_before in before.items():
            signal.signal(number, handler_before)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
