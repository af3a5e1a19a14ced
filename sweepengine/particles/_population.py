"""The population risk of relu particles for one relu neuron, without sampling: a functional like any other.

For x ~ N(0, I_d) both its value and its first variation are known in closed form (Cho & Saul 2009 for
E relu(w·x) relu(v·x), Tian 2017 for its gradient E relu(v·x) 1{w·x > 0} x), so a flow of it has no error of
sampling (theory.md §4.8).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from sweepengine.particles._random_features import relu_network_risk, relu_products

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from sweepengine.particles._partition import Partition

    Array = NDArray[np.float64]


@dataclass(frozen=True)
class ReluPopulationRisk:
    """½E(∫a relu(w·x) dμ − relu(w*·x))² as a functional of the law μ of particles (w, a), x ~ N(0, I_d).

    Attributes
    ----------
    target : ndarray, shape (d,)
        w* ≠ 0.
    """

    target: Array

    def value(self, particles: Tensor, partition: Partition) -> float:
        """Value at the particles (m, d + 1), as those of ``Neuron(d, "relu")``."""
        return relu_network_risk(_numbers(partition.everyone(particles)), self.target) / 2

    def field(self, particles: Tensor, partition: Partition) -> _PopulationField:
        """First variation E(f_μ − f*)(x) a relu(w·x) at the same μ."""
        cloud = _numbers(partition.everyone(particles))
        vectors = np.concatenate([cloud[:, :-1], self.target[None]])
        return _PopulationField(vectors, np.append(cloud[:, -1] / len(cloud), -1.0))


@dataclass(frozen=True)
class _PopulationField:
    """The residual f_μ − f* = Σ_j c_j relu(v_j·x), frozen: vectors v (m + 1, d), coefficients c (m + 1,)."""

    vectors: Array
    coefficients: Array

    def first_variation(self, points: Tensor) -> Tensor:
        cloud = _numbers(points)
        products = relu_products(cloud[:, :-1], self.vectors) @ self.coefficients
        return torch.from_numpy(cloud[:, -1] * products).to(points)

    def velocity(self, points: Tensor) -> Tensor:
        """E relu(v·x) 1{w·x > 0} x = (|v| sin θ w/|w| + (π − θ) v)/2π, θ the angle between w and v."""
        cloud = _numbers(points)
        w, a = cloud[:, :-1], cloud[:, -1]
        lengths = np.linalg.norm(w, axis=1, keepdims=True)
        units = w / np.where(lengths > 0, lengths, 1.0)
        sizes = np.linalg.norm(self.vectors, axis=1)
        angles = np.arccos(np.clip(units @ self.vectors.T / np.where(sizes > 0, sizes, 1.0), -1, 1))
        along = (np.sin(angles) @ (self.coefficients * sizes))[:, None] * units
        pull = (along + ((math.pi - angles) * self.coefficients) @ self.vectors) / (2 * math.pi)
        products = relu_products(w, self.vectors) @ self.coefficients
        return torch.from_numpy(-np.concatenate([a[:, None] * pull, products[:, None]], axis=1)).to(points)


def _numbers(particles: Tensor) -> Array:
    return particles.detach().cpu().to(torch.float64).numpy()
