"""Backward signals at t = 0: their Gram matrices, and their share within the features. Imports no torch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from sweepengine.observe._at_start import incoming_signals, networks_at_start, seconds_at_start, sphere_points
from sweepengine.observe._case import Case, cases
from sweepengine.observe._observable import observable
from sweepengine.observe._record_cost import Ingredient
from sweepengine.spec import Architecture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sweepengine.spec import ComputationRun

    Floats = NDArray[np.float64]

_DEPTH: Final = 3
_LAYERS: Final = tuple(str(layer) for layer in range(1, _DEPTH + 1))
_RELU: Final = Architecture(_DEPTH, "relu", 2**0.5, 0.0, 1.0)
_TANH: Final = Architecture(_DEPTH, "tanh", 2.0, 0.3, 1.0)
_NETWORKS: Final = {"deep_relu": _RELU, "deep_tanh": _TANH, "unequal_tanh": _TANH, "own_widths": _TANH}
"""Cases; σ_w = 2 makes c far from 1 for tanh."""
_RATIOS: Final = {"unequal_tanh": (3.0, 1.5, 1.0), "own_widths": (3.0, 1.5, 1.0)}
"""Widths of the layers over m = n_L, where they are not equal."""
_GRAM_COPIES: Final = 6
_SHARE_COPIES: Final = 600
_SHARE_POINTS: Final = 3


def _settings(a: Architecture) -> dict[str, Any]:
    return {name: getattr(a, name) for name in ("depth", "activation", "sigma_w", "sigma_b", "sigma_a")}


def _norm(matrices: Floats) -> Floats:
    sizes: Floats = np.linalg.norm(matrices, axis=(-2, -1))
    return sizes


def _widths(case: str, width: int) -> list[int]:
    return [round(ratio * width) for ratio in _RATIOS.get(case, (1.0,) * _DEPTH)]


class _Distances(NamedTuple):
    """Root mean square over layers of ‖G_l − limit‖/‖limit‖, mean over networks.

    Attributes
    ----------
    own, copy
        With the network's own W¹ … W^{L−1} in the backward pass, and with an independent copy.
    """

    own: float
    copy: float


def _distances(case: Case) -> _Distances:
    """Measure networks of a case; in ``own_widths`` G_l is divided by n_l in place of n_L."""
    import torch

    from sweepengine import theory
    from sweepengine.networks import Inputs, Passes, network

    a, x, generator = _NETWORKS[case.name], sphere_points(), case.generator()
    limits = np.stack(theory.layer_kernels(x, **_settings(a)).gradients).astype(np.float64)
    widths = _widths(case.name, case.width)
    divided = case.width / np.array(widths)[:, None, None] if case.name == "own_widths" else 1.0
    inputs, found = Inputs.prepare(torch.from_numpy(x), a), []
    pairs = (networks_at_start(a, widths, _GRAM_COPIES, generator) for _ in range(2))
    for net, other in zip(*pairs, strict=True):
        forward, p = net.forward(inputs), net.parameters
        mixed = replace(p, hidden=(p.hidden[0], *other.parameters.hidden[1:]))
        through = network(a, mixed, [0.5] * len(p.readout), [1.0] * len(p.readout))
        own, copy = (
            torch.stack(each.grams(Passes(inputs, forward, each.signals(forward))).signals, dim=1).numpy() * divided
            for each in (net, through)
        )
        relative = np.stack([own - limits, copy - limits]) / _norm(limits)[:, None, None]
        found.append(np.sqrt((_norm(relative) ** 2).mean(-1)))
    return _Distances(*(float(value) for value in np.concatenate(found, axis=1).mean(1)))


class _Constants(NamedTuple):
    """m E ‖P_φ z‖²/‖z‖² − (N − 1) by layer, shape (L,): mean over networks and points; and its limit c."""

    measured: Floats
    limit: Floats


def _constants(case: Case) -> _Constants:
    import torch

    from sweepengine import theory
    from sweepengine.networks import Inputs
    from sweepengine.observe._linalg import row_basis

    a, x = _NETWORKS[case.name], sphere_points(_SHARE_POINTS)
    inputs, shares = Inputs.prepare(torch.from_numpy(x), a), []
    for net in networks_at_start(a, case.width, _SHARE_COPIES, case.generator()):
        passes, of_layers = net.passes(inputs), []
        for phi, z in zip(passes.forward.features, incoming_signals(net, passes), strict=True):
            within = z @ row_basis(phi, torch.float64).mT
            of_layers.append((within.square().sum(-1) / z.square().sum(-1)).mean(-1))
        shares.append(torch.stack(of_layers, dim=-1).numpy())
    layers = theory.backward_check(x, case.generator(), width=case.width, **_settings(a))
    predicted = np.array([layer.share_predicted.mean() for layer in layers])
    measured: Floats = np.concatenate(shares).mean(0)
    return _Constants(*(case.width * share - (_SHARE_POINTS - 1) for share in (measured, predicted)))


def _distances_seconds(run: ComputationRun) -> float:
    drawn = seconds_at_start(_NETWORKS[run.case], _widths(run.case, run.width), 2 * _GRAM_COPIES, passes=3)
    return drawn + (1e-3 if run.case == "deep_relu" else 1.2e-2)  # limits: in closed form, or by quadrature


def _constants_seconds(run: ComputationRun) -> float:
    return seconds_at_start(_NETWORKS[run.case], run.width, _SHARE_COPIES, passes=3, points=_SHARE_POINTS) + 1.5e-2


_DISTANCES: Final = Ingredient(seconds=_distances_seconds)
_CONSTANTS: Final = Ingredient(seconds=_constants_seconds)

OBSERVABLES = (
    *(
        observable(
            f"signal_gram_{name}", (),
            f"|G_l - limit|/|limit|{what}, root mean square over layers, mean over networks; case own_widths: of "
            "g g'/n_l",
            "theory.md §4.6; Li 2025, §2", kind="computation", measure=measure,
            defined_for=(cases(*_NETWORKS),),
            cost=(_DISTANCES,),
        )
        for name, what, measure in (
            ("own", "", lambda now, _: now.once(_distances).own),
            ("copy", " with an independent copy of W in the backward pass", lambda now, _: now.once(_distances).copy),
        )
    ),
    *(
        observable(
            f"backward_{name}", ("hidden_layer",), what, "theory.md §4.6; Li 2025, lemma 1", kind="computation",
            measure=measure, defined_for=(cases("deep_relu", "deep_tanh"),), sizes={"hidden_layer": _LAYERS},
            cost=(_CONSTANTS,),
        )
        for name, what, measure in (
            ("constant", "m E(|P_phi z|^2/|z|^2) - (N - 1), mean over networks and points",
             lambda now, _: now.once(_constants).measured),
            ("constant_limit", "its limit c, from the law of h^(l+1); 1 in the last layer",
             lambda now, _: now.once(_constants).limit),
        )
    ),
)  # fmt: skip
