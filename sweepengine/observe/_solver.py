"""Observables that count the steps of an adaptive time method. Imports no torch."""

from __future__ import annotations

from functools import partial

from sweepengine.observe._observable import observable
from sweepengine.observe._record_cost import FREE

_of = partial(observable, kind="networks")

OBSERVABLES = (
    _of("solver_steps", (), "steps of the adaptive solver since t = 0", "Dormand & Prince 1980",
        measure=lambda now, _: now.everywhere(now.solver.steps), cost=FREE),
    _of("solver_rejected", (), "tries that the adaptive solver has thrown away since t = 0",
        "Hairer et al. 1993, II.4", measure=lambda now, _: now.everywhere(now.solver.rejected), cost=FREE),
    _of("solver_forced", (), "steps since t = 0 that missed the tolerance at the smallest size allowed, as at kinks",
        "theory.md §1.6", measure=lambda now, _: now.everywhere(now.solver.forced), cost=FREE),
    _of("solver_step_smallest", (),
        "smallest step of the adaptive solver since t = 0, in training time; 0 before the first",
        "theory.md §1.6", measure=lambda now, _: now.everywhere(now.solver.step_smallest), cost=FREE),
)  # fmt: skip
