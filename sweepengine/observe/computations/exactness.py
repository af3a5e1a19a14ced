"""What holds to rounding at any width: the layerwise identity, and that only α m^−γ matters. Imports no torch."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from sweepengine.observe._at_start import networks_at_start, sphere_points
from sweepengine.observe._case import Case, cases
from sweepengine.observe._observable import observable
from sweepengine.observe._record_cost import Ingredient
from sweepengine.spec import Architecture

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.networks import Inputs, Network, Parameters
    from sweepengine.spec import ComputationRun

_ARCHITECTURES: Final = tuple(
    Architecture(depth, activation, 1.3, sigma_b, 0.8, output_bias=sigma_b > 0)
    for depth, activation, sigma_b in product((1, 2, 3), ("relu", "tanh", "erf", "gelu"), (0.0, 0.4))
)
_SCALES: Final = ((0.5, 1.0, 0.75), (0.75, 3.0, 0.5), (1.0, 1.0, 0.5), (1.0, 0.5, 0.75))
"""γ, α, and another γ."""
_STEP: Final = 0.1


def _parameters(case: Case, architecture: Architecture, widths: list[int], outputs: int) -> Parameters:
    """Parameters of one network, with an output bias if the architecture has one."""
    import torch

    from sweepengine.networks import from_arrays

    generator = case.generator()
    (group,) = networks_at_start(architecture, widths, 1, generator, outputs=outputs)
    arrays = {name: tensor[0].numpy() for name, tensor in group.parameters.tensors().items()}
    arrays[f"b{architecture.depth}"] = generator.standard_normal(outputs)
    return from_arrays(arrays, architecture, torch.float64)


def _train(net: Network, inputs: Inputs, steps: int) -> None:
    import torch

    for _ in range(steps):
        forward = net.forward(inputs)
        net.descend(inputs, forward, None, forward.outputs - torch.ones_like(forward.outputs), _STEP)


def _relative(found: Tensor, expected: Tensor) -> float:
    """Largest difference over the largest entry; 0 where there is none, as for two networks whose neurons are dead."""
    apart = float((found - expected).abs().max())
    return apart / float(expected.abs().max()) if apart else 0.0


def layerwise_identity(now: Case, _: Case) -> float:
    """Largest relative difference of Σ G ⊙ Φ from J Jᵀ by automatic differentiation, over architectures and scales.

    The networks have layers of unlike width and have been trained for three steps. In the case ``twin`` the layerwise
    sum lacks the terms σ_b² of the biases.
    """
    import torch

    from sweepengine.networks import TRAINED, Inputs, learning_rates, network
    from sweepengine.observe._by_autograd import jacobian, output

    x, worst = torch.from_numpy(sphere_points()), 0.0
    settings = list(product(_ARCHITECTURES, (1, 3), TRAINED))
    for index, (a, outputs, trained) in enumerate(settings):
        gamma, alpha, _other = _SCALES[index % len(_SCALES)]
        p = _parameters(now, a, [now.width + 2 * layer for layer in range(a.depth)], outputs)
        rates, inputs = learning_rates(trained, a.depth), Inputs.prepare(x, a)
        net = network(a, p, [gamma], [alpha], rates)
        _train(net, inputs, 3)
        rows = jacobian(partial(output, a, x=x, gamma=gamma, alpha=alpha), p, rates)
        expected = p.width ** (2 * gamma - 1) / alpha**2 * rows @ rows.mT
        dropped = {name: 0.0 for name in rates if name.startswith("b")} if now.name == "twin" else {}
        found = network(a, p, [gamma], [alpha], rates | dropped)
        kernel = found.kernel(*found.passes(inputs)).reshape(expected.shape)
        worst = max(worst, _relative(kernel, expected))
    return worst


def readout_hessian(now: Case, _: Case) -> float:
    """Largest root mean square over architectures of ∂²f/∂W^L∂W^L by automatic differentiation; twin: by W⁰."""
    import torch

    from sweepengine.observe._by_autograd import hessian_rms, output

    x, found = torch.from_numpy(sphere_points()), []
    for a in _ARCHITECTURES:
        p = _parameters(now, a, [now.width] * a.depth, 1)
        name = "W0" if now.name == "twin" else f"W{a.depth}"
        found.append(hessian_rms(partial(output, a, x=x, gamma=0.5, alpha=1.0), p, name))
    return max(found)


class _Differences(NamedTuple):
    """Largest relative differences of two runs after training: of outputs, of kernels, and of parameters."""

    outputs: float
    kernel: float
    parameters: float


def _two_runs(case: Case) -> _Differences:
    """Train pairs of networks from the same parameters with (γ, α) and (γ', α m^(γ'−γ)); case ``twin``: (γ', α)."""
    import torch

    from sweepengine.networks import Inputs, network

    x, found = torch.from_numpy(sphere_points()), []
    for index, (a, centred) in enumerate(product(_ARCHITECTURES, (False, True))):
        gamma, alpha, other = _SCALES[index % len(_SCALES)]
        p = _parameters(case, a, [case.width] * a.depth, 1)
        same = alpha * (p.width ** (other - gamma) if case.name == "claim" else 1.0)
        ends = []
        for each, scale in ((gamma, alpha), (other, same)):
            net = network(a, p.map(torch.clone), [each], [scale])
            inputs = Inputs.prepare(x, a)
            inputs = net.centre(inputs) if centred else inputs
            _train(net, inputs, 20)
            passes = net.passes(inputs)
            moved = torch.cat([tensor.reshape(-1) for tensor in net.parameters.tensors().values()])
            ends.append((passes.forward.outputs, net.kernel(*passes), moved))
        found.append([_relative(second, first) for first, second in zip(*ends, strict=True)])
    return _Differences(*(float(value) for value in np.max(found, axis=0)))


def _hessian_seconds(run: ComputationRun) -> float:
    if run.case == "claim":
        return 1.6e-2
    return 2.5e-2 + 4.6e-5 * run.width**2 + 2.4e-6 * run.width**3  # of the 5 m entries of W⁰


_IDENTITY: Final = Ingredient(seconds=lambda run: 0.18 + 6e-6 * run.width**2)
_HESSIAN: Final = Ingredient(seconds=_hessian_seconds)
_TWO_RUNS: Final = Ingredient(seconds=lambda run: 0.125 + 5e-6 * run.width**2)

OBSERVABLES = (
    observable(
        "layerwise_identity", (),
        "largest relative difference, over 144 networks, of Theta = sum of G x Phi from the Jacobian of automatic "
        "differentiation times its transpose; case twin: without the terms of the biases",
        "theory.md §2.2; Li 2025, §2",
        kind="computation", measure=layerwise_identity, defined_for=(cases("claim", "twin"),),
        cost=(_IDENTITY,),
    ),
    observable(
        "readout_hessian", (),
        "largest root mean square, over 24 networks, of the second derivatives of the output by W^L, by automatic "
        "differentiation; case twin: by W^0",
        "theory.md §4.4; Valle Pérez 2019, §8", kind="computation", measure=readout_hessian,
        defined_for=(cases("claim", "twin"),), cost=(_HESSIAN,),
    ),
    *(
        observable(
            f"equivalence_{name}", (),
            f"largest relative difference, over 48 networks, of the {name} after 20 steps with (gamma, alpha) and with "
            "(gamma', alpha m^(gamma' - gamma)); case twin: with (gamma', alpha)",
            "theory.md §1.5", kind="computation", measure=measure, defined_for=(cases("claim", "twin"),),
            cost=(_TWO_RUNS,),
        )
        for name, measure in (
            ("outputs", lambda now, _: now.once(_two_runs).outputs),
            ("kernel", lambda now, _: now.once(_two_runs).kernel),
            ("parameters", lambda now, _: now.once(_two_runs).parameters),
        )
    ),
)  # fmt: skip
