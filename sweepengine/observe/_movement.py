"""Observables of the parameters and of their change since t = 0. Imports no torch."""

from __future__ import annotations

from functools import partial

from sweepengine.observe._conditions import LAYERS
from sweepengine.observe._observable import observable
from sweepengine.observe._record_cost import FREE
from sweepengine.observe.network_costs import MOVEMENT, MOVEMENT_OP

_of = partial(observable, kind="networks", measure="sweepengine.observe._movement_measures")

OBSERVABLES = (
    _of("movement_relative", ("layer",),
        "Frobenius norm of a layer's parameter change over that of its initial parameters", "theory.md §7 lazy",
        cost=(MOVEMENT,), by_default=True),
    _of("movement_row_max", ("layer",), "largest Euclidean norm of one neuron's parameter change",
        "theory.md §7 lazy; Wide-network notes, §3.8", cost=(MOVEMENT,), by_default=True),
    _of("movement_op", ("layer",), "operator norm of a layer's parameter change over sqrt(width)", "theory.md §7 lazy",
        cost=(MOVEMENT_OP,), by_default=True),
    _of("movement_total", (), "Euclidean norm of the change of all parameters over that of the initial parameters",
        "theory.md §7 lazy", cost=(MOVEMENT,), by_default=True),
    _of("movement_frobenius", ("layer",), "Frobenius norm of a layer's parameter change",
        "theory.md §7 lazy; Kalvankar notes, §1.8",
        cost=(MOVEMENT,)),
    _of("movement_rms_entry", ("layer",), "root mean square over its entries of a layer's parameter change",
        "theory.md §7 lazy; Kalvankar notes, §1.8", cost=(MOVEMENT,)),
    _of("neuron_growth", (), "largest |(a_k, w_k, b_k)| at t over that at t = 0 of a neuron of the last hidden layer",
        "theory.md §4.9; Wide-network notes, §3.11", cost=FREE, defined_for=(LAYERS,)),
    _of("weights", ("parameter",),
        "all parameters, W0 … WL then b0 … bL, each row by row; sweepengine.observe.unflatten takes them apart",
        "theory.md §1.1", cost=FREE),
)  # fmt: skip
