"""The findings for sweeps of networks."""

from __future__ import annotations

from typing import Final

from sweepengine.analysis._findings import Curve, Findings
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import accuracy, final, supremum

KERNEL_DRIFT: Final = Quantity(
    "kernel_drift",
    supremum("kernel_drift"),
    "kernel drift",
    "sup_t ‖Θ_t − Θ_0‖_F / ‖Θ_0‖_F on the train points, norm taken in each run, then averaged over seeds",
    "theory.md §7 ntk-const; Jacot et al. 2018, Thm 2; Lee et al. 2019, Thm 2.1",
)
MOVEMENT_TOTAL: Final = Quantity(
    "movement_total",
    supremum("movement_total"),
    "relative movement",
    "sup_t ‖θ_t − θ_0‖ / ‖θ_0‖ over all parameters, trained or not",
    "theory.md §7 lazy; Lee et al. 2019, Thm 2.1; Xu 2021, eq 81",
)
MOVEMENT_RELATIVE: Final = Quantity(
    "movement_relative",
    supremum("movement_relative", "layer"),
    "relative movement of a layer",
    "sup_t ‖W^l_t − W^l_0‖_F / ‖W^l_0‖_F; the last l is the read-out",
    "theory.md §7 lazy",
)
MOVEMENT_OP: Final = Quantity(
    "movement_op",
    supremum("movement_op", "layer"),
    "operator-norm movement of a layer",
    "sup_t ‖W^l_t − W^l_0‖_op / √m",
    "theory.md §7 lazy",
)
MOVEMENT_ROW_MAX: Final = Quantity(
    "movement_row_max",
    supremum("movement_row_max", "layer"),
    "largest movement of a neuron of a layer",
    "sup_t max_k ‖w_k(t) − w_k(0)‖, w_k the parameters into neuron k",
    "theory.md §7 lazy; Wide-network notes, §3.8",
)
LOSS_TRAIN: Final = Quantity(
    "loss_train",
    final("loss_train"),
    "final train loss",
    "R = (1/N) Σ_i ℓ(f(x_i), y_i) at the last record, on the train points; ½ Σ_o (f_o − y_o)² for mse",
    "theory.md §1.3",
    fitted=False,
)
LOSS_TEST: Final = Quantity(
    "loss_test",
    final("loss_test"),
    "final test loss",
    "the same on the test points",
    "theory.md §1.3",
    fitted=False,
)
ACCURACY_TEST: Final = Quantity(
    "accuracy_test",
    accuracy(),
    "test accuracy",
    "share of test points with sign f(x) = sign y, or argmax_o f_o(x) = argmax_o y_o of several outputs, at the last "
    "record; f(x) = 0 or a tie counts as wrong",
    "Zhang et al. 2017; Wide-network notes, §3.2",
    fitted=False,
)

LINEAR_DISTANCES: Final = tuple(
    Quantity(
        f"linear_distance_{points}",
        supremum(f"linear_distance_{points}"),
        f"distance from the linearised model, {points}",
        f"sup_t ‖f_t − f_t^lin‖ on the {points} points, norm taken in each run, then averaged over seeds; f^lin takes "
        "the same steps f^lin ← f^lin − (η/N) Θ_0 ∂ℓ/∂f",
        "theory.md §2.5; theory.md §7 linear; theory.md §7 general-cost",
    )
    for points in ("train", "test")
)
"""Quantities that several claims are about, and that no figure shows."""

NETWORKS: Final = Findings(
    name="networks",
    quantities=(KERNEL_DRIFT, MOVEMENT_TOTAL, MOVEMENT_RELATIVE, MOVEMENT_OP, LOSS_TRAIN, LOSS_TEST, ACCURACY_TEST),
    headlines=("kernel_drift", "movement_total"),
    level="accuracy_test",
    curves=(
        Curve("loss_train", "train loss", "Train loss"),
        Curve("loss_test", "test loss", "Test loss"),
        Curve("kernel_drift", "kernel drift", "Relative change of the kernel since t = 0"),
        Curve(
            "linear_distance_test",
            "distance from the linearised model",
            "Root mean square over test points of the difference between the network and its linearisation at t = 0",
        ),
        Curve(
            "preactivation_movement",
            "movement of pre-activations",
            "Root mean square over train points and neurons of the change of pre-activations since t = 0, in the "
            "hidden layer where it is the largest,",
            largest_over="hidden",
        ),
        Curve(
            "activation_flips",
            "flipped neurons",
            "Share of pairs of a train point and a neuron whose pre-activation has changed its sign since t = 0, in "
            "the hidden layer where it is the largest,",
            largest_over="hidden",
        ),
        Curve(
            "kernel_alignment",
            "kernel alignment",
            "Alignment of the kernel with the targets, the cosine of the angle between Θ and yyᵀ,",
        ),
        Curve("kernel_cka", "centred alignment", "Centred alignment of the kernel with that at t = 0"),
        Curve("kernel_lambda_min", "smallest eigenvalue", "Smallest eigenvalue of the kernel on the train points"),
        Curve("kernel_effective_rank", "effective rank", "Effective rank of the kernel on the train points"),
        Curve("residual_norm", "residual", "Euclidean norm over train points of the cost's gradient in f"),
    ),
    width_title="Kernel drift and movement against width",
    width_text="The largest relative change of the kernel, and of all parameters, during training.",
    further_figures=(
        "sweepengine.analysis._accuracies:accuracy_figures",
        "sweepengine.analysis._exponent_figures:exponent_figures",
        "sweepengine.analysis._ensemble_figures:ensemble_figures",
        "sweepengine.analysis._kernel_figures:figures_of_kernels",
    ),
    coordinates=("layer",),
)
