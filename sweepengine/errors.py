"""The errors that users meet: typed, and each message says what was found, what was expected and what to do."""

from __future__ import annotations

import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class SweepError(Exception):
    """Base of every error that sweepengine raises on purpose."""


class SpecError(SweepError, ValueError):
    """A spec that cannot be run as written."""


class DataError(SweepError, ValueError):
    """Data that a spec asks for and that cannot be had."""


class StoreError(SweepError, OSError):
    """A store that cannot be read, written or extended as asked."""


class DamagedError(StoreError):
    """A store that holds something else than was written there."""


class RunError(SweepError, RuntimeError):
    """A sweep that was asked for rightly and cannot go on: the cluster is gone, another driver has taken over."""


class DamageWarning(UserWarning):
    """A part of a store is damaged, and was left out of what is shown."""


class Interrupted(KeyboardInterrupt):
    """A signal asks this process to stop. Handlers of this package raise it, so that no user's code is taken for a signal."""


@contextmanager
def users_code(what: str, error: type[SweepError] = RunError) -> Iterator[None]:
    """Give whatever a user's code raises as an error of this package.

    ``SystemExit`` and ``KeyboardInterrupt`` are no exception: code that calls ``sys.exit()`` has failed, and must neither
    end the process in silence nor be taken for a person who stops the sweep.

    Parameters
    ----------
    what : str
        How the message begins: what was called.
    error : type of SweepError
        What is raised.

    Raises
    ------
    SweepError
        The code raised; the message has the error, file and line.
    """
    try:
        yield
    except Interrupted:
        raise
    except BaseException as raised:
        place = traceback.extract_tb(raised.__traceback__)[-1]
        text = f"{type(raised).__name__}: {raised}".removesuffix(": ")
        raise error(f"{what} raised {text} ({place.filename}, line {place.lineno})") from raised


def shown(value: object, longest: int = 60) -> str:
    """A value as messages show it: on one line, cut where it is long."""
    try:
        text = repr(value)
    except ValueError:  # an integer that Python does not print
        text = f"a {type(value).__name__} of more than {sys.get_int_max_str_digits()} digits"
    return text if len(text) <= longest else f"{text[: longest - 3]}…"
