"""Observables of the tangent kernel, its change, its spectrum, and its Gram matrices. Imports no torch."""

from __future__ import annotations

from functools import partial

from sweepengine.observe._conditions import LAYERS
from sweepengine.observe._observable import observable
from sweepengine.observe._record_cost import FREE
from sweepengine.observe.network_costs import (
    EIGENVALUES,
    EIGENVALUES_OF_CHANGE,
    GRAMS,
    KERNEL,
    KERNEL_FULL,
    KERNEL_TEST_TRAIN,
)

_of = partial(observable, kind="networks", measure="sweepengine.observe._kernel_measures")

OBSERVABLES = (
    _of("kernel", ("i", "j"), "tangent kernel on the training points, for several outputs the mean over equal ones",
        "theory.md §2.2; Li 2025, §2", measure=lambda now, _: now.kernel, cost=(KERNEL,), by_default=True),
    _of("kernel_drift", (),
        "relative change of the tangent kernel, Frobenius norm of Theta_t - Theta_0 over that of Theta_0",
        "theory.md §7 ntk-const", cost=(KERNEL_FULL,), by_default=True),
    _of("kernel_full", ("i", "output", "j", "output_other"),
        "tangent kernel on the training points between all outputs", "theory.md §2.4; Xu 2021, eq 63",
        measure=lambda now, _: now.kernel_full, cost=(KERNEL_FULL,)),
    _of("kernel_diagonal", ("i", "output"), "diagonal of the tangent kernel, made without the kernel",
        "theory.md §2.2; Li 2025, §2", measure=lambda now, _: now.network.kernel_diagonal(*now.train), cost=FREE),
    _of("kernel_test_train", ("test", "i"),
        "tangent kernel between test and training points, for several outputs the mean over equal ones",
        "theory.md §2.2; Li 2025, §2", measure=lambda now, _: now.kernel_test_train, cost=(KERNEL_TEST_TRAIN,)),
    _of("kernel_eigenvalues", ("mode",), "eigenvalues of the kernel over points and outputs, ascending",
        "Kalvankar notes, §1.7; Valle Pérez 2019, §7",
        measure=lambda now, _: now.eigenvalues, cost=(KERNEL_FULL, EIGENVALUES)),
    _of("kernel_lambda_min", (), "smallest eigenvalue of the kernel", "theory.md §3.8; Wide-network notes, §3.8",
        measure=lambda now, _: now.eigenvalues[..., 0], cost=(KERNEL_FULL, EIGENVALUES)),
    _of("kernel_lambda_max", (), "largest eigenvalue of the kernel", "theory.md §1.6",
        measure=lambda now, _: now.eigenvalues[..., -1], cost=(KERNEL_FULL, EIGENVALUES)),
    _of("kernel_effective_rank", (),
        "effective rank of the kernel, exponential of the entropy of its eigenvalues over their sum",
        "Roy & Vetterli 2007", cost=(KERNEL_FULL, EIGENVALUES)),
    _of("kernel_drift_op", (),
        "relative change of the tangent kernel, operator norm of Theta_t - Theta_0 over that of Theta_0",
        "theory.md §7 ntk-const", cost=(KERNEL_FULL, EIGENVALUES_OF_CHANGE)),
    _of("kernel_alignment", (), "kernel-target alignment y' Theta y / (|Theta|_F |y|^2)", "Cristianini et al. 2001",
        cost=(KERNEL_FULL,)),
    _of("kernel_cka", (), "centred alignment of the kernel with that at t = 0",
        "Cortes et al. 2012; Kornblith et al. 2019", cost=(KERNEL_FULL,)),
    _of("residual_modes", ("mode",),
        "cost's gradient in f (f - y for mse) along the eigenvectors of the run's own Theta_0, in the order of its "
        "ascending eigenvalues, signed so that each mode is not negative at t = 0",
        "theory.md §4.7; Kalvankar notes, §1.7",
        cost=(KERNEL_FULL,)),
    _of("feature_gram", ("feature_layer", "i", "j"),
        "Phi_l = phi^l phi^l' / n_l of the training points, l = 0 (the points) to L", "theory.md §2.2; Li 2025, §2",
        cost=(GRAMS,), defined_for=(LAYERS,)),
    _of("signal_gram", ("hidden", "i", "j"),
        "G_l = g^l g^l' / m of the training points, l = 1 to L, for several outputs the mean over equal ones",
        "theory.md §2.2; theory.md §7 backward; Li 2025, §2", cost=(GRAMS,), defined_for=(LAYERS,)),
)  # fmt: skip
