"""Entry point of the command line: exit codes, and one clear message for an interruption or an error."""

from __future__ import annotations

import shlex
import signal
import sys
import warnings
from typing import TYPE_CHECKING, NoReturn, TextIO

from sweepengine.errors import Interrupted, RunError, StoreWarning, SweepError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

_RESUMED = (["run"], ["claims"])
_LOOKING = "stopped looking; the job goes on."
_STOPPED = {"status": "stopped", "submit": _LOOKING, "logs": _LOOKING}
"""Command → what its end by a signal means, where nothing was committed."""
WRONG, BAD_INPUT, INTERRUPTED, TERMINATED = 1, 2, 130, 143


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        ``sys.argv[1:]`` if not given.

    Returns
    -------
    int
        0: done. 1: something is wrong, such as failed runs. 2: bad input. 130 or 143: interrupted.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    came: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> NoReturn:
        came.append(number)
        raise Interrupted  # a KeyboardInterrupt, because Ray's compiled code passes on no other exception of a handler

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    code = INTERRUPTED
    try:
        code = _run(words)
    except BaseException:
        if not came:
            raise
        # Any exception after a signal follows from it: libraries turn ours into exceptions of their own.
    finally:
        # A process that ends here ignores further signals: it ends soon, and they would only add a traceback.
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if arguments is None else handler)
    if code == 0 or not (came or code == INTERRUPTED):
        return code
    again = f" `{shlex.join(['sweepengine', *words])}` goes on from there." if words[:1] in _RESUMED else ""
    _say(_STOPPED.get(words[0] if words else "", f"stopped; what was committed is kept.{again}"))
    return TERMINATED if signal.SIGTERM in came[:1] else INTERRUPTED


def _run(words: list[str]) -> int:
    """Run a command; return its exit code unless a signal interrupts it."""
    from sweepengine.cli._every import app  # here, where signals are handled: imports are most of a short command

    warnings.showwarning = _show_warning
    try:
        app(words, prog_name="sweepengine")
    except SystemExit as ended:  # Typer ends every command so, with its own messages for misused words
        return ended.code if isinstance(ended.code, int) else 0
    except SweepError as error:
        _say(f"error: {error}")
        return WRONG if isinstance(error, RunError) else BAD_INPUT
    except BrokenPipeError:
        sys.stderr.close()
        return WRONG
    return 0


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning: of a store without a place in our code, because it is for users; others as Python does."""
    if issubclass(category, StoreWarning):
        _say(f"warning: {message}")
    else:
        (file or sys.stderr).write(warnings.formatwarning(message, category, filename, lineno, line))


def _say(message: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(message + "\n")
