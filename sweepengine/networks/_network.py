"""Forward and backward signals of fully connected networks: one pass gives the step and the full kernel.

Shapes: [R,] networks of a group (absent for one network), N points, m width, n_l width of layer l (n_0 = d).
Theory: theory.md §2 (S0 §2). No autograd anywhere; autograd is the oracle in the tests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from sweepengine.networks._activations import ACTIVATIONS

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.networks._parameters import Parameters
    from sweepengine.spec import Architecture


@dataclass(frozen=True)
class Inputs:
    """Inputs prepared once: x σ_w/√d, shape (N, d), and the constant Gram x xᵀ/d, shape (N, N)."""

    scaled: Tensor
    gram: Tensor

    @classmethod
    def prepare(cls, x: Tensor, architecture: Architecture) -> Inputs:
        """From inputs x, shape (N, d)."""
        return cls(scaled=x * (architecture.sigma_w / math.sqrt(x.shape[1])), gram=x @ x.T / x.shape[1])


@dataclass(frozen=True)
class Forward:
    """What a forward pass leaves.

    Attributes
    ----------
    features : list of Tensor, length L
        φ(h^l), l = 1 … L; shapes ([R,] N, m).
    slopes : list of Tensor, length L
        φ'(h^l), likewise.
    outputs : Tensor, shape ([R,] N)
    """

    features: list[Tensor]
    slopes: list[Tensor]
    outputs: Tensor


def _add_product(target: Tensor, a: Tensor, b: Tensor) -> None:
    """``target += a @ b`` in one pass."""
    if target.dim() == 2:
        target.addmm_(a, b)
    else:
        target.baddbmm_(a.expand(target.shape[0], *a.shape[-2:]), b.expand(target.shape[0], *b.shape[-2:]))


class Network:
    """R networks of one architecture and width that differ in seed, γ and α.

    Parameters
    ----------
    architecture : Architecture
    parameters : Parameters
        Changed in place by :meth:`descend`.
    gamma, alpha : Tensor, shape ([R,]), float64
        The output is multiplied by α m^{-γ}; nothing else depends on them (theory.md §1).
    """

    def __init__(self, architecture: Architecture, parameters: Parameters, gamma: Tensor, alpha: Tensor) -> None:
        self.architecture = architecture
        self.parameters = parameters
        self._phi = ACTIVATIONS[architecture.activation]
        m, dtype = float(parameters.width), parameters.readout.dtype
        # Formed in float64 and rounded once, so that a group and a single network use the same numbers.
        self._output_scale = (alpha * m ** (-gamma)).to(dtype).unsqueeze(-1)
        self._speed = (m ** (gamma - 1) / alpha).to(dtype).unsqueeze(-1)
        self._between = architecture.sigma_w / math.sqrt(m)
        self._bias_scale = math.sqrt(m) * architecture.sigma_b

    def forward(self, inputs: Inputs) -> Forward:
        """Features, slopes and outputs on a set of points."""
        p, features, slopes = self.parameters, [], []
        current = inputs.scaled
        for layer, weight in enumerate(p.hidden):
            h = current @ weight.transpose(-1, -2)
            if layer:
                h *= self._between
            if p.biases:
                h += self.architecture.sigma_b * p.biases[layer].unsqueeze(-2)
            current, slope = self._phi(h)
            features.append(current)
            slopes.append(slope)
        outputs = (current @ (p.readout * self.architecture.sigma_a).unsqueeze(-1)).squeeze(-1)
        if p.output_bias is not None:
            outputs = outputs + self._bias_scale * p.output_bias.unsqueeze(-1)
        return Forward(features, slopes, outputs * self._output_scale)

    def backward(self, forward: Forward) -> list[Tensor]:
        """Signals g^l = (m^γ/α) ∂f/∂h^l, l = 1 … L, entries O(1).

        Returns
        -------
        list of Tensor, length L, shapes ([R,] N, m)
        """
        p = self.parameters
        signal = forward.slopes[-1] * (p.readout * self.architecture.sigma_a).unsqueeze(-2)
        signals = [signal]
        for layer in range(len(p.hidden) - 1, 0, -1):
            signal = (signal @ p.hidden[layer]) * self._between
            signal *= forward.slopes[layer - 1]
            signals.append(signal)
        return signals[::-1]

    def kernel(self, inputs: Inputs, forward: Forward, signals: list[Tensor]) -> Tensor:
        """The tangent kernel Θ = σ_a² Φ_L + Σ_l (σ_w² Φ_l + σ_b²) ⊙ G_{l+1} (theory.md §2, S0 §2).

        Returns
        -------
        Tensor, shape ([R,] N, N)
        """
        a, m = self.architecture, self.parameters.width
        bias = a.sigma_b**2
        grams = [inputs.gram, *(phi @ phi.transpose(-1, -2) / m for phi in forward.features)]
        theta = a.sigma_a**2 * grams[-1]
        for gram, signal in zip(grams[:-1], signals, strict=True):
            theta = theta + (a.sigma_w**2 * gram + bias) * (signal @ signal.transpose(-1, -2) / m)
        return theta + bias if a.output_bias else theta

    def descend(
        self, inputs: Inputs, forward: Forward, signals: list[Tensor], residual: Tensor, step_size: float
    ) -> None:
        """One step of gradient descent, θ ← θ + η θ̇ with θ̇ of theory.md §2, in place.

        Parameters
        ----------
        inputs, forward, signals
            Of the training points at the present parameters.
        residual : Tensor, shape ([R,] N)
            ∂cost/∂f; f − y for the squared error.
        step_size : float
            η in units of training time.
        """
        p, a = self.parameters, self.architecture
        # The N residuals carry every scalar factor, so that no pass over an N × m or m × m array is spent on it.
        pull = residual * (self._speed * (-step_size / residual.shape[-1]))
        lower = [inputs.scaled, *(phi for phi in forward.features[:-1])]
        for layer, (weight, signal, phi) in enumerate(zip(p.hidden, signals, lower, strict=True)):
            factor = (pull * self._between if layer else pull).unsqueeze(-1)
            _add_product(weight, signal.transpose(-1, -2), factor * phi)
            if p.biases:
                p.biases[layer].add_((signal.transpose(-1, -2) @ (pull * a.sigma_b).unsqueeze(-1)).squeeze(-1))
        p.readout.add_((forward.features[-1].transpose(-1, -2) @ (pull * a.sigma_a).unsqueeze(-1)).squeeze(-1))
        if p.output_bias is not None:
            p.output_bias.add_(pull.sum(-1) * self._bias_scale)


def network(architecture: Architecture, parameters: Parameters, gamma: list[float], alpha: list[float]) -> Network:
    """A :class:`Network` from plain numbers, one γ and α for each of the R networks of ``parameters``."""
    device = parameters.readout.device
    single = parameters.readout.dim() == 1
    if len(gamma) != len(alpha) or len(gamma) != (1 if single else parameters.readout.shape[0]):
        raise ValueError(
            f"found {len(gamma)} γ and {len(alpha)} α for parameters of shape {tuple(parameters.readout.shape)}"
        )
    values = [torch.tensor(each, dtype=torch.float64, device=device) for each in (gamma, alpha)]
    gammas, alphas = (value[0] if single else value for value in values)
    return Network(architecture, parameters, gammas, alphas)
