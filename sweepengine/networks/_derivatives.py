"""Derivatives of the output beyond the tangent kernel: along a direction, and the sizes of Jacobian and Hessian blocks.

All of them go through the layers by hand, as the passes do (theory.md §2); autograd is the oracle in the tests. They are
derivatives of the raw output in the raw parameters of theory.md §1: no learning rate and no power of the width of
:mod:`sweepengine.networks._scaling`'s kernel is in them, only α m^{-γ} of the output itself.

φ'' is taken as 0 where φ is piecewise linear (relu, leaky_relu, abs): that is the second derivative away from kinks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from sweepengine.networks._parameters import Parameters
    from sweepengine.networks._passes import Forward, Inputs, Passes
    from sweepengine.networks._propagation import Propagation

_BLOCK_NUMBERS = 2**18
"""Numbers of one m × m matrix for each point and output of a block: points go through the Hessian in blocks of these."""


def directional_derivatives(
    network: Propagation, inputs: Inputs, forward: Forward, direction: Parameters
) -> tuple[Tensor, Tensor]:
    """First and second derivative of ε ↦ f(θ + ε δ) at 0: ⟨∇f, δ⟩ and δᵀ ∇²f δ.

    Parameters
    ----------
    network : Propagation
    inputs : Inputs
    forward : Forward
        Of these points, with its pre-activations.
    direction : Parameters
        δ, of the shapes of the network's parameters.

    Returns
    -------
    first, second : Tensor, shapes ([R,] N [, k])
    """
    p, rows = network.parameters, network.scaling.rows
    depth = len(p.hidden)
    features = inputs.scaled  # the points times the multiplier of W⁰
    first, second = torch.zeros_like(features), torch.zeros_like(features)
    layers = zip(p.hidden, direction.hidden, network.slopes(forward), network.curvatures(forward), strict=True)
    for layer, (weight, moved, slope, curvature) in enumerate(layers):
        scale = rows[f"W{layer}"].forward if layer else 1.0
        along = scale * (features @ moved.mT + first @ weight.mT)
        bent = scale * (2 * first @ moved.mT + second @ weight.mT)
        if direction.biases:
            along = along + rows[f"b{layer}"].forward * direction.biases[layer].unsqueeze(-2)
        first, second = slope * along, slope * bent + curvature * along.square()
        features = forward.features[layer]

    def read(values: Tensor, weights: Tensor) -> Tensor:
        if p.has_output_dim:
            return values @ weights
        return (values @ weights.unsqueeze(-1)).squeeze(-1)

    output = _per_network(network, 2 if p.has_output_dim else 1)
    last, constant = rows[f"W{depth}"].forward, rows[f"b{depth}"].forward
    once = last * (read(features, direction.readout) + read(first, p.readout))
    if direction.output_bias is not None:
        once = once + constant * direction.output_bias.unsqueeze(-2 if p.has_output_dim else -1)
    twice = last * (2 * read(first, direction.readout) + read(second, p.readout))
    return output * once, output * twice


def _per_network(network: Propagation, dims: int) -> Tensor:
    """α m^{-γ}, shape ([R,] 1 …) with ``dims`` ones."""
    output = network.scaling.output
    return output.to(network.parameters.readout.dtype).reshape(*output.shape, *(1,) * dims)


def jacobian_mean_squares(network: Propagation, passes: Passes) -> tuple[Tensor, Tensor]:
    """Mean square of ∂f_o(x)/∂θ over points, outputs and the entries of a parameter, from ‖g‖² and ‖φ‖² alone.

    ∂f_o/∂W^l = α m^{-γ} s_l g^{l+1}_o φ^lᵀ with s_l the forward multiplier; ∂f_o/∂W^L_{o'} vanishes unless o = o'.

    Parameters
    ----------
    network : Propagation
    passes : Passes
        With signals, whatever is trained: see :meth:`Propagation.signals`.

    Returns
    -------
    weights, biases : Tensor of float64, shapes ([R,] L + 1)
        W^0 … W^L and b^0 … b^L; 0 for a parameter that is not trained, NaN for a bias that the network does not have.
    """
    p, rows = network.parameters, network.scaling.rows
    depth, k = len(p.hidden), p.outputs
    points = passes.inputs.points.expand(*passes.forward.features[0].shape[:-1], -1)
    features = [_mean_square(each) for each in (points, *passes.forward.features)]  # of each point, ([R,] N)
    signals = [_mean_square(each) for each in passes.signals]
    if p.has_output_dim:
        signals = [each.mean(-1) for each in signals]
    weights = [rows[f"W{layer}"].forward ** 2 * (features[layer] * signals[layer]).mean(-1) for layer in range(depth)]
    biases = [rows[f"b{layer}"].forward ** 2 * signals[layer].mean(-1) for layer in range(depth)]
    weights.append(rows[f"W{depth}"].forward ** 2 / k * features[depth].mean(-1))
    biases.append(torch.full_like(weights[-1], rows[f"b{depth}"].forward ** 2 / k))
    scale = network.scaling.output.square().unsqueeze(-1)
    trained = [torch.tensor([bool(rows[f"{kind}{layer}"].rate) for layer in range(depth + 1)]) for kind in "Wb"]
    present = torch.tensor([bool(p.biases)] * depth + [p.output_bias is not None])
    by_weight, by_bias = (
        scale * torch.stack(each, dim=-1) * moves.to(scale)
        for each, moves in zip((weights, biases), trained, strict=True)
    )
    return by_weight, torch.where(present.to(scale.device), by_bias, torch.nan)


def _mean_square(values: Tensor) -> Tensor:
    return values.to(torch.float64).square().mean(-1)


def hessian_mean_squares(network: Propagation, passes: Passes) -> Tensor:
    """Mean square of ∂²f_o(x)/∂W^a∂W^b over points, outputs and all entries of a pair of weights, exactly.

    With T^l = ∂h^l/∂h^{a+1}, B = ∂φ^b/∂h^{a+1} and C = ∂g^{b+1}/∂h^{a+1}, for a ≤ b < L

        ∂²f/∂W^a∂W^b = α m^{-γ} s_a s_b (C_{ip} φ^b_j + g^{b+1}_i B_{jp}) φ^a_q

    (i, j of W^b; p, q of W^a; B = 0 for b = a), and α m^{-γ} s_a σ_a B_{jp} φ^a_q with W^L. Its square needs ‖C‖², ‖B‖²
    and one product of vectors, so no Hessian is formed.

    Cost: N m³ L(L − 1)(k + 1) − 2 N m³ (L − 1) operations of matrix products, none for L = 1; blocks of points keep the
    m × m matrices of a block at 2¹⁸ numbers, which stay in cache.

    Parameters
    ----------
    network : Propagation
    passes : Passes
        With signals, whatever is trained, and pre-activations.

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
    ground = _Ground(network, passes, groups)
    for start in range(0, n, block):
        for a, b, squares in ground.pairs(slice(start, min(n, start + block))):
            total[:, a, b] += squares
            if a != b:
                total[:, b, a] += squares
    trained = [bool(rows[f"W{layer}"].rate) for layer in range(depth + 1)]
    entries = [weight[0].numel() if p.is_group else weight.numel() for weight in (*p.hidden, p.readout)]
    share = torch.tensor([moves / count for moves, count in zip(trained, entries, strict=True)], dtype=torch.float64)
    share = share.to(total.device)
    total *= network.scaling.output.square().reshape(-1, 1, 1) * share.outer(share) / (n * k)
    return total if p.is_group else total[0]


class _Ground:
    """A network's arrays with the dims (R, N, k, n) all there, as the Hessian goes through them."""

    def __init__(self, network: Propagation, passes: Passes, groups: int) -> None:
        p, rows = network.parameters, network.scaling.rows
        self.depth, n = len(p.hidden), passes.inputs.points.shape[0]
        points = passes.inputs.points.expand(groups, -1, -1)
        self.phi = [points, *(each.reshape(groups, n, -1) for each in passes.forward.features)]
        slopes, curvatures = network.slopes(passes.forward), network.curvatures(passes.forward)
        self.slope = [
            points,
            *(each.reshape(groups, n, -1) for each in slopes),
        ]  # counted like φ; the first is not used
        self.curvature = [points, *(each.reshape(groups, n, -1) for each in curvatures)]
        self.weights = [each.reshape(groups, 1, *each.shape[-2:]) for each in p.hidden]
        self.scale = [rows[f"W{layer}"].forward for layer in range(self.depth + 1)]
        self.g = [points, *(each.reshape(groups, n, p.outputs, -1) for each in passes.signals)]
        top = p.readout.reshape(groups, 1, p.width, p.outputs).mT * self.scale[-1]
        # What φ' multiplies to make g^l.
        self.u = [
            points,
            *(self.scale[layer] * (self.g[layer + 1] @ self.weights[layer]) for layer in range(1, self.depth)),
        ]
        self.u.append(top.expand(groups, n, -1, -1))

    def pairs(self, rows: slice) -> Iterator[tuple[int, int, Tensor]]:
        """(a, b, Σ of squares over points, outputs and entries, shape (R,)) without α m^{-γ}, for some points."""
        for a in range(self.depth):
            yield from self._with(a, rows)

    def _with(self, a: int, rows: slice) -> Iterator[tuple[int, int, Tensor]]:
        """The pairs (a, b), b ≥ a."""
        depth, scale = self.depth, self.scale
        phi, slope, curvature, g, u = (
            [each[:, rows] for each in many] for many in (self.phi, self.slope, self.curvature, self.g, self.u)
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
        sizes = [_squares(each, 1) for each in phi]
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
    """Sum of squares over the last dims, in float64."""
    return values.square().sum(tuple(range(-dims, 0)), dtype=torch.float64)


def _sum(values: Tensor) -> Tensor:
    return values.sum(-1, dtype=torch.float64)
