"""A plain network of finite width, forward and backward, to check the limits (theory.md §1.1, §2.2, γ = 1/2, k = 1).

It is float64 numpy, independent of the engine's network, and not fast.
"""

from dataclasses import dataclass

import numpy as np

from sweepengine.theory._architecture import Architecture
from sweepengine.theory._types import Array


@dataclass(frozen=True, slots=True)
class FiniteNetwork:
    """Parameters of a network of width m, all N(0, 1).

    Attributes
    ----------
    net : Architecture
    weights : L arrays
        W⁰ (m, d), W¹ … W^{L−1} (m, m).
    biases : L arrays (m,)
    read_out : array (m,)
    """

    net: Architecture
    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    read_out: Array

    @classmethod
    def sample(cls, net: Architecture, features: int, width: int, rng: np.random.Generator) -> "FiniteNetwork":
        """Draw all parameters for inputs of dimension `features`."""
        weights = [rng.standard_normal((width, features))]
        weights += [rng.standard_normal((width, width)) for _ in range(net.depth - 1)]
        biases = tuple(rng.standard_normal(width) for _ in range(net.depth))
        return cls(net, tuple(weights), biases, rng.standard_normal(width))

    @property
    def width(self) -> int:
        """Neurons per hidden layer."""
        return int(self.read_out.size)

    def forward(self, x: Array) -> tuple[Array, ...]:
        """Return the pre-activations h¹ … h^L, each (N, m), of x (N, d)."""
        preactivations: list[Array] = []
        below = x
        for w, b in zip(self.weights, self.biases, strict=True):
            preactivations.append(self.net.sigma_w / np.sqrt(below.shape[1]) * below @ w.T + self.net.sigma_b * b)
            below = self.net.activation.function(preactivations[-1])
        return tuple(preactivations)

    def backward(
        self, preactivations: tuple[Array, ...], weights: tuple[Array, ...] | None = None
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Return (g¹ … g^L, z¹ … z^L), each (N, m) (theory.md §2.2, §4.6).

        g^l = φ'(h^l) ⊙ z^l, z^L = σ_a a, z^l = (σ_w/√m)(W^l)ᵀ g^{l+1}.

        Parameters
        ----------
        preactivations : tuple of arrays
            From `forward`.
        weights : tuple of arrays, optional
            Weights of the backward pass, if they are not the network's own but, say, an independent copy.
        """
        through = self.weights if weights is None else weights
        slope = self.net.activation.derivative
        z = [np.broadcast_to(self.net.sigma_a * self.read_out, preactivations[-1].shape)]
        g = [slope(preactivations[-1]) * z[0]]
        for h, w in zip(reversed(preactivations[:-1]), reversed(through[1:]), strict=True):
            z.insert(0, self.net.sigma_w / np.sqrt(self.width) * g[0] @ w)
            g.insert(0, slope(h) * z[0])
        return tuple(g), tuple(z)
