"""When a fault comes: at the start, right after the store's folder has appeared, or anywhere."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from faultlib.bench import STORE
from faultlib.objects import objects
from faultlib.sweeps import INLINE

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultlib.case import Case
    from faultlib.child import Command

START, CREATION, ANY = "start", "creation", "any"
_START_SECONDS, _CREATION_SECONDS = 2.5, 0.4
_JITTER = 0.5
"""Of a sweep's time in one process, after its store has grown on Ray."""
_CREATED = 0.5
_PATIENCE = 60.0


def wait_for(case: Case, command: Command, moment: str) -> None:
    """Sleep until the moment.

    Parameters
    ----------
    case : Case
        Its generator draws the delay; its story tells when it was.
    command : Command
        Waiting ends when it does.
    moment : {"start", "creation", "any"}
        Within the first seconds of the process; soon after the store's folder is there; at any time after that. Where
        the driver does the work itself the last two are by its own processor time, on Ray the last by how many files
        there are.
    """
    if moment != START:
        _sleep(command, _PATIENCE, case.store.exists)
    begun, share = time.monotonic(), case.uniform(0.0, 1.0)
    if moment == START:
        _sleep(command, share * _START_SECONDS)
    elif case.executor == INLINE:
        worked = command.worked()
        left = case.whole.worked - worked
        command.until_worked(worked + share * (min(left, _CREATION_SECONDS) if moment == CREATION else left))
    elif moment == CREATION:
        _sleep(command, share * _CREATION_SECONDS)
    else:
        _sleep(command, _PATIENCE, partial(_has_grown, case, share))
        _sleep(command, case.uniform(0.0, _JITTER) * case.whole.worked)
    ended = " (it had ended)" if command.poll() is not None else ""
    case.did.append(f"{moment} + {time.monotonic() - begun:.3f} s{ended}")


def _has_grown(case: Case, share: float) -> bool:
    """Whether a store has some of the files of a whole one; at least those that it is created with are waited for."""
    return len(objects(case.store)) >= max(_CREATED, share) * len(objects(case.whole.folder / STORE))


def _sleep(command: Command, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
    deadline = time.monotonic() + seconds
    while command.poll() is None and time.monotonic() < deadline and not until():
        time.sleep(0.002)
