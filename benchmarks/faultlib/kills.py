"""SIGKILL of the driver, a worker, the raylet, the global control store or everything, once or several times in a row.

The same command again must end well, recompute no finished run, and leave the numbers of a sweep that nobody killed.
"""

from __future__ import annotations

import contextlib
import signal
import time
from typing import TYPE_CHECKING

import psutil

from faultlib.case import Case
from faultlib.moments import ANY, CREATION, START, wait_for
from faultlib.sweeps import INLINE, RAY, SWEEPS
from faultlib.verdict import Defect, Kind

if TYPE_CHECKING:
    from faultlib.bench import Bench
    from faultlib.child import Command

CASES = 300
MOST_REPEATS = 4
RAY_TARGETS = ("worker", "driver", "raylet", "group", "gcs_server")
MARKS = {"worker": ("_advance_pack", "_Shard"), "raylet": ("raylet",), "gcs_server": ("gcs_server",)}
"""Role of a process → words of which one is in its title."""
_PATIENCE = 60.0


def case(bench: Bench, number: int) -> str:
    """One case: every third on Ray."""
    executor = RAY if number % 3 == 2 else INLINE
    sweep = list(SWEEPS)[number // 3 % 3]
    target = RAY_TARGETS[number // 9 % len(RAY_TARGETS)] if executor == RAY else "driver"
    with Case(bench, "kills", number, sweep, executor) as each:
        each.did.append(f"SIGKILL of {target}")
        repeats = int(each.rng.geometric(0.6)) if target in {"driver", "group"} else 1
        for _ in range(min(repeats, MOST_REPEATS)):
            _kill(each, target)
        each.settle(each.look_after_fault())
        return each.story


def _kill(case: Case, target: str) -> None:
    """Start the sweep's command and kill one of its processes; those that only serve the driver leave it to answer."""
    moment = case.choice([START, CREATION, CREATION, ANY, ANY])
    before = case.look_after_fault()
    command = case.start_run(preloaded=moment != START)
    wait_for(case, command, moment if target in {"driver", "group"} else ANY)
    if target == "driver":
        command.family()  # known from now on, so that they can be stopped in the end
        command.send(signal.SIGKILL)
    elif target == "group":
        others = command.family()
        command.send(signal.SIGKILL)
        _kill_all(others)
    else:
        found = _find(command, target)
        if found is None:
            case.did.append("it had ended")
        else:
            _kill_all([found])
        ended = command.wait(case.limit)
        case.check(ended, 0, 1)
        if ended.code:
            case.clear_refusal(ended)
        case.not_recomputed(ended, before)
        return
    ended = command.wait(case.limit)
    if ended.code not in (0, -signal.SIGKILL):
        case.check(ended, 0)


def _find(command: Command, target: str) -> psutil.Process | None:
    """A process of the command with a role, as soon as there is one; None if the command ends before."""
    deadline = time.monotonic() + _PATIENCE
    while command.poll() is None:
        for each in command.family():
            with contextlib.suppress(psutil.Error):
                words = each.cmdline() if target == "worker" else [each.name()]
                if any(mark in word for mark in MARKS[target] for word in words[:1]):
                    return each
        if time.monotonic() > deadline:
            raise Defect(Kind.HARNESS, f"no {target} within {_PATIENCE:g} s")
        time.sleep(0.01)
    return None


def _kill_all(processes: list[psutil.Process]) -> None:
    for each in processes:
        with contextlib.suppress(psutil.Error):
            each.kill()
