"""The backward pass at large width: its recursion, and the Gaussian conditioning lemma behind it (theory.md §4.6)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from sweepengine.theory._activation import ActivationSpec
from sweepengine.theory._architecture import Architecture, architecture
from sweepengine.theory._checks import as_float_array, as_inputs, require_count
from sweepengine.theory._errors import ParameterError, ShapeError
from sweepengine.theory._finite import FiniteNetwork
from sweepengine.theory._layers import layer_kernels
from sweepengine.theory._quadrature import expect_single
from sweepengine.theory._types import Array


def condition_on_product(weights: npt.ArrayLike, phi: npt.ArrayLike, rng: np.random.Generator) -> Array:
    """Return a draw of W conditional on Wφ: W P_φ + W̃ P_φ^⊥, W̃ an independent copy of W (theory.md §4.6).

    Parameters
    ----------
    weights : array (n, m)
        W, with entries N(0, 1).
    phi : array (m, N)
        The features φ, one column for each point.
    rng : numpy Generator
        Draws W̃.

    Returns
    -------
    array (n, m)
        The draw; its product with φ is Wφ to rounding.

    Raises
    ------
    ShapeError
        If the shapes are not (n, m) and (m, N).
    """
    w, known = as_float_array(weights, "weights"), as_float_array(phi, "phi")
    if w.ndim != 2 or known.ndim != 2 or w.shape[1] != known.shape[0]:
        raise ShapeError(f"weights {w.shape} and phi {known.shape}; expected (n, m) and (m, N)")
    basis = scipy.linalg.orth(known)
    fresh = rng.standard_normal(w.shape)
    conditioned: Array = fresh + (w - fresh) @ basis @ basis.T
    return conditioned


@dataclass(frozen=True, slots=True)
class BackwardLayer:
    """Predicted and measured quantities of the backward pass at hidden layer l of one network.

    The signal at layer l is g^l = φ'(h^l) ⊙ z^l (see `FiniteNetwork.backward`).

    Attributes
    ----------
    layer : int
        l = 1 … L.
    predicted, measured : arrays (N, N)
        The limit G_l, and g^l g^lᵀ/m of this network.
    decoupled : array (N, N)
        g^l g^lᵀ/m with independent copies of W¹ … W^{L−1} in the backward pass; the forward pass is the same.
    share_predicted, share_measured : arrays (N,)
        The share ‖P_φ z^l‖²/‖z^l‖² of each point, where P_φ projects on the features φ^l of all points. The prediction
        for l < L is (N − 1 + c)/m, the leading order, with c from `alignment_constant`; for l = L it is N/m, the exact
        mean.
    conditional_predicted, conditional_measured, conditional_error : arrays (N, N)
        Covariance of P_φ^⊥ z^l per free dimension, given the forward pass and g^{l+1}. The prediction is σ_w² G_{l+1}
        of this network; for l = L, where z^L = σ_a a, it is σ_a², the mean of σ_a² ‖a‖²/m. The measurement is
        z P_φ^⊥ zᵀ/(m − rank φ), and its standard error is the one that the lemma implies.
    """

    layer: int
    predicted: Array
    measured: Array
    decoupled: Array
    share_predicted: Array
    share_measured: Array
    conditional_predicted: Array
    conditional_measured: Array
    conditional_error: Array


def alignment_constant(net: Architecture, variance: float) -> float:
    """Return c = E[ω² φ'(h)²]/E φ'(h)², where ω = Wφ/|φ| is the part of h ~ N(0, variance) that the weights make.

    ω explains the share β² = 1 − σ_b²/variance of the variance of h, so that c = β² E[h²φ'²]/(E h² E φ'²) + 1 − β²
    (theory.md §4.6). For σ_b = 0, c is 1 for relu and abs and below 1 for tanh and erf.
    """
    slope = net.activation.derivative
    plain = expect_single(lambda u: np.square(slope(u)), variance)
    aligned = expect_single(lambda u: np.square(u * slope(u)), variance) / (variance * plain)
    explained = 1 - net.sigma_b**2 / variance
    return explained * aligned + 1 - explained


def _projection(states: tuple[Array, Array], net: Architecture, variances: Array | None) -> tuple[Array, Array, Array]:
    """Return (predicted share, measured share, z P^⊥ zᵀ/(m − rank)) for `states` = (features, z), each (N, m)."""
    phi, z = states
    points, width = phi.shape
    basis = scipy.linalg.orth(phi.T)
    inside = z @ basis
    outside = z - inside @ basis.T
    constants = np.ones(points)
    if variances is not None:
        constants = np.array([alignment_constant(net, float(q)) for q in variances])
    predicted = (basis.shape[1] - 1 + constants) / width
    measured = np.square(inside).sum(1) / np.square(z).sum(1)
    return predicted, measured, outside @ outside.T / (width - basis.shape[1])


def _wishart_error(covariance: Array, freedom: int) -> Array:
    """Return the standard error of each entry of a covariance estimated from `freedom` Gaussian vectors of mean 0."""
    variances = np.diagonal(covariance)
    spread: Array = np.sqrt((np.outer(variances, variances) + covariance**2) / freedom)
    return spread


def backward_check(
    x: npt.ArrayLike,
    rng: np.random.Generator,
    *,
    width: int,
    depth: int,
    activation: ActivationSpec,
    sigma_w: float,
    sigma_b: float,
    sigma_a: float | None = None,
) -> tuple[BackwardLayer, ...]:
    """Draw one network and compare its backward pass with the recursion of G_l and with the conditioning lemma.

    Parameters
    ----------
    x : array (N, d)
    rng : numpy Generator
        Draws the network and then the independent copies.
    width : int
        m > N.
    depth, activation, sigma_w, sigma_b, sigma_a
        As in `kernels`.

    Returns
    -------
    tuple of BackwardLayer
        One for each of l = 1 … L.

    Raises
    ------
    ParameterError
        If m ≤ N.
    """
    inputs = as_inputs(x).astype(np.float64)
    if require_count(width, "width") <= inputs.shape[0]:
        raise ParameterError(
            f"width = {width}; expected more than the {inputs.shape[0]} points, or nothing is left of P^⊥"
        )
    net = architecture(depth=depth, activation_spec=activation, sigma_w=sigma_w, sigma_b=sigma_b, sigma_a=sigma_a)
    limits = layer_kernels(
        inputs, depth=depth, activation=net.activation, sigma_w=sigma_w, sigma_b=sigma_b, sigma_a=sigma_a
    )
    network = FiniteNetwork.sample(net, inputs.shape[1], width, rng)
    copies = tuple(rng.standard_normal(w.shape) for w in network.weights)
    hidden = network.forward(inputs)
    g, z = network.backward(hidden)
    free, _ = network.backward(hidden, copies)
    variances = net.points(inputs).variances
    layers = []
    for index in range(depth):
        last = index == depth - 1
        states = (net.activation.function(hidden[index]), z[index])
        # z^L is the read-out itself and independent of φ^L, so that all N directions count alike.
        shares = _projection(states, net, None if last else variances[index + 1])
        conditional = (
            np.full_like(limits.nngp, net.sigma_a**2)
            if last
            else net.sigma_w**2 * g[index + 1] @ g[index + 1].T / width
        )
        measured, decoupled = (signal[index] @ signal[index].T / width for signal in (g, free))
        error = _wishart_error(conditional, width - inputs.shape[0])
        gradients = (limits.gradients[index], measured, decoupled)
        layers.append(BackwardLayer(index + 1, *gradients, *shares[:2], conditional, shares[2], error))
    return tuple(layers)
