"""theory.md §1.1 written a second time, for autograd, and small helpers that several tests share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from sweepengine.networks import Parameters
    from sweepengine.spec import Architecture

N, D = 5, 6
PHI: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "leaky_relu": lambda h: torch.nn.functional.leaky_relu(h, 0.01),
    "abs": torch.abs,
    "tanh": torch.tanh,
    "erf": torch.erf,
    "gelu": torch.nn.functional.gelu,
    "sin": torch.sin,
    "cos": torch.cos,
    "softplus": lambda h: torch.logaddexp(h, torch.zeros_like(h)),
    "quadratic": torch.square,
    "identity": lambda h: h * 1.0,
}


def points(n: int = N, d: int = D, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, d)))


def relative(found: Tensor, expected: Tensor) -> float:
    assert found.shape == expected.shape
    return float((found - expected).norm() / expected.norm())


def plain_output(a: Architecture, named: Mapping[str, Tensor], x: Tensor, gamma: float, alpha: float) -> Tensor:
    """f, shape (N [, k]); every layer is divided by its own fan-in, the output scaled by the last width."""
    h = a.sigma_w / math.sqrt(x.shape[1]) * x @ named["W0"].T
    for layer in range(a.depth):
        if layer:
            h = a.sigma_w / math.sqrt(h.shape[1]) * PHI[a.activation](h) @ named[f"W{layer}"].T
        if a.sigma_b:
            h = h + a.sigma_b * named[f"b{layer}"]
    m = h.shape[1]
    f = a.sigma_a * PHI[a.activation](h) @ named[f"W{a.depth}"]
    if a.output_bias:
        f = f + math.sqrt(m) * a.sigma_b * named[f"b{a.depth}"]
    scaled: Tensor = f * (alpha * m**-gamma)
    return scaled


class Oracle:
    """Outputs, Jacobian, kernels and speeds by automatic differentiation.

    ``rates`` gives the learning-rate multiplier of a parameter by name; 1 for others.
    """

    def __init__(
        self, a: Architecture, p: Parameters, gamma: float, alpha: float, rates: Mapping[str, float] | None = None
    ) -> None:
        self._a, self._gamma, self._alpha = a, gamma, alpha
        self._leaves = {name: tensor.clone().requires_grad_() for name, tensor in p.tensors().items()}
        self._rates = {name: float((rates or {}).get(name, 1.0)) for name in self._leaves}
        self._speed = p.width ** (2 * gamma - 1) / alpha**2

    def outputs(self, x: Tensor) -> Tensor:
        return plain_output(self._a, self._leaves, x, self._gamma, self._alpha)

    def jacobian(self, x: Tensor) -> Tensor:
        """Rows of ∂f, the outputs' dims first, times the root of each parameter's rate."""
        outputs, leaves = self.outputs(x), list(self._leaves.values())
        roots = [math.sqrt(rate) for rate in self._rates.values()]
        rows = [torch.autograd.grad(each, leaves, retain_graph=True, allow_unused=True) for each in outputs.reshape(-1)]
        flat = [
            torch.cat(
                [
                    root * (torch.zeros_like(leaf) if part is None else part).reshape(-1)
                    for root, leaf, part in zip(roots, leaves, row, strict=True)
                ]
            )
            for row in rows
        ]
        return torch.stack(flat).reshape(*outputs.shape, -1)

    def kernel(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        left, right = self.jacobian(x), self.jacobian(x if other is None else other)
        columns = right.reshape(-1, right.shape[-1])
        kernel: Tensor = self._speed * (left @ columns.T).reshape(*left.shape[:-1], *right.shape[:-1])
        return kernel

    def velocity(self, x: Tensor, risk: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        leaves = list(self._leaves.values())
        parts = torch.autograd.grad(risk(self.outputs(x)), leaves, allow_unused=True)
        return {
            name: -self._speed * self._rates[name] * (torch.zeros_like(leaf) if part is None else part)
            for (name, leaf), part in zip(self._leaves.items(), parts, strict=True)
        }


def traced(kernel: Tensor) -> Tensor:
    """(1/k) Σ_o Θ_{io,jo} of a full kernel; a scalar network's kernel as it is."""
    return kernel if kernel.dim() == 2 else torch.einsum("iojo->ij", kernel) / kernel.shape[1]
