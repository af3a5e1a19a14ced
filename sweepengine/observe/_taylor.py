"""Taylor's remainders, and the sizes of first and second derivatives. Imports no torch."""

from __future__ import annotations

from functools import partial

from sweepengine.observe._conditions import LAYERS
from sweepengine.observe._observable import observable
from sweepengine.observe._record_cost import FREE
from sweepengine.observe.network_costs import HESSIAN, TANGENT, TAYLOR, TAYLOR_TENSOR

_of = partial(observable, kind="networks", measure="sweepengine.observe._taylor_measures")

OBSERVABLES = (
    _of("linearisation_defect", (),
        "root mean square over training points and outputs of f(theta_t) - f(theta_0) - <theta_t - theta_0, grad "
        "f(theta_0)>", "theory.md §4.8; Wide-network notes, §3.9", cost=(TANGENT,), defined_for=(LAYERS,)),
    _of("taylor_second_order", (),
        "root mean square over training points and outputs of f(theta + delta) - f(theta) - <grad f, delta>, delta "
        "the step of gradient descent that would be taken now", "theory.md §4.4; Li 2025, §1", cost=(TAYLOR,),
        defined_for=(LAYERS,)),
    _of("taylor_quadratic", (),
        "root mean square over training points and outputs of delta' Hessian(f) delta / 2, delta the step of "
        "gradient descent that would be taken now: the sum over residuals r_b r_c of (grad f_b)' Hessian(f) (grad "
        "f_c); phi'' = 0 where phi is piecewise linear", "theory.md §4.4; Li 2025, §1; Valle Pérez 2019, §8",
        cost=(TAYLOR,),
        defined_for=(LAYERS,)),
    _of("taylor_tensor", (),
        "root mean square over all triples (a, b, c) of training points and outputs of (grad f_b)' Hessian(f_a) "
        "(grad f_c) of what is trained, times (m^(2 gamma - 1) / alpha^2)^2; phi'' = 0 where phi is piecewise linear",
        "theory.md §4.4; Li 2025, §1; Valle Pérez 2019, §8", cost=(TAYLOR_TENSOR,), defined_for=(LAYERS,)),
    _of("jacobian_rms", ("layer",),
        "root mean square of df/dW^l over training points, outputs and all entries; 0 where W^l is not trained",
        "theory.md §4.4; Valle Pérez 2019, §8", cost=FREE, defined_for=(LAYERS,)),
    _of("jacobian_rms_bias", ("layer",),
        "root mean square of df/db^l over training points, outputs and all entries; 0 where b^l is not trained, NaN "
        "where there is none", "theory.md §4.4; Valle Pérez 2019, §8", cost=FREE, defined_for=(LAYERS,)),
    _of("hessian_rms", ("layer", "layer_other"),
        "root mean square of d2f/dW^l dW^l' over training points, outputs and all pairs of entries, exact; 0 where "
        "one of the two is not trained; phi'' = 0 where phi is piecewise linear",
        "theory.md §4.4; Valle Pérez 2019, §8",
        cost=(HESSIAN,), defined_for=(LAYERS,)),
)  # fmt: skip
