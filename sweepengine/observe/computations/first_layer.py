"""The law and the tangent kernel of the first hidden layer. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.observe._at_start import (
    DIM,
    POINTS,
    networks_at_start,
    seconds_at_start,
    sphere_points,
    square_of_mean,
)
from sweepengine.observe._case import Case, cases
from sweepengine.observe._observable import observable
from sweepengine.observe._record_cost import Ingredient
from sweepengine.spec import Architecture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sweepengine.spec import ComputationRun

    Floats = NDArray[np.float64]

_NETWORK: Final = Architecture(2, "relu", 2**0.5, 0.3, 1.0)
_LAYER: Final = {"claim": 1, "twin": 2}
_NEURONS: Final = 32000
"""Neurons that are drawn in all, in networks of the given width."""
_FREQUENCIES: Final = (1, 2)


def _whitened(case: Case) -> Floats:
    """Pre-activations of pairs of neurons times K^−1/2, shape (networks, pairs, 2 N): N(0, I) if neurons are a GP.

    K is the limit of the layer's covariance; the layer is the first, in the case ``twin`` the second.
    """
    import torch

    from sweepengine import theory
    from sweepengine.networks import Inputs

    a, x, layer = _NETWORK, sphere_points(), _LAYER[case.name]
    limits = theory.layer_kernels(x, depth=a.depth, activation=a.activation, sigma_w=a.sigma_w, sigma_b=a.sigma_b)
    whiten = np.linalg.inv(np.linalg.cholesky(limits.preactivations[layer - 1]))
    inputs, pairs = Inputs.prepare(torch.from_numpy(x), a), []
    for group in networks_at_start(a, case.width, _NEURONS // case.width, case.generator()):
        h = group.forward(inputs, keep_preactivations=True).preactivations[layer - 1].numpy()
        neurons = np.swapaxes(whiten @ h, 1, 2)[:, : case.width // 2 * 2]
        pairs.append(neurons.reshape(len(h), -1, 2 * POINTS))
    return np.concatenate(pairs)


def first_layer_covariance(now: Case, _: Case) -> float:
    """Unbiased estimate of ‖E s sᵀ − I‖_F², s the whitened pre-activations of two neurons at all points."""
    s = now.once(_whitened)
    gram = np.swapaxes(s, 1, 2) @ s / s.shape[1] - np.eye(s.shape[2])
    return square_of_mean(gram.reshape(len(s), -1))


def first_layer_characteristic(now: Case, _: Case) -> Floats:
    """Mean of cos(f v·s) for f = 1, 2, with a random unit vector v for each pair of neurons; e^(−f²/2) for N(0, I)."""
    s = now.once(_whitened)
    directions = np.random.Generator(np.random.Philox(np.random.SeedSequence([now.seed, now.width, 1])))
    v = directions.standard_normal(s.shape)
    along = np.sum(v * s, axis=-1) / np.linalg.norm(v, axis=-1)
    return np.array([np.cos(f * along).mean() for f in _FREQUENCIES])


def first_layer_kernel(now: Case, _: Case) -> float:
    """Largest difference of the tangent kernel of all neurons of a layer from K¹ ⊗ I (Θ² ⊗ I), over its largest entry.

    The layer's Jacobian by W and b comes from automatic differentiation.
    """
    import torch

    from sweepengine import theory
    from sweepengine.observe._by_autograd import jacobian, preactivation

    a, layer = _NETWORK, _LAYER[now.name]
    points = sphere_points()
    (group,) = networks_at_start(a, now.width, 1, now.generator())
    p, x = group.parameters.map(lambda tensor: tensor[0]), torch.from_numpy(points)
    rows = jacobian(lambda named: preactivation(a, named, x, layer).mT, p, {})
    limit = a.sigma_w**2 * points @ points.T / DIM + a.sigma_b**2
    if now.name == "twin":
        limits = theory.layer_kernels(
            points, depth=1, activation=a.activation, sigma_w=a.sigma_w, sigma_b=a.sigma_b, output_bias=True
        )
        limit = limits.ntk.astype(np.float64)
    apart = (rows @ rows.mT).numpy() - np.kron(np.eye(now.width), limit)
    return float(np.abs(apart).max() / np.abs(limit).max())


def _seconds(run: ComputationRun) -> float:
    return seconds_at_start(_NETWORK, run.width, _NEURONS // run.width, passes=1)


_WHITENED: Final = Ingredient(seconds=_seconds)
_CHARACTERISTIC: Final = Ingredient(seconds=lambda _: 2.5e-3)
_JACOBIAN: Final = Ingredient(
    # 4 m rows of m² entries are made, and multiplied with each other.
    flops=lambda run: 2.0 * (POINTS * run.width) ** 2 * run.width**2,
    seconds=lambda run: 1.5e-3 + 1e-8 * POINTS * run.width**3,
)

OBSERVABLES = (
    observable(
        "first_layer_covariance", (),
        "unbiased estimate of |E s s' - I|_F^2, s the pre-activations of two neurons at all points, whitened by K; "
        "case twin: of the second layer",
        "theory.md §3.1; Xu 2021, eq 18", kind="computation", measure=first_layer_covariance,
        defined_for=(cases("claim", "twin"),), cost=(_WHITENED,),
    ),
    observable(
        "first_layer_characteristic", ("frequency",),
        "mean of cos(f v.s), f the frequency, v a random unit vector; case twin: of the second layer",
        "theory.md §3.1; Xu 2021, eq 18", kind="computation", measure=first_layer_characteristic,
        defined_for=(cases("claim", "twin"),), cost=(_WHITENED, _CHARACTERISTIC),
        sizes={"frequency": tuple(str(f) for f in _FREQUENCIES)},
    ),
    observable(
        "first_layer_kernel", (),
        "largest difference of the layer's tangent kernel between all neurons from K (x) I; case twin: of the second "
        "layer from its limit",
        "theory.md §3.1; Xu 2021, eq 40; Valle Pérez 2019, §4.1", kind="computation", measure=first_layer_kernel,
        defined_for=(cases("claim", "twin"),), cost=(_JACOBIAN,),
    ),
)  # fmt: skip
