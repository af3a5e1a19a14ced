"""Derivatives of the output along a direction of the parameters, and the size of its Jacobian.

The code goes through the layers by hand, as the passes do (theory.md §2.2); the tests compare it with autograd. The
derivatives are those of the output f in the parameters of theory.md §1.1. They contain the factor α m^{-γ} of the
output, but no learning rate and no other power of the width, unlike the kernel (:mod:`sweepengine.networks._scaling`).

φ'' is taken as 0 where φ is piecewise linear (relu, leaky_relu, abs): that is the second derivative away from kinks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.networks._parameters import Parameters
    from sweepengine.networks._passes import Forward, Inputs, Passes
    from sweepengine.networks._propagation import Propagation


def directional_derivatives(
    network: Propagation, inputs: Inputs, forward: Forward, direction: Parameters
) -> tuple[Tensor, Tensor]:
    """First and second derivative of ε ↦ f(θ + ε δ) at 0: ⟨∇f, δ⟩ and δᵀ ∇²f δ.

    Parameters
    ----------
    network : Propagation
    inputs : Inputs
    forward : Forward
        Forward pass on these points that kept its pre-activations.
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
        With the signals of :meth:`Propagation.signals`, which are made whatever is trained.

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
    device = scale.device
    trained = [
        torch.tensor([bool(rows[f"{kind}{layer}"].rate) for layer in range(depth + 1)], device=device) for kind in "Wb"
    ]
    present = torch.tensor([bool(p.biases)] * depth + [p.output_bias is not None], device=device)
    by_weight, by_bias = (
        scale * torch.stack(squares, dim=-1) * moves.to(scale)
        for squares, moves in zip((weights, biases), trained, strict=True)
    )
    return by_weight, torch.where(present, by_bias, torch.nan)


def _mean_square(values: Tensor) -> Tensor:
    return values.to(torch.float64).square().mean(-1)
