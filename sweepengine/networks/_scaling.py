"""How width, γ and α enter a network: the one table (theory.md §1.1, §1.4, §2.3).

With m = n_L the width of the last hidden layer, n_0 = d, n_l the width of hidden layer l, c = m^{γ-1}/α:

==================  ==========  =====================  =================  ====================================
parameter           init        forward multiplier     rate               speed under gradient flow
==================  ==========  =====================  =================  ====================================
W^l (n_{l+1}, n_l)  N(0, 1)     σ_w/√n_l               ρ, 1 or 0          ρ c σ_w/√n_l · Σ r g^{l+1} φ^lᵀ / N
b^l (n_{l+1})       N(0, 1)     σ_b                    ρ, 1 or 0          ρ c σ_b · Σ r g^{l+1} / N
W^L (m, k)          N(0, 1)     σ_a (then α m^{-γ})    ρ, 1 or 0          ρ c σ_a · Σ r φ^L / N
b^L (k)             N(0, 1)     √m σ_b (then α m^{-γ}) ρ, 1 or 0          ρ c √m σ_b · Σ r / N
==================  ==========  =====================  =================  ====================================

The rate ρ is a learning-rate multiplier: the parameter obeys θ̇ = −ρ (m^{2γ-1}/α²) ∇R. A part that is not trained has
ρ = 0. The kernel is that of the same flow, so each of its terms carries the ρ of its parameter:

    Θ_{io,jp} = δ_op (ρ σ_a² Φ_L + ρ σ_b²)_ij + Σ_l (ρ σ_w² Φ_l + ρ σ_b²)_ij G^{l+1}_{io,jp}
    Φ_l = φ^l φ^lᵀ / n_l,    G_l = g^l g^lᵀ / m    (divided by m = n_L in every layer, whatever n_l is)

A flow whose σ's stand in the initial law is ours with ρ = 1/σ_a² (W^L), d/σ_w² (W⁰), 1/σ_b² (b⁰) (theory.md §1.4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from sweepengine.spec import Architecture

TRAINED = ("all", "hidden_weights", "last_layer")
"""What a network may train: everything; only W⁰ … W^{L-1}, with a fixed; only W^L and b^L (theory.md §1.4)."""


@dataclass(frozen=True)
class Row:
    """One line of the table: forward multiplier and learning-rate multiplier ρ of a parameter."""

    forward: float
    rate: float = 1.0


@dataclass(frozen=True)
class Scaling:
    """The table of R networks that differ in γ and α.

    Attributes
    ----------
    rows : dict
        Name of a parameter (``W0``, ``b0``, …) → :class:`Row`.
    output : Tensor, shape ([R,]), float64
        α m^{-γ}, multiplies the output.
    speed : Tensor, shape ([R,]), float64
        c = m^{γ-1}/α, multiplies every speed.
    """

    rows: dict[str, Row]
    output: Tensor
    speed: Tensor


def scaling_table(
    architecture: Architecture,
    sizes: Sequence[int],
    gamma: Tensor,
    alpha: Tensor,
    rates: Mapping[str, float] | None = None,
) -> Scaling:
    """The table for given widths.

    Parameters
    ----------
    architecture : Architecture
    sizes : sequence of int
        n_0 = d, n_1, …, n_L = m.
    gamma, alpha : Tensor, shape ([R,]), float64
    rates : mapping, optional
        Name of a parameter → ρ ≥ 0, 1 for parameters that are not named; see :func:`learning_rates`.

    Returns
    -------
    Scaling

    Raises
    ------
    ValueError
        A rate is negative or not finite, or names a parameter that no network of this depth has.
    """
    depth, m = architecture.depth, sizes[-1]
    forward = {f"W{layer}": architecture.sigma_w / math.sqrt(sizes[layer]) for layer in range(depth)}
    forward[f"W{depth}"] = architecture.sigma_a
    forward |= {f"b{layer}": architecture.sigma_b for layer in range(depth)}
    forward[f"b{depth}"] = math.sqrt(m) * architecture.sigma_b
    rates = rates or {}
    for name, rate in rates.items():
        if name not in forward:
            raise ValueError(f"no parameter {name!r} to give a rate to; this network has {', '.join(sorted(forward))}")
        if not (math.isfinite(rate) and rate >= 0):
            raise ValueError(f"the rate of {name} is {rate}; a rate is a number ≥ 0, and 0 freezes the parameter")
    rows = {name: Row(value, float(rates.get(name, 1.0))) for name, value in forward.items()}
    return Scaling(rows, alpha * float(m) ** (-gamma), float(m) ** (gamma - 1) / alpha)


def learning_rates(trained: str, depth: int) -> dict[str, float]:
    """The learning-rate multipliers with which a network trains one of :data:`TRAINED`.

    Parameters
    ----------
    trained : str
    depth : int
        L.

    Returns
    -------
    dict
        Name of a parameter → ρ, 1 or 0.

    Raises
    ------
    ValueError
        The name is not one of :data:`TRAINED`.
    """
    if trained not in TRAINED:
        raise ValueError(f"found trained parameters {trained!r}; known are {', '.join(TRAINED)}")
    hidden = 0.0 if trained == "last_layer" else 1.0
    rates = {f"W{layer}": hidden for layer in range(depth)}
    rates |= {f"b{layer}": 1.0 if trained == "all" else 0.0 for layer in range(depth)}
    last = 0.0 if trained == "hidden_weights" else 1.0
    return rates | {f"W{depth}": last, f"b{depth}": last}
