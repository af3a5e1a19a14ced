"""Observables of particles (theory.md §5). Imports no torch."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sweepengine.errors import SpecError
from sweepengine.observe._conditions import GRID, NEURONS, NO_NOISE, REFERENCE, RISK, SNAPSHOTS
from sweepengine.observe._observable import observable
from sweepengine.observe._record_cost import FREE
from sweepengine.observe._variable import SNAPSHOT
from sweepengine.observe.cloud_costs import (
    ASSIGNMENT_TO_REFERENCE,
    ASSIGNMENT_TO_START,
    EULER_STEP,
    FIRST_VARIATION,
    KERNEL,
    KERNEL_OF_START,
    LEAST_FIRST_VARIATION,
    MOMENTS,
    OUTPUTS,
    REFERENCE_PLACES,
    SHARES,
    SLICED_REFERENCE,
    SLICED_START,
    START,
    TEST_FUNCTIONS,
    TEST_OUTPUTS,
    VELOCITY,
    WEAK_FORM,
    WHOLE,
    WHOLE_IF_AFFORDABLE,
)
from sweepengine.transport import EXACT_COUNT

if TYPE_CHECKING:
    from collections.abc import Sequence

_of = partial(observable, kind="particles", measure="sweepengine.observe._cloud_measures")


def _one_to_one(widths: Sequence[int], coordinates: int, count: int) -> None:
    """Raise unless particles can be assigned one to one to the reference's particles, at an affordable cost."""
    if coordinates == 1:
        return
    unequal = [width for width in widths if width != count]
    if unequal:
        raise SpecError(
            f"observables: w2_reference assigns particles one to one, and axes.width has {unequal[0]} where the "
            f"reference has {count}; name sliced_w2_reference, which takes any, or use width {count} alone"
        )
    if count > EXACT_COUNT:
        raise SpecError(
            f"observables: w2_reference of {count} particles is not affordable, at most {EXACT_COUNT} are; name "
            "sliced_w2_reference"
        )


