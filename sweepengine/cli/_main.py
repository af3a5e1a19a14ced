"""Entry point: exit codes, interruptions and errors as one clear message."""

from __future__ import annotations

import shlex
import signal
import sys
import warnings
from typing import TYPE_CHECKING, NoReturn, TextIO

from sweepengine.cli._app import app
from sweepengine.errors import DamageWarning, RunError, SweepError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

WRONG, BAD_INPUT, INTERRUPTED, TERMINATED = 1, 2, 130, 143


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        ``sys.argv[1:]`` where not given.

    Returns
    -------
    int
        0 done; 1 something is wrong (failed runs); 2 bad input; 130 or 143 interrupted.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    terminated: list[int] = []

    def terminate(number: int, _frame: FrameType | None) -> NoReturn:
        # As Ctrl-C does, because Ray's compiled code lets no other exception of a signal handler through.
        terminated.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, terminate)
    warnings.showwarning = _show_warning
    try:
        app(words, prog_name="sweepengine")
        code = 0
    except SystemExit as ended:  # Typer ends every command so, with its own messages for misused words
        code = ended.code if isinstance(ended.code, int) else 0
    except KeyboardInterrupt:
        code = INTERRUPTED
    except SweepError as error:
        _say(f"error: {error}")
        return WRONG if isinstance(error, RunError) else BAD_INPUT
    except BrokenPipeError:
        sys.stderr.close()
        return WRONG
    if code == INTERRUPTED:
        again = f" `{shlex.join(['sweepengine', *words])}` goes on from there." if words[:1] == ["run"] else ""
        _say(f"stopped; what was committed is kept.{again}")
        return TERMINATED if terminated else INTERRUPTED
    return code


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Damage is for users, so it is said without the place in our code; other warnings look as Python's do."""
    if issubclass(category, DamageWarning):
        _say(f"warning: {message}")
    else:
        (file or sys.stderr).write(warnings.formatwarning(message, category, filename, lineno, line))


def _say(message: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(message + "\n")
