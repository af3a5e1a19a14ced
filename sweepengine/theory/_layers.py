"""The infinite-width limit layer by layer: what each part of the network contributes to the NTK."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sweepengine.theory._activation import ActivationSpec
from sweepengine.theory._angle import HARD, Kink, add_bias, advance, half_angles_from_directions
from sweepengine.theory._angle_tiles import AnglePoints
from sweepengine.theory._architecture import Architecture, Points, architecture
from sweepengine.theory._checks import as_input_pair, as_inputs
from sweepengine.theory._errors import ParameterError
from sweepengine.theory._types import Array


@dataclass(frozen=True, slots=True)
class LayerKernels:
    """Infinite-width limits of the kernels of every layer, each an array (N1, N2).

    Attributes
    ----------
    preactivations : L arrays
        K¹ … K^L at indices 0 … L − 1: covariance of one unit of h^l (theory.md §3.1).
    features : L + 1 arrays
        Φ_0 = x·x'/d, Φ_1 … Φ_L: limits of φ^l φ^lᵀ/m.
    slopes : L arrays
        E φ'(h^l) φ'(h^l) at indices 0 … L − 1.
    gradients : L arrays
        G_1 … G_L at indices 0 … L − 1: limits of g^l g^lᵀ/m: G_L = σ_a² E φ'φ', G_l = σ_w² E φ'φ' ⊙ G_{l+1}.
    weight_terms : L + 1 arrays
        What training W⁰ … W^L adds to the NTK: σ_w² Φ_l ⊙ G_{l+1}, and σ_a² Φ_L.
    bias_terms : L or L + 1 arrays
        What training b¹ … b^L (and the output bias, if there is one) adds: σ_b² G_l, and σ_b².
    nngp : array
        Covariance of one output.
    """

    preactivations: tuple[Array, ...]
    features: tuple[Array, ...]
    slopes: tuple[Array, ...]
    gradients: tuple[Array, ...]
    weight_terms: tuple[Array, ...]
    bias_terms: tuple[Array, ...]
    nngp: Array

    @property
    def ntk(self) -> Array:
        """The NTK when everything is trained (theory.md §2.2, the layerwise identity)."""
        return self.tangent_kernel(range(len(self.weight_terms)), range(len(self.bias_terms)))

    def tangent_kernel(self, weights: Collection[int], biases: Collection[int] = ()) -> Array:
        """Return the NTK when only the named parts are trained.

        Parameters
        ----------
        weights, biases : collections of int
            Indices into `weight_terms` and `bias_terms`: ([0], []) is W alone for L = 1, ([L], [L]) the
            last layer with its bias (theory.md §3.5).
        """
        for chosen, terms, name in ((weights, self.weight_terms, "weights"), (biases, self.bias_terms, "biases")):
            unknown = sorted(set(chosen) - set(range(len(terms))))
            if unknown:
                raise ParameterError(f"{name} {unknown}: there are only 0 … {len(terms) - 1}")
        total = np.zeros_like(self.nngp)
        for term in (*(self.weight_terms[i] for i in weights), *(self.bias_terms[i] for i in biases)):
            total += term
        return total


def _smooth_layers(net: Architecture, points: tuple[Points, Points], products: Array) -> Iterator[tuple[Array, ...]]:
    """Yield (K^l, E φφ, E φ'φ') for l = 1 … L by the covariance recursion, from `products` = x·x'."""
    k = net.first_layer(products.copy(), points[0].x.shape[1])
    for (weight, bias), first, second in zip(net.affine, *(each.factors for each in points), strict=True):
        value, slope = net.activation.dual.of_pair(first[:, :, None], second, k)
        yield k, value, slope
        k = weight * value + bias


def _angle_layers(
    net: Architecture, points: tuple[Points, Points], slopes: tuple[float, float]
) -> Iterator[tuple[Array, ...]]:
    """Yield (K^l, E φφ, E φ'φ') for l = 1 … L by the recursion of `_angle` in (v, y), for all pairs alike."""
    kink = Kink.of(*slopes)
    first, second = (AnglePoints.of(each, net, kink) for each in points)
    radii = [np.sqrt(a)[:, None] * np.sqrt(b) for a, b in zip(*(each.variances for each in points), strict=True)]
    rho: Array = first.directions @ second.directions.T
    v: Array = (1 - rho) / 2
    y: Array = (1 + rho) / 2
    hard = np.nonzero((v < HARD) | (y < HARD))
    v[hard], y[hard] = half_angles_from_directions(first.directions, second.directions, *hard)
    for layer in range(net.depth):
        before = radii[layer] * (y - v)
        v, y, kappa = advance(v, y, kink)
        yield before, kink.gain * radii[layer] * (y - v), kink.gain * kappa
        if layer < net.depth - 1:
            s1, s2 = first.weights[layer][:, None], second.weights[layer]
            t1, t2 = first.biases[layer][:, None], second.biases[layer]
            v, y = add_bias(v, y, (s1, s2), (t1, t2))


def _assemble(net: Architecture, layers: list[tuple[Array, ...]], dot: Array, dtype: np.dtype[Any]) -> LayerKernels:
    """Return the limits in `dtype`, from `layers` = (K^l, E φφ, E φ'φ') for l = 1 … L and `dot` = x·x'/d."""
    before, values, slopes = ([layer[i] for layer in layers] for i in range(3))
    gradients = [net.sigma_a**2 * slopes[-1]]
    for slope in reversed(slopes[:-1]):
        gradients.insert(0, net.sigma_w**2 * slope * gradients[0])
    features = [dot, *values]
    weight_terms = [net.sigma_w**2 * phi * g for phi, g in zip(features[:-1], gradients, strict=True)]
    weight_terms.append(net.sigma_a**2 * features[-1])
    bias_terms = [net.sigma_b**2 * g for g in gradients]
    if net.output_bias:
        bias_terms.append(np.full_like(dot, net.sigma_b**2))
    nngp = weight_terms[-1] + net.affine[-1][1]

    def cast(arrays: list[Array]) -> tuple[Array, ...]:
        return tuple(a.astype(dtype, copy=False) for a in arrays)

    return LayerKernels(
        preactivations=cast(before),
        features=cast(features),
        slopes=cast(slopes),
        gradients=cast(gradients),
        weight_terms=cast(weight_terms),
        bias_terms=cast(bias_terms),
        nngp=cast([nngp])[0],
    )


def layer_kernels(
    x1: npt.ArrayLike,
    x2: npt.ArrayLike | None = None,
    *,
    depth: int,
    activation: ActivationSpec,
    sigma_w: float,
    sigma_b: float,
    sigma_a: float | None = None,
    output_bias: bool = False,
) -> LayerKernels:
    """Return the limits of all layers, computed in float64 and returned in the dtype of the inputs.

    Parameters
    ----------
    x1, x2, depth, activation, sigma_w, sigma_b, sigma_a, output_bias
        As in `kernels`.
    """
    net = architecture(
        depth=depth,
        activation_spec=activation,
        sigma_w=sigma_w,
        sigma_b=sigma_b,
        sigma_a=sigma_a,
        output_bias=output_bias,
    )
    first, second = as_input_pair(as_inputs(x1, "x1"), x1 if x2 is None else x2)
    points = net.points(first), net.points(second)
    products = first.astype(np.float64) @ second.astype(np.float64).T
    layers: list[tuple[Array, ...]] = list(
        _smooth_layers(net, points, products)
        if net.activation.slopes is None
        else _angle_layers(net, points, net.activation.slopes)
    )
    return _assemble(net, layers, products / first.shape[1], first.dtype)
