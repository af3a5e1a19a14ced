"""Parameters of a group of networks of equal shape, and the one table of how width enters them.

==================  ===============  =====================  ==========================================
parameter           initial law      forward multiplier     gradient-flow speed (c = m^{γ-1}/α)
==================  ===============  =====================  ==========================================
W⁰  (m × d)         N(0, 1)          σ_w/√d                 c σ_w/√d
W^l (m × m)         N(0, 1)          σ_w/√m                 c σ_w/√m
b^l (m)             N(0, 1)          σ_b                    c σ_b
W^L (m)             N(0, 1)          α m^{-γ} σ_a           c σ_a
b^L (1)             N(0, 1)          α m^{1/2-γ} σ_b        c √m σ_b
==================  ===============  =====================  ==========================================

The speeds multiply Σ_i r_i g_i φ_i / N of the layer (theory.md §2), whatever γ is: the training time is scaled so that
the function always moves with an O(1) kernel (§1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from sweepengine.streams import Role, gaussian_matrix

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from sweepengine.spec import Architecture


@dataclass(frozen=True)
class Parameters:
    """Weights and biases of R networks; the leading dimension R is absent when there is one network only.

    Attributes
    ----------
    hidden : tuple of Tensor
        W^l, l = 0 … L−1; shapes ([R,] m, d) and ([R,] m, m).
    biases : tuple of Tensor
        b^l, l = 0 … L−1, shapes ([R,] m); empty without biases.
    readout : Tensor, shape ([R,] m)
    output_bias : Tensor or None, shape ([R,])
    """

    hidden: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    readout: Tensor
    output_bias: Tensor | None

    @property
    def width(self) -> int:
        """Hidden width m."""
        return self.readout.shape[-1]

    def tensors(self) -> dict[str, Tensor]:
        """All parameters by name: W0, b0, …, W<L>, b<L>."""
        named = {f"W{layer}": weight for layer, weight in enumerate((*self.hidden, self.readout))}
        named |= {f"b{layer}": bias for layer, bias in enumerate(self.biases)}
        if self.output_bias is not None:
            named[f"b{len(self.hidden)}"] = self.output_bias
        return named

    def map(self, function: Callable[[Tensor], Tensor]) -> Parameters:
        """The same with ``function`` applied to every tensor."""
        return replace(
            self,
            hidden=tuple(map(function, self.hidden)),
            biases=tuple(map(function, self.biases)),
            readout=function(self.readout),
            output_bias=None if self.output_bias is None else function(self.output_bias),
        )

    def layer_matrices(self) -> list[Tensor]:
        """For each layer the matrix whose rows are one neuron's parameters.

        Returns
        -------
        list of Tensor, length L + 1
            ([R,] m, d [+ 1]), ([R,] m, m [+ 1]) …, the bias as the last column where there is one; for the read-out
            ([R,] m, 1), one row for each neuron's outgoing weight.
        """
        matrices = list(self.hidden)
        if self.biases:
            matrices = [torch.cat([w, b.unsqueeze(-1)], dim=-1) for w, b in zip(matrices, self.biases, strict=True)]
        return [*matrices, self.readout.unsqueeze(-1)]


def initialise(architecture: Architecture, width: int, d: int, seed: int, dtype: torch.dtype) -> Parameters:
    """Draw one network, every parameter ~ N(0, 1), nested across widths (theory.md §1).

    Parameters
    ----------
    architecture : Architecture
    width, d, seed : int
        Hidden width m, input dimension d.
    dtype : torch.dtype
        The numbers are drawn in float64 and rounded to it.

    Returns
    -------
    network : Parameters
        Without the leading dimension.
    """

    def draw(role: Role, layer: int, rows: int, columns: int) -> Tensor:
        return torch.from_numpy(gaussian_matrix(seed, role, layer, rows, columns)).to(dtype)

    depth = architecture.depth
    has_bias = architecture.sigma_b > 0
    return Parameters(
        hidden=tuple(draw(Role.WEIGHT, layer, width, width if layer else d) for layer in range(depth)),
        biases=tuple(draw(Role.BIAS, layer, width, 1)[:, 0] for layer in range(depth)) if has_bias else (),
        readout=draw(Role.READOUT, depth, width, 1)[:, 0],
        output_bias=draw(Role.OUTPUT_BIAS, depth, 1, 1)[0, 0] if architecture.output_bias else None,
    )


def stack(networks: list[Parameters]) -> Parameters:
    """Put networks of equal shape behind one leading dimension R; a single one stays without it."""
    first = networks[0]
    if len(networks) == 1:
        return first
    columns = zip(*(network.tensors().values() for network in networks), strict=True)
    stacked = iter([torch.stack(column) for column in columns])
    hidden = tuple(next(stacked) for _ in first.hidden)
    readout = next(stacked)
    biases = tuple(next(stacked) for _ in first.biases)
    return Parameters(hidden, biases, readout, None if first.output_bias is None else next(stacked))
