"""What the command line of the product under test can do."""

from __future__ import annotations

import contextlib
import io
from functools import cache
from importlib import import_module

from faultlib.child import in_child

TAKE_OVER = "--take-over"


@cache
def has_take_over() -> bool:
    """Whether `run` can be told to take a store from another driver."""
    return TAKE_OVER in in_child(_help)


def _help() -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        import_module("sweepengine.cli").main(["run", "--help"])
    return said.getvalue()
