"""The lemmas of the convergence proof (theory.md §3.9): H_0 is near H^∞, and stays near H_0 nearby. Imports no torch.

Four fixed unit points in d = 16; λ_0 = λ_min(H^∞), δ = 0.1. The width is the number of neurons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.observe._case import Case, cases
from sweepengine.observe._observable import observable
from sweepengine.observe._record_cost import Ingredient

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DELTA: Final = 0.1
"""Probability of failure that either lemma allows."""
_POINTS: Final = 4
_D: Final = 16
_TIED: Final = 64
"""Neurons of the twin that share one row of weights: m neurons are m/64 independent ones."""
_TOO_FAR: Final = 1000.0
"""Factor of the twin's radius."""


def _points() -> Floats:
    """Unit points (4, 16), the same for every case, width and seed: the lemmas fix the points and draw the weights."""
    x = np.random.Generator(np.random.Philox(0)).standard_normal((_POINTS, _D))
    unit: Floats = x / np.linalg.norm(x, axis=1, keepdims=True)
    return unit


def _least(x: Floats) -> float:
    from sweepengine import theory  # it imports scipy, for which opening a sweep need not wait

    return theory.least_eigenvalue(theory.h_infinity(x))


def concentration_width(_now: Case, _: Case) -> float:
    """The lemma's width for the points."""
    from sweepengine import theory

    x = _points()
    return theory.concentration_width(_least(x), _POINTS, DELTA, 1.0)


def h_deviation(now: Case, _: Case) -> float:
    """‖H_0 − H^∞‖_op / (λ_0/4)."""
    from sweepengine import theory

    x, neurons = _points(), now.width
    rows = neurons if now.name == "claim" else -(-neurons // _TIED)
    drawn = now.generator().standard_normal((rows, _D))
    weights = np.resize(drawn, (neurons, _D))  # repeats the rows of the twin
    apart = theory.empirical_h(x, weights) - theory.h_infinity(x)
    return float(np.linalg.norm(apart, 2) / (_least(x) / 4))


def _changes(now: Case) -> tuple[float, float, float]:
    """Certificate, adversarial change and change by random Ŵ, each of ‖Ĥ − H‖_F / (λ_0/4)."""
    from sweepengine import theory

    x, generator = _points(), now.generator()
    least = _least(x)
    radius = theory.stability_radius(least, _POINTS, DELTA, 1.0) * (1.0 if now.name == "claim" else _TOO_FAR)
    weights = generator.standard_normal((now.width, _D))
    before = theory.empirical_h(x, weights)
    blind = generator.standard_normal(weights.shape)
    blind *= radius / np.linalg.norm(blind, axis=1, keepdims=True)
    moved = (theory.adversarial_weights(x, weights, radius), weights + blind)
    sizes = [float(np.linalg.norm(theory.empirical_h(x, each) - before)) for each in moved]
    return theory.flip_certificate(x, weights, radius) / (least / 4), sizes[0] / (least / 4), sizes[1] / (least / 4)


def stability_certificate(now: Case, _: Case) -> float:
    """Upper bound of the change over every Ŵ."""
    return now.once(_changes)[0]


def stability_adversarial(now: Case, _: Case) -> float:
    """Change by the Ŵ that pushes every neuron over its nearest boundary."""
    return now.once(_changes)[1]


def stability_random(now: Case, _: Case) -> float:
    """Change by random Ŵ."""
    return now.once(_changes)[2]


_WIDTH: Final = Ingredient(seconds=lambda _: 2.7e-4)
_DEVIATION: Final = Ingredient(seconds=lambda run: 5e-4 + 2e-7 * run.width / (1 if run.case == "claim" else _TIED))
_CHANGES: Final = Ingredient(seconds=lambda run: 4e-4 + 6e-7 * run.width)

OBSERVABLES = (
    observable(
        "concentration_width", (),
        "width of the first lemma, 8 C^4 n^2 log(n(n+1)/delta)/lambda_0^2, for four unit points and delta = 0.1",
        "Du et al. 2019, §3; Wide-network notes, §3.7",
        kind="computation", measure=concentration_width, defined_for=(cases("claim", "twin"),), cost=(_WIDTH,),
    ),
    observable(
        "h_deviation", (),
        "operator norm of H_0 - H^inf over lambda_0/4, for four unit points; case twin: 64 neurons at a time are equal",
        "Du et al. 2019, §3; Wide-network notes, §3.7, first lemma",
        kind="computation", measure=h_deviation, defined_for=(cases("claim", "twin"),),
        cost=(_DEVIATION,),
    ),
    observable(
        "stability_certificate", (),
        "upper bound of the Frobenius norm of H(W') - H(W) over every W' within R, over lambda_0/4; R of the second "
        "lemma at delta = 0.1; case twin: 1000 R",
        "Du et al. 2019, §3; Wide-network notes, §3.7, second lemma", kind="computation", measure=stability_certificate,
        defined_for=(cases("claim", "twin"),), cost=(_CHANGES,),
    ),
    observable(
        "stability_adversarial", (),
        "the same change for the W' that pushes each neuron over its nearest boundary",
        "Du et al. 2019, §3; Wide-network notes, §3.7, second lemma", kind="computation", measure=stability_adversarial,
        defined_for=(cases("claim", "twin"),), cost=(_CHANGES,),
    ),
    observable(
        "stability_random", (),
        "the same change for a W' whose rows lie at random directions, R away",
        "Du et al. 2019, §3; Wide-network notes, §3.7, second lemma", kind="computation", measure=stability_random,
        defined_for=(cases("claim", "twin"),), cost=(_CHANGES,),
    ),
)  # fmt: skip
