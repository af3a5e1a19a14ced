"""Factors of theory.md §4, which no exponent carries: the variables have them at given widths, in float64."""

from __future__ import annotations

import torch

from sweepengine.networks import COSTS, Inputs, Law, initialise, learning_rates, network, stack
from sweepengine.observe.measure import Moment, Problem, Recorder
from sweepengine.spec import Architecture
from tests.support.networks_reference import points

N, D, ETA = 6, 6, 0.5


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


def test_neurons_grow_no_faster_than_gronwall_allows() -> None:
    """Row rates (iii), |φ(h)| ≤ |h|, |φ'| ≤ 1: growth against exp(m^{γ−1} (max‖x‖/√d) N^{−1/2} ∫‖r‖)."""
    a, m = Architecture(1, "tanh", 1.0, 0.0, 1.0), 16
    integral = torch.zeros(8, dtype=torch.float64)
    for step in range(25):
        integral += ETA * measure(a, ("residual_norm",), m, 8, steps=step)["residual_norm"]
    growth = measure(a, ("neuron_growth",), m, 8, steps=25)["neuron_growth"].log()
    bound = m**-0.5 / N**0.5 * integral  # max‖x‖ = √d
    assert bool((growth > 0).all())
    assert bool((growth <= bound).all())
    assert bool((growth > bound / 10).any())  # a bound ten times smaller would be broken
