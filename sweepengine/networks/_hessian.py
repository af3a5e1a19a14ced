"""Mean squares of the blocks of the output's Hessian, without forming the Hessian (theory.md §4.4).

φ'' is taken as 0 where φ is piecewise linear (relu, leaky_relu, abs): that is the second derivative away from kinks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Tensor

    from sweepengine.networks._passes import Passes
    from sweepengine.networks._propagation import Propagation

_BLOCK_NUMBERS = 2**18
"""Size of a block of points: the count of numbers in one m × m matrix for each point and output of the block."""


def hessian_mean_squares(network: Propagation, passes: Passes) -> Tensor:
    """Mean square of ∂²f_o(x)/∂W^a∂W^b over points, outputs and all entries of a pair of weights, exactly.

    With T^l = ∂h^l/∂h^{a+1}, B = ∂φ^b/∂h^{a+1} and C = ∂g^{b+1}/∂h^{a+1}, for a ≤ b < L

        ∂²f/∂W^a∂W^b = α m^{-γ} s_a s_b (C_{ip} φ^b_j + g^{b+1}_i B_{jp}) φ^a_q

    (i, j of W^b; p, q of W^a; B = 0 for b = a), and α m^{-γ} s_a σ_a B_{jp} φ^a_q with W^L. The sum of
    squares needs ‖C‖², ‖B‖² and one product of vectors, so no Hessian is formed.

    Cost: N m³ L(L − 1)(k + 1) − 2 N m³ (L − 1) operations of matrix products, none for L = 1. Points are taken in
    blocks whose m × m matrices have 2¹⁸ numbers, so that they stay in cache.

    Parameters
    ----------
    network : Propagation
    passes : Passes
        With pre-activations, and with the signals of :meth:`Propagation.signals`, which are made whatever is trained.

    Returns
    -------
    Tensor of float64, shape ([R,] L + 1, L + 1)
        Symmetric; 0 for a weight that is not trained, and for the last layer with itself.
    """
    p, rows = network.parameters, network.scaling.rows
    depth, k = len(p.hidden), p.outputs
    groups = p.readout.shape[0] if p.is_group else 1
    total = torch.zeros(groups, depth + 1, depth + 1, dtype=torch.float64, device=p.readout.device)
    n = passes.inputs.points.shape[0]
    block = max(1, _BLOCK_NUMBERS // (groups * k * max(p.sizes[1:]) ** 2))
    layers = _Layers(network, passes, groups)
    for start in range(0, n, block):
        for a, b, squares in layers.pairs(slice(start, min(n, start + block))):
            total[:, a, b] += squares
            if a != b:
                total[:, b, a] += squares
    trained = [bool(rows[f"W{layer}"].rate) for layer in range(depth + 1)]
    entries = [weight[0].numel() if p.is_group else weight.numel() for weight in (*p.hidden, p.readout)]
    shares = [moves / count for moves, count in zip(trained, entries, strict=True)]
    share = torch.tensor(shares, dtype=torch.float64, device=total.device)
    total *= network.scaling.output.square().reshape(-1, 1, 1) * share.outer(share) / (n * k)
    return total if p.is_group else total[0]


class _Layers:
    """A network's arrays by layer, as the sum over the Hessian uses them: R and k are dims even if they are 1."""

    def __init__(self, network: Propagation, passes: Passes, groups: int) -> None:
        p, n = network.parameters, passes.inputs.points.shape[0]
        self.depth = depth = len(p.hidden)

        def by_layer(arrays: Iterable[Tensor], *outputs: int) -> dict[int, Tensor]:
            return {layer: array.reshape(groups, n, *outputs, -1) for layer, array in enumerate(arrays, start=1)}

        self.scale = [network.scaling.rows[f"W{layer}"].forward for layer in range(depth + 1)]
        self.weights = [each.reshape(groups, 1, *each.shape[-2:]) for each in p.hidden]
        self.phi = {0: passes.inputs.points.expand(groups, -1, -1)} | by_layer(passes.forward.features)
        self.slope = by_layer(network.slopes(passes.forward))
        self.curvature = by_layer(network.curvatures(passes.forward))
        self.g = by_layer(passes.signals, p.outputs)
        # u^l, with g^l = φ'(h^l) ⊙ u^l.
        self.u = {layer: self.scale[layer] * (self.g[layer + 1] @ self.weights[layer]) for layer in range(1, depth)}
        top = self.scale[depth] * p.readout.reshape(groups, 1, p.width, p.outputs).mT
        self.u[depth] = top.expand(groups, n, -1, -1)

    def pairs(self, rows: slice) -> Iterator[tuple[int, int, Tensor]]:
        """(a, b, sum of squares over some points, all outputs and entries, shape (R,)) for a ≤ b, without α m^{-γ}."""
        for a in range(self.depth):
            yield from self._with(a, rows)

    def _with(self, a: int, rows: slice) -> Iterator[tuple[int, int, Tensor]]:
        """The pairs (a, b) of one a."""
        depth, scale = self.depth, self.scale
        phi, slope, curvature, g, u = (
            {layer: array[:, rows] for layer, array in arrays.items()}
            for arrays in (self.phi, self.slope, self.curvature, self.g, self.u)
        )
        # Up: T^l for l > a + 1 (T^{a+1} is the identity), ‖B‖² (R, N) and Bᵀφ^b (R, N, n_{a+1}).
        first = slope[a + 1]
        tangents: dict[int, Tensor] = {}
        inner: dict[int, Tensor] = {}
        b_square, b_phi = {a + 1: _squares(first, 1)}, {a + 1: first * phi[a + 1]}
        for layer in range(a + 1, depth):
            weight = scale[layer] * self.weights[layer]
            tangents[layer + 1] = weight @ inner[layer] if layer in inner else weight * first.unsqueeze(-2)
            inner[layer + 1] = slope[layer + 1].unsqueeze(-1) * tangents[layer + 1]
            b_square[layer + 1] = _squares(inner[layer + 1], 2)
            b_phi[layer + 1] = (phi[layer + 1].unsqueeze(-2) @ inner[layer + 1]).squeeze(-2)
        sizes = {layer: _squares(each, 1) for layer, each in phi.items()}
        outer = (scale[a] ** 2) * sizes[a]
        yield a, depth, (scale[depth] ** 2 * outer * b_square[depth]).sum(-1) * u[depth].shape[-2]
        # Down: C^l = ∂g^l/∂h^{a+1}, (R, N, k, n_l, n_{a+1}).
        bend = u[depth] * curvature[depth].unsqueeze(-2)
        if a + 1 == depth:  # C is diagonal
            yield a, a, (outer * scale[a] ** 2 * sizes[a] * _squares(bend, 2)).sum(-1)
            return
        c = bend.unsqueeze(-1) * tangents[depth].unsqueeze(-3)
        for b in range(depth - 1, a, -1):
            signal = g[b + 1]
            mixed = (signal.unsqueeze(-2) @ c).squeeze(-2).sum(-2) * b_phi[b]
            squares = _squares(c, 3) * sizes[b] + _squares(signal, 2) * b_square[b] + 2 * _sum(mixed)
            yield a, b, (outer * scale[b] ** 2 * squares).sum(-1)
            bend = u[b] * curvature[b].unsqueeze(-2)
            c = slope[b].unsqueeze(-2).unsqueeze(-1) * (scale[b] * self.weights[b].mT.unsqueeze(-3) @ c)
            if b == a + 1:
                c.diagonal(dim1=-2, dim2=-1).add_(bend)
            else:
                c += bend.unsqueeze(-1) * tangents[b].unsqueeze(-3)
        yield a, a, (outer * scale[a] ** 2 * sizes[a] * _squares(c, 3)).sum(-1)


def _squares(values: Tensor, dims: int) -> Tensor:
    """Sum of squares over the last ``dims`` dims, in float64."""
    return values.square().sum(tuple(range(-dims, 0)), dtype=torch.float64)


def _sum(values: Tensor) -> Tensor:
    return values.sum(-1, dtype=torch.float64)
