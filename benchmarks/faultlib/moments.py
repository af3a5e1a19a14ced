"""When a fault comes: at the start, right after the store's folder has appeared, or anywhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faultlib.case import Case
    from faultlib.child import Command

CREATION_SECONDS = 0.5
_MIDDLE = 0.7
"""Of a sweep's whole time passes after its store has appeared."""
START_SECONDS = 2.5
_PATIENCE = 60.0
START, CREATION, ANY = "start", "creation", "any"


def wait_for(case: Case, command: Command, moment: str) -> None:
    """Sleep until the moment.

    Parameters
    ----------
    case : Case
        Its generator draws the delay; its story tells when it was.
    command : Command
        Waiting ends when it does.
    moment : {"start", "creation", "any"}
        Within the first seconds of the process; soon after the store's folder is there; at any time after that.
    """
    if moment == START:
        delay = case.uniform(0.0, START_SECONDS)
    else:
        length = case.bench.whole(case.sweep, case.executor).seconds
        delay = case.uniform(0.0, CREATION_SECONDS if moment == CREATION else _MIDDLE * length)
        deadline = time.monotonic() + _PATIENCE
        while not case.store.exists() and command.poll() is None and time.monotonic() < deadline:
            time.sleep(0.0005)
    begun = time.monotonic()
    while command.poll() is None and time.monotonic() < begun + delay:
        time.sleep(min(0.001, delay))
    case.did.append(f"{moment} + {delay:.3f} s{' (it had ended)' if command.poll() is not None else ''}")
