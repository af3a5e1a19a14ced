"""Factors of theory.md §4, which no exponent carries: the variables have them at given widths, in float64."""

from __future__ import annotations

import pytest
import torch

from sweepengine.networks import COSTS, Inputs, Law, initialise, learning_rates, network, stack
from sweepengine.observe.measure import Moment, Problem, Recorder
from sweepengine.spec import Architecture
from tests.support.networks_reference import points

N, D, ETA = 6, 6, 0.5
DEEP = Architecture(3, "tanh", 1.3, 0.3, 1.0, output_bias=True)


def measure(a: Architecture, names: tuple[str, ...], width: int, seeds: int, *, steps: int) -> dict[str, torch.Tensor]:
    """The variables after some steps, their first dim the seeds; inputs on the sphere of radius √d."""
    x, y = points(N, D, 1), torch.sign(points(N, 1, 3))[:, 0]
    x = x / x.norm(dim=1, keepdim=True) * D**0.5
    initial = stack([initialise(a, width, D, seed, torch.float64, law=Law()) for seed in range(seeds)])
    scales, rates = ([0.5] * seeds, [1.0] * seeds), learning_rates(a.trained, a.depth)
    inputs = Inputs.prepare(x, a)
    problem = Problem(inputs, inputs, y, y, COSTS["mse"](), ETA)
    start = Moment(network(a, initial, *scales, rates), problem, 0)
    net = network(a, initial.map(torch.clone), *scales, rates)
    for _ in range(steps):
        forward = net.forward(inputs)
        net.descend(inputs, forward, None, forward.outputs - y, ETA)
    return Recorder("networks", names, start).measure(Moment(net, problem, steps))


def test_backward_signals_are_nearly_orthogonal_to_the_features() -> None:
    """Row backward: E ‖P z‖²/‖z‖² = N/m for the read-out, and (N − 1 + c)/m below, with c = 1 for relu."""
    m, seeds = 128, 500
    found = measure(Architecture(2, "relu", 1.4, 0.0, 1.0), ("backward_projection",), m, seeds, steps=0)
    shares = found["backward_projection"] * m
    mean, error = shares.mean(0), shares.std(0) / seeds**0.5
    assert float(error.max()) < 0.2
    for layer in (0, 1):
        assert abs(float(mean[layer]) - N) < 4 * float(error[layer]), layer
        assert abs(float(mean[layer]) - (N - 1)) > 4 * float(error[layer]), layer


def test_what_is_orthogonal_to_the_features_has_the_covariance_of_the_layer_above() -> None:
    """Row conditioning, at t = 0: E z_i P^⊥ z_j = (m − N) G^{l+1}_ij, and m − N for the read-out; not m of them."""
    m, seeds = 48, 500
    found = measure(DEEP, ("backward_covariance", "signal_gram"), m, seeds, steps=0)
    above = torch.cat([found["signal_gram"][:, 1:], torch.ones(seeds, 1, N, N, dtype=torch.float64)], dim=1)
    size = above.mean(0).diagonal(dim1=-2, dim2=-1).mean(-1)
    for factor, holds in ((1.0, True), ((m - N) / m, False)):
        difference = (factor * found["backward_covariance"] - above).diagonal(dim1=-2, dim2=-1).mean(-1) / size
        z = difference.mean(0) / (difference.std(0) / seeds**0.5)
        assert bool((z.abs() < 4).all() if holds else (z < -4).all()), z


def test_kurtosis_and_squared_correlations() -> None:
    """Row nngp, relu: excess kurtosis 15/m at L = 1; corr(h_j², h_k²) is 0 in layer 1 and 5/(2m + 15) in layer 2."""
    m, seeds = 32, 1500
    squares = ("preactivation_square", "preactivation_fourth", "preactivation_square_pair")
    found = measure(Architecture(2, "relu", 2**0.5, 0.0, 1.0), squares, m, seeds, steps=0)
    square, fourth, pair = (found[name].mean(0).numpy() for name in squares)
    correlation = ((pair - square**2) / (fourth - square**2)).mean(1)
    assert abs(correlation[0]) < 0.004
    assert correlation[1] == pytest.approx(5 / (2 * m + 15), rel=0.2)
    one = measure(Architecture(1, "relu", 2**0.5, 0.0, 1.0), ("output_variance",), m, seeds, steps=0)["output_variance"]
    kurtosis = (3 * one.var(0) / one.mean(0) ** 2).mean()
    assert float(kurtosis) == pytest.approx(15 / m, rel=0.15)
    assert float(one.mean()) == pytest.approx(1.0, rel=0.02)
