"""Losses, outputs, accuracies, residuals. Imports no torch."""

from __future__ import annotations

from functools import partial

from sweepengine.observe._observable import observable
from sweepengine.observe._record_cost import FREE
from sweepengine.observe.network_costs import TEST

_of = partial(observable, kind="networks", measure="sweepengine.observe._output_measures")

OBSERVABLES = (
    _of("loss_train", (), "training loss, mean cost of a training point; (1/2N) sum (f - y)^2 for mse",
        "theory.md §1.3",
        cost=FREE, by_default=True),
    _of("loss_test", (), "test loss, mean cost of a test point; (1/2N) sum (f - y)^2 for mse", "theory.md §1.3",
        cost=(TEST,), by_default=True),
    _of("outputs_train", ("i", "output"), "network output on the training points", "theory.md §1.1",
        measure=lambda now, _: now.train.forward.outputs, cost=FREE, by_default=True),
    _of("outputs_test", ("test", "output"), "network output on the test points", "theory.md §1.1",
        measure=lambda now, _: now.test.outputs, cost=(TEST,), by_default=True),
    _of("accuracy_train", (),
        "share of training points with the target's sign, or with the largest output where the largest target is",
        "Zhang et al. 2017; Wide-network notes, §3.2", cost=FREE),
    _of("accuracy_test", (),
        "share of test points with the target's sign, or with the largest output where the largest target is",
        "Zhang et al. 2017; Wide-network notes, §3.2", cost=(TEST,)),
    _of("residual_norm", (),
        "Euclidean norm over training points and outputs of the cost's gradient in f; |f - y| for mse",
        "theory.md §1.3; theory.md §7 gf-rate; theory.md §7 general-cost",
        measure=lambda now, _: now.flat(now.residual).square().sum(-1).sqrt(), cost=FREE),
)  # fmt: skip
