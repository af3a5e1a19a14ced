"""Distance from the network linearised at t = 0. Imports no torch."""

from __future__ import annotations

from functools import partial

from sweepengine.observe._conditions import LINEAR_MODEL, SOLVED
from sweepengine.observe._observable import observable
from sweepengine.observe._record_cost import FREE
from sweepengine.observe.network_costs import LINEAR_PARAMS, MOVEMENT, TEST

_of = partial(observable, kind="networks", measure="sweepengine.observe._linear_measures")

OBSERVABLES = (
    _of("linear_distance_train", (),
        "root mean square over training points and outputs of f_t - f_t^lin, with the same steps of descent or flow",
        "theory.md §2.5; Xu 2021, eqs 64-74", cost=FREE, defined_for=(SOLVED, LINEAR_MODEL)),
    _of("linear_distance_test", (),
        "root mean square over test points and outputs of f_t - f_t^lin, with the same steps of descent or flow",
        "theory.md §2.5; Xu 2021, eqs 64-74", cost=(TEST,), defined_for=(SOLVED, LINEAR_MODEL)),
    _of("random_feature_distance", (),
        "largest |f_t - f_t^RF| over training points and outputs; f^RF = f_0 + <omega, Psi>, Psi the gradient at t "
        "= 0 of what is trained, with the same steps of descent or flow from omega = 0",
        "theory.md §4.8; Wide-network notes, §3.9", cost=FREE, defined_for=(SOLVED, LINEAR_MODEL)),
    _of("linear_params_distance", (),
        "|theta_t - theta_0 - omega_t| / |theta_t - theta_0|, omega_t the linearised model's parameters after the "
        "same steps of descent or flow; 0 at t = 0", "theory.md §2.5; Xu 2021, eqs 65 and 72",
        cost=(MOVEMENT, LINEAR_PARAMS), defined_for=(SOLVED, LINEAR_MODEL)),
)  # fmt: skip
