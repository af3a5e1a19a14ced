"""Two drivers on one store, started at the same moment: the sweep is whole after at most one more command."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from faultlib.bench import STATES
from faultlib.case import Case
from faultlib.options import TAKE_OVER, has_take_over
from faultlib.sweeps import INLINE, RAY, SWEEPS

if TYPE_CHECKING:
    from faultlib.bench import Bench

CASES = 40


def case(bench: Bench, number: int) -> str:
    """One case: half of the stores are new, a third of the second drivers take over, every fifth pair is on Ray."""
    executor = RAY if number % 5 == 4 else INLINE
    sweep = list(SWEEPS)[number % 3] if executor == INLINE else "networks"
    is_new = number % 2 == 0
    more = (TAKE_OVER,) if number // 2 % 3 == 2 and has_take_over() else ()
    with Case(bench, "pairs", number, sweep, executor) as each:
        if not is_new:
            each.adopt(bench.half(sweep, number % STATES).folder)
        late = each.choice([0.0, each.uniform(0.0, 0.1), each.uniform(0.0, 1.0)])
        each.did += ["new" if is_new else "half", f"{late:.3f} s apart", *more]
        before = each.look_after_fault()
        first = each.start_run()
        time.sleep(late)
        second = each.start_run(*more)
        ends = [command.wait(each.limit) for command in (first, second)]
        for ended in ends:
            each.gives_way(ended)
            each.not_recomputed(ended, before)
        each.did.append(f"ended {ends[0].code} and {ends[1].code}")
        each.settle(each.look_after_fault())
        return each.story
