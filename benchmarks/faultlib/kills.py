"""SIGKILL of the driver, a worker, the raylet, the global control store or everything, once or several times in a row.

The same command again must end well, recompute no finished run, and leave the numbers of a sweep that nobody killed.
"""

from __future__ import annotations

import contextlib
import os
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
RAY_TARGETS = ("worker", "driver", "raylet", "group", "gcs_server")
_MARKS = {"worker": ("_advance_pack", "_Shard"), "raylet": ("raylet",), "gcs_server": ("gcs_server",)}
_PATIENCE = 60.0


def case(bench: Bench, number: int) -> str:
    """One case: every third on Ray."""
    executor = RAY if number % 3 == 2 else INLINE
    sweep = list(SWEEPS)[number // 3 % 3]
    target = RAY_TARGETS[number // 9 % len(RAY_TARGETS)] if executor == RAY else "driver"
    with Case(bench, "kills", number, sweep, executor) as each:
        kills = 1 + int(each.rng.geometric(0.6) if target in {"driver", "group"} else 1) - 1
        done = [_kill(each, target) for _ in range(min(kills, 4))]
        each.settle(each.look_after_fault())
    return f"{executor} {sweep}: {target} killed at {'; '.join(done)}"


def _kill(case: Case, target: str) -> str:
    moment = case.choice([START, CREATION, CREATION, ANY, ANY])
    command = case.start_run(preloaded=moment != START)
    before = case.look_after_fault() if case.store.exists() else None
    when = wait_for(case, command, moment if target in {"driver", "group"} else ANY)
    if target == "driver":
        command.family()  # known from now on, so that they can be stopped in the end
        command.send(signal.SIGKILL)
    elif target == "group":
        _kill_all([*command.family(), psutil.Process(os.getpid())][:-1])
        command.send(signal.SIGKILL)
    else:
        found = _find(command, target)
        if found is None:
            when += ", when it had ended"
        else:
            _kill_all([found])
        ended = command.wait(case.limit)
        case.check(ended, 0, 1)
        if ended.code:
            case.clear_refusal(ended)
        case.not_recomputed(ended, before)
        return when
    ended = command.wait(case.limit)
    if ended.code not in (0, -signal.SIGKILL):
        case.check(ended, 0)
    return when


def _find(command: Command, target: str) -> psutil.Process | None:
    """A process of the command with a role, as soon as there is one; None if the command ends before."""
    deadline = time.monotonic() + _PATIENCE
    while command.poll() is None:
        for each in command.family():
            with contextlib.suppress(psutil.Error):
                words = each.cmdline() if target == "worker" else [each.name()]
                if any(mark in word for mark in _MARKS[target] for word in words[:1]):
                    return each
        if time.monotonic() > deadline:
            raise Defect(Kind.HARNESS, f"no {target} within {_PATIENCE:g} s")
        time.sleep(0.01)
    return None


def _kill_all(processes: list[psutil.Process]) -> None:
    for each in processes:
        with contextlib.suppress(psutil.Error):
            each.kill()
