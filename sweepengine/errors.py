"""The errors that users meet: typed, and each message says what was found, what was expected and what to do."""

from __future__ import annotations

import sys


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


def shown(value: object, longest: int = 60) -> str:
    """A value as messages show it: on one line, cut where it is long."""
    try:
        text = repr(value)
    except ValueError:  # an integer that Python does not print
        text = f"a {type(value).__name__} of more than {sys.get_int_max_str_digits()} digits"
    return text if len(text) <= longest else f"{text[: longest - 3]}…"