OBSERVABLES = (
    _of("loss_train", (), "risk, mean cost of a training point", "theory.md §5.1", cost=(OUTPUTS,), by_default=True,
        defined_for=(RISK,)),
    _of("loss_test", (), "mean cost of a test point", "theory.md §5.1",
        cost=(TEST_OUTPUTS,), by_default=True, defined_for=(RISK,)),
    _of("outputs_train", ("i",), "f_mu on the training points", "theory.md §5.1",
        measure=lambda now, _: now.outputs_train, cost=(OUTPUTS,), by_default=True, defined_for=(RISK,)),
    _of("outputs_test", ("test",), "f_mu on the test points", "theory.md §5.1", measure=lambda now, _: now.outputs_test,
        cost=(TEST_OUTPUTS,), by_default=True, defined_for=(RISK,)),
    _of("objective", (), "F_0, the functional without its entropy", "theory.md §5.1",
        measure=lambda now, _: now.objective, cost=FREE, by_default=True),
    _of("terms", ("term",), "the terms of F_0, each with its strength", "theory.md §5.1", cost=FREE, by_default=True),
    _of("dissipation", (),
        "integral of |grad dF_0/dmu|^2 dmu over moving coordinates: minus dF_0/dt without noise or projection",
        "Ambrosio et al. 2008, ch. 11; Wide-network notes, §4.4",
        measure=lambda now, _: now.dissipation, cost=(VELOCITY,), by_default=True),
    _of("energy_defect", (), "(F_0 after one step of Euler without noise - F_0)/dt + dissipation, O(dt)",
        "theory.md §7 wgf-energy", cost=(VELOCITY, EULER_STEP), by_default=True),
    _of("mean", ("coord",), "mean of each coordinate over particles", "theory.md §5.1",
        measure=lambda now, _: now.moments[0], cost=(MOMENTS,), by_default=True),
    _of("deviation", ("coord",), "standard deviation of each coordinate", "theory.md §5.1",
        measure=lambda now, _: now.moments[1].diagonal().clamp_min(0).sqrt(), cost=(MOMENTS,), by_default=True),
    _of("displacement", (), "root mean square over particles of |theta_k(t) - theta_k(0)|", "theory.md §7 mf-move",
        cost=(START,), by_default=True),
    _of("sliced_w2_start", (),
        "sliced W2 to the start: root mean square over 100 random directions of W2 between projections",
        "theory.md §5.5; Rabin et al. 2011", cost=(START, SLICED_START), by_default=True),
    _of("sliced_w2_start_error", (), "its standard error over the directions", "theory.md §7 mf-w2",
        cost=(START, SLICED_START), by_default=True),
    _of("participation", (), "(sum s)^2/(m sum s^2), s the rms share of each particle in the outputs", "theory.md §5.4",
        cost=(SHARES,), by_default=True, defined_for=(RISK,)),
    _of("particles", ("particle", "coord"), "all particles", "theory.md §5.1", measure=lambda now, _: now.cloud,
        cost=FREE, by_default=True, defined_for=(SNAPSHOTS,), over=SNAPSHOT),
    _of("w2_start", (),
        "W2 to the start by the optimal assignment; NaN above 4000 particles, where it is not affordable",
        "Villani 2009; Wide-network notes, §4.3",
        cost=(START, ASSIGNMENT_TO_START, WHOLE_IF_AFFORDABLE)),
    _of("stationarity_gap", (), "mean of dF_0/dmu over the cloud minus its least value there and on the grid",
        "Ambrosio et al. 2008, ch. 11; Wide-network notes, §4.4",
        cost=(LEAST_FIRST_VARIATION,), defined_for=(GRID, NO_NOISE)),
    _of("kernel", ("i", "j"), "mean-field kernel on the training points", "theory.md §5.3",
        measure=lambda now, _: now.kernel, cost=(KERNEL,), defined_for=(RISK, NEURONS)),
    _of("kernel_drift", (),
        "relative change of the mean-field kernel, Frobenius norm of K_t - K_0 over that of K_0; NaN where K_0 = 0, "
        "which has no relative change: record kernel itself there", "theory.md §7 mf-move",
        cost=(START, KERNEL, KERNEL_OF_START), defined_for=(RISK, NEURONS)),
    _of("weak_form_defect", ("test_function",),
        "(change of the mean of chi in one step of Euler with its noise)/dt + integral of <grad chi, grad dF_0/dmu> "
        "dmu, which is taken from F_0 alone, - tau times that of Laplace chi: O(dt), at a temperature in expectation",
        "theory.md §5.4; Wide-network notes, §4.4 (*)", cost=(WEAK_FORM,), sizes={"test_function": TEST_FUNCTIONS}),
    _of("first_variation", ("grid",), "dF_0/dmu at the points grid_points, without the entropy's tau (log mu + 1)",
        "Ambrosio et al. 2008, ch. 11; Wide-network notes, §4.4", cost=(FIRST_VARIATION,), defined_for=(GRID,)),
    _of("sliced_w2_reference", (),
        "sliced W2 to the reference: root mean square over 100 random directions of W2 between projections",
        "theory.md §5.5; Rabin et al. 2011", cost=(SLICED_REFERENCE, REFERENCE_PLACES), by_default=True,
        defined_for=(REFERENCE,)),
    _of("sliced_w2_reference_error", (), "its standard error over the directions", "theory.md §7 mf-w2",
        cost=(SLICED_REFERENCE, REFERENCE_PLACES), by_default=True, defined_for=(REFERENCE,)),
    _of("w2_reference", (),
        "W2 to the reference: of particles with one coordinate by sorting, else by the optimal assignment",
        "Villani 2009; Wide-network notes, §4.3",
        cost=(REFERENCE_PLACES, ASSIGNMENT_TO_REFERENCE, WHOLE), defined_for=(REFERENCE,), fits=_one_to_one),
)  # fmt: skip
