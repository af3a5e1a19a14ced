"""When a fault comes: at the start, right after the store's folder has appeared, or anywhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faultlib.case import Case
    from faultlib.child import Command

CREATION_SECONDS = 0.3
START_SECONDS = 2.5
_PATIENCE = 60.0
START, CREATION, ANY = "start", "creation", "any"


def wait_for(case: Case, command: Command, moment: str) -> str:
    """Sleep until the moment; in words, when it was.

    Parameters
    ----------
    case : Case
        Its generator draws the delay.
    command : Command
        Waiting ends when it does.
    moment : {"start", "creation", "any"}
        Within the first seconds of the process; soon after the store's folder is there; at any time after that.
    """
    if moment == START:
        delay = case.uniform(0.0, START_SECONDS)
    else:
        length = case.bench.whole(case.sweep).seconds
        delay = case.uniform(0.0, CREATION_SECONDS if moment == CREATION else length)
        deadline = time.monotonic() + _PATIENCE
        while not case.store.exists() and command.poll() is None and time.monotonic() < deadline:
            time.sleep(0.0005)
    begun = time.monotonic()
    while command.poll() is None and time.monotonic() < begun + delay:
        time.sleep(min(0.001, delay))
    return f"{moment} + {delay:.3f} s"
