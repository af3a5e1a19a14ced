"""Observables of the forward and backward signals of the layers. Imports no torch."""

from __future__ import annotations

from functools import partial

from sweepengine.observe._conditions import LAYERS
from sweepengine.observe._observable import observable
from sweepengine.observe._record_cost import FREE
from sweepengine.observe.network_costs import PREACTIVATIONS, PROJECTION

_of = partial(observable, kind="networks", measure="sweepengine.observe._signal_measures")

OBSERVABLES = (
    _of("preactivation_movement", ("hidden",),
        "root mean square over points and neurons of the change of pre-activations",
        "theory.md §7 preact; Valle Pérez 2019, §5.3",
        cost=(PREACTIVATIONS,), defined_for=(LAYERS,)),
    _of("activation_flips", ("hidden",), "share of (point, neuron) pairs whose pre-activation has changed its sign",
        "Wide-network notes, §3.7", cost=(PREACTIVATIONS,), defined_for=(LAYERS,)),
    _of("preactivation_square", ("hidden", "i"), "mean over neurons j of h_j^2 at a training point",
        "theory.md §7 nngp; theory.md §7 first-layer", cost=(PREACTIVATIONS,), defined_for=(LAYERS,)),
    _of("preactivation_fourth", ("hidden", "i"), "mean over neurons j of h_j^4 at a training point",
        "theory.md §7 nngp; theory.md §7 first-layer", cost=(PREACTIVATIONS,), defined_for=(LAYERS,)),
    _of("preactivation_square_pair", ("hidden", "i"),
        "mean over neurons j != k of h_j^2 h_k^2 at a training point; over seeds, with E the mean, corr(h_j^2, "
        "h_k^2) = (E pair - (E square)^2) / (E fourth - (E square)^2)", "theory.md §7 nngp", cost=(PREACTIVATIONS,),
        defined_for=(LAYERS,)),
    _of("output_variance", ("i",),
        "V = sigma_a^2 |phi^L|^2 / m, plus sigma_b^2 with an output bias; 3 Var V / (E V)^2 over seeds is the "
        "excess kurtosis of the uncentred output at t = 0 with a Gaussian read-out", "theory.md §4.5; Xu 2021, §3",
        cost=FREE, defined_for=(LAYERS,)),
    _of("backward_projection", ("hidden",),
        "share of |z|^2 in the span of phi^l over the training points, mean over points and outputs; z^l = W^l' "
        "g^(l+1), z^L the read-out", "theory.md §4.6; Li 2025, lemma 1", cost=(PROJECTION,), defined_for=(LAYERS,)),
    _of("backward_covariance", ("hidden", "i", "j"),
        "covariance over the directions orthogonal to phi^l of z^l = W^l' g^(l+1) / sqrt(m) and z^L, the read-out: "
        "its product over their number, for several outputs the mean over equal ones; its mean given the forward "
        "pass at t = 0 is G_(l+1), and 1 for l = L; NaN where phi^l spans everything",
        "theory.md §4.6; Li 2025, lemma 1", cost=(PROJECTION,), defined_for=(LAYERS,)),
)  # fmt: skip
