"""The backward signals outside the span of the features, given the forward pass (theory.md §4.6). Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.observe._at_start import (
    incoming_signals,
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

_NETWORK: Final = Architecture(3, "tanh", 2.0, 0.3, 1.0)
_LAYERS: Final = ("1", "2", "3")
_POINTS: Final = 3
_COPIES: Final = 2000
_FREQUENCY: Final = 1.5


def _whitened(case: Case) -> list[Floats]:
    """G_{l+1}^−1/2 z^l B for l = 1 … L, B an orthonormal basis of the complement of the features' span.

    Shapes (networks, N, n_l − N), and (networks, 1, m − N) for the read-out, which has the covariance 1. Given the
    forward pass they are N(0, I) if P_φ^⊥ z has the covariance G_{l+1} ⊗ P_φ^⊥. In the case ``twin`` B spans the
    features.
    """
    import torch

    from sweepengine.networks import Inputs

    x, found = sphere_points(_POINTS), []
    inputs = Inputs.prepare(torch.from_numpy(x), _NETWORK)
    for net in networks_at_start(_NETWORK, case.width, _COPIES, case.generator()):
        passes = net.passes(inputs)
        above = [*net.grams(passes).signals[1:], torch.ones(1, 1, dtype=torch.float64)]
        of_layers = []
        for phi, z, gram in zip(passes.forward.features, incoming_signals(net, passes), above, strict=True):
            basis = torch.linalg.qr(phi.mT, mode="complete").Q
            chosen = basis[..., :_POINTS] if case.name == "twin" else basis[..., _POINTS:]
            of_layers.append(
                torch.linalg.solve_triangular(torch.linalg.cholesky(gram), z @ chosen, upper=False).numpy()
            )
        found.append(of_layers)
    return [np.concatenate(layer) for layer in zip(*found, strict=True)]


def conditional_covariance(now: Case, _: Case) -> Floats:
    """Unbiased estimate of ‖E u uᵀ/(n_l − N) − I‖_F² over points, u the whitened signals."""
    found = []
    for u in now.once(_whitened):
        gram = u @ np.swapaxes(u, 1, 2) / u.shape[2] - np.eye(u.shape[1])
        found.append(square_of_mean(gram.reshape(len(u), -1)))
    return np.array(found)


def conditional_dispersion(now: Case, _: Case) -> Floats:
    """E (‖u‖² − D)²/(2D), D numbers in u: 1 if ‖u‖² is χ²_D whatever the forward pass is, more if its scale varies."""
    sums = [(np.sum(u**2, axis=(1, 2)), u[0].size) for u in now.once(_whitened)]
    return np.array([np.mean((s - size) ** 2) / (2 * size) for s, size in sums])


def conditional_characteristic(now: Case, _: Case) -> Floats:
    """Mean of cos(1.5 v·u), v a random unit vector for each network; e^(−1.5²/2) = .3247 for N(0, I)."""
    directions = np.random.Generator(np.random.Philox(np.random.SeedSequence([now.seed, now.width, 1])))
    found = []
    for u in now.once(_whitened):
        v = directions.standard_normal(u.shape)
        along = np.sum(v * u, axis=(1, 2)) / np.linalg.norm(v, axis=(1, 2))
        found.append(np.cos(_FREQUENCY * along).mean())
    return np.array(found)


def _seconds(run: ComputationRun) -> float:
    bases = 5e-7 * _COPIES * run.width  # of each layer's features, as long as layers are narrow
    return seconds_at_start(_NETWORK, run.width, _COPIES, passes=3, points=_POINTS) + bases


_WHITENED: Final = Ingredient(seconds=_seconds)

OBSERVABLES = tuple(
    observable(
        name, ("hidden_layer",),
        f"{what}; u the backward signals outside the span of the features, whitened by G_(l+1); case twin: within it",
        "theory.md §4.6; Li 2025, lemma 1", kind="computation", measure=measure,
        defined_for=(cases("claim", "twin"),), sizes={"hidden_layer": _LAYERS},
        cost=(_WHITENED,),
    )
    for name, what, measure in (
        ("conditional_covariance", "unbiased estimate of |E u u'/(n_l - N) - I|_F^2", conditional_covariance),
        ("conditional_dispersion", "E (|u|^2 - D)^2/(2 D), D the size of u", conditional_dispersion),
        ("conditional_characteristic", "mean of cos(1.5 v.u), v a random unit vector", conditional_characteristic),
    )
)  # fmt: skip
