"""The errors that users meet. Every message says what was found, what was expected and what to do."""

from __future__ import annotations

import difflib
import os
import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class SweepError(Exception):
    """Base of every error that sweepengine raises on purpose."""


class SpecError(SweepError, ValueError):
    """A spec that cannot be run as written."""


class DataError(SweepError, ValueError):
    """Data that a spec asks for and that cannot be read or made."""


class StoreError(SweepError, OSError):
    """A store that cannot be read, written or extended as asked."""


class DamagedError(StoreError):
    """A store that does not hold what was written into it."""


class RunError(SweepError, RuntimeError):
    """A valid sweep that cannot go on: the cluster is gone, or another driver has taken over the store."""


class NotReproducedError(SweepError, ValueError):
    """A run that is computed again does not give the numbers that a store has of it."""


class StoreWarning(UserWarning):
    """A part of a store is not there, and is left out of what is shown."""


class DamageWarning(StoreWarning):
    """A part of a store is damaged, and is left out of what is shown."""


class IncompleteWarning(StoreWarning):
    """Some runs of a store do not have yet what its other runs have; running the sweep again computes it."""


class Interrupted(KeyboardInterrupt):
    """A signal asks this process to stop.

    Only this package's signal handlers raise it. So a KeyboardInterrupt of users' code is not taken for a signal.
    """


@contextmanager
def users_code(what: str, error: type[SweepError] = RunError) -> Iterator[None]:
    """Turn whatever users' code raises into an error of this package.

    ``SystemExit`` and ``KeyboardInterrupt`` are turned too: code that calls ``sys.exit()`` has failed. It must neither
    end the process in silence nor be taken for a person who stops the sweep.

    Parameters
    ----------
    what : str
        Beginning of the message: what was called.
    error : type of SweepError
        Class of the error to raise.

    Raises
    ------
    SweepError
        The users' code raised an exception; the message has the exception, file and line.
    """
    try:
        yield
    except Interrupted:
        raise
    except BaseException as raised:
        place = traceback.extract_tb(raised.__traceback__)[-1]
        text = f"{type(raised).__name__}: {raised}".removesuffix(": ")
        raise error(f"{what} raised {text} ({place.filename}, line {place.lineno})") from raised


@contextmanager
def about_file(path: object) -> Iterator[None]:
    """Let messages about a spec, or about the data that it names, begin with the name of the spec's file.

    Parameters
    ----------
    path : str, Path or other
        The file. What is no path, as a mapping, names no file, and changes no message.
    """
    try:
        yield
    except (SpecError, DataError) as error:
        if isinstance(path, str | os.PathLike):
            error.args = (f"{path}: " + "\n  ".join(str(error).splitlines()),)
        raise


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is nearest to a misspelt one, or None if none is near.

    Capitals and separators do not count: `meanfield` is near `mean_field`, and `MSE` is near `mse`.
    """
    by_letters = {_letters(each): each for each in known}
    near = difflib.get_close_matches(_letters(name), by_letters, n=1)
    return by_letters[near[0]] if near else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question for the end of a message, with a space before it: the :func:`nearest` name; empty if none is near."""
    near = nearest(name, known)
    return f" Did you mean {near!r}?" if near else ""


def _letters(name: str) -> str:
    return name.lower().translate(str.maketrans("", "", "_- "))


def shown(value: object, longest: int = 60) -> str:
    """A value as messages show it: on one line, cut where it is long."""
    try:
        text = repr(value)
    except ValueError:  # an integer that Python does not print
        text = f"a {type(value).__name__} of more than {sys.get_int_max_str_digits()} digits"
    text = " ".join(text.split()) if "\n" in text else text
    return text if len(text) <= longest else f"{text[: longest - 3]}…"
