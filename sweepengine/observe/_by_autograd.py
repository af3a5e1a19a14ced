"""theory.md §1.1 written a second time, for automatic differentiation: an oracle for kernels. Imports torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from sweepengine.networks import Parameters
    from sweepengine.spec import Architecture

    Named = Mapping[str, Tensor]

PHI: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "erf": torch.special.erf,
    "gelu": torch.nn.functional.gelu,
}


def preactivation(a: Architecture, named: Named, x: Tensor, layer: int) -> Tensor:
    """Pre-activations h^layer of one network at points x (N, d), shape (N, n_layer); names of `Parameters.tensors`."""
    phi, below = PHI[a.activation], x
    for each in range(layer):
        h: Tensor = a.sigma_w / below.shape[1] ** 0.5 * below @ named[f"W{each}"].mT
        h = h + a.sigma_b * named[f"b{each}"] if a.sigma_b else h
        below = phi(h)
    return h


def output(a: Architecture, named: Named, x: Tensor, gamma: float, alpha: float) -> Tensor:
    """Outputs f of one network at points x (N, d), shape (N [, k])."""
    h = preactivation(a, named, x, a.depth)
    f = a.sigma_a * PHI[a.activation](h) @ named[f"W{a.depth}"]
    if a.output_bias:
        f = f + h.shape[1] ** 0.5 * a.sigma_b * named[f"b{a.depth}"]
    scaled: Tensor = alpha * h.shape[1] ** -gamma * f
    return scaled


def jacobian(function: Callable[[Named], Tensor], parameters: Parameters, rates: Mapping[str, float]) -> Tensor:
    """Rows ∂f/∂θ √ρ of every number of a function of the parameters, shape (numbers, P); ρ is 1 where not given."""
    named = parameters.tensors()
    parts = torch.func.jacrev(function)(named)
    count = function(named).numel()
    return torch.cat([rates.get(name, 1.0) ** 0.5 * part.reshape(count, -1) for name, part in parts.items()], dim=1)


def hessian_rms(function: Callable[[Named], Tensor], parameters: Parameters, name: str) -> float:
    """Root mean square of the second derivatives of a function of the parameters by those of one name."""
    named = parameters.tensors()
    second = torch.func.jacrev(torch.func.jacrev(lambda tensor: function(named | {name: tensor})))(named[name])
    return float(second.square().mean().sqrt())
