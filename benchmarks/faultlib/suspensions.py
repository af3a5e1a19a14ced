"""SIGSTOP of a driver, another one meanwhile, SIGCONT: what the second has committed stays.

The second is first the plain command, which may be refused while the first holds the store, then, where there is such
an option, the same with `--take-over`. Commits come every 10 ms, so that many stops lie between a look and a write.
"""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

import psutil

from faultlib.case import Case
from faultlib.moments import ANY, CREATION, wait_for
from faultlib.options import TAKE_OVER, has_take_over
from faultlib.sweeps import INLINE, RAY, SWEEPS

if TYPE_CHECKING:
    from faultlib.bench import Bench
    from faultlib.child import Command

CASES = 40
COMMIT_SECONDS = 0.01
RAY_TARGETS = ("driver", "workers", "all")


def case(bench: Bench, number: int) -> str:
    """One case: every fourth on Ray."""
    executor = RAY if number % 4 == 3 else INLINE
    sweep = list(SWEEPS)[number % 5 % 3]
    target = RAY_TARGETS[number // 4 % 3] if executor == RAY else "driver"
    with Case(bench, "suspensions", number, sweep, executor) as each:
        first = each.start_run(commit_seconds=COMMIT_SECONDS)
        each.did.append(f"SIGSTOP of {target}")
        wait_for(each, first, each.choice([CREATION, ANY, ANY, ANY, ANY]))
        stopped = _suspended(first, target)
        _send(stopped, signal.SIGSTOP)
        try:
            _second(each)
            each.check_whole()
        finally:
            _send(stopped, signal.SIGCONT)
        each.gives_way(first.wait(each.limit))
        each.check_whole()
        each.settle(each.look_after_fault())
        return each.story


def _second(case: Case) -> None:
    """Another driver does the whole sweep."""
    ended = case.start_run(commit_seconds=COMMIT_SECONDS).wait(case.limit)
    if ended.code == 0 or not has_take_over():
        case.check(ended, 0)
        return
    case.gives_way(ended)
    case.ends(case.start_run(TAKE_OVER, commit_seconds=COMMIT_SECONDS), 0)


def _suspended(command: Command, target: str) -> list[psutil.Process]:
    driver = [psutil.Process(command.pid)] if command.poll() is None else []
    family = command.family()
    workers = [each for each in family if _is_worker(each)]
    return {"driver": driver, "workers": workers, "all": driver + family}[target]


def _is_worker(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return "ray::" in " ".join(process.cmdline()[:1])
    return False


def _send(processes: list[psutil.Process], number: signal.Signals) -> None:
    for each in processes:
        with contextlib.suppress(psutil.Error):
            each.send_signal(number)
