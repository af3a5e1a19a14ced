"""Finite networks against autograd, conservation laws and invariances (theory.md §1–2)."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sweepengine.activations import layer_activations
from sweepengine.networks import Inputs, Network, Parameters, initialise, network, stack
from sweepengine.spec import Architecture
from tests.support.networks_reference import D, N, plain_output, points, relative

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


def autograd_oracle(
    a: Architecture, p: Parameters, x: Tensor, y: Tensor, gamma: float, alpha: float
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Outputs, kernel and θ̇ by automatic differentiation."""
    names = list(p.tensors())
    leaves = [tensor.clone().requires_grad_() for tensor in p.tensors().values()]
    outputs = plain_output(a, dict(zip(names, leaves, strict=True)), x, gamma, alpha)
    rows = [torch.autograd.grad(each, leaves, retain_graph=True) for each in outputs]
    jacobian = torch.stack([torch.cat([part.reshape(-1) for part in row]) for row in rows])
    speed = p.width ** (2 * gamma - 1) / alpha**2
    risk = (outputs - y).square().sum() / (2 * len(x))
    velocity = [-speed * part for part in torch.autograd.grad(risk, leaves)]
    return outputs.detach(), speed * jacobian @ jacobian.T, velocity


def one_step(net: Network, inputs: Inputs, y: Tensor, step: float) -> tuple[Tensor, Tensor]:
    """Outputs and kernel before a step, which is then taken."""
    forward = net.forward(inputs)
    signals = net.backward(forward)
    kernel = net.kernel(inputs, forward, signals)
    net.descend(inputs, forward, signals, forward.outputs - y, step)
    return forward.outputs, kernel


@pytest.mark.parametrize("gamma", [0.5, 0.75, 1.0])
@pytest.mark.parametrize(("sigma_b", "output_bias"), [(0.0, False), (0.7, False), (0.7, True)])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_outputs_kernel_and_step_equal_autograd(depth: int, sigma_b: float, output_bias: bool, gamma: float) -> None:
    a = Architecture(depth, "tanh", 1.3, sigma_b, 0.9, output_bias)
    x, y, alpha = points(), points(1, N, 1)[0], 1.7
    p = initialise(a, 16, D, 3, torch.float64)
    outputs, kernel, velocity = autograd_oracle(a, p, x, y, gamma, alpha)
    before = [tensor.clone() for tensor in p.tensors().values()]
    net, inputs = network(a, p, [gamma], [alpha]), Inputs.prepare(x, a)
    found_outputs, found_kernel = one_step(net, inputs, y, 0.1)
    assert relative(found_outputs, outputs) < 1e-13
    assert relative(found_kernel, kernel) < 1e-13
    for old, new, speed in zip(before, p.tensors().values(), velocity, strict=True):
        assert relative(new - old, 0.1 * speed) < 1e-12
    # The wrong exponent is seen, wherever it would enter.
    wrong = network(a, initialise(a, 16, D, 3, torch.float64), [gamma + 0.1], [alpha])
    assert relative(wrong.forward(inputs).outputs, outputs) > 0.1


@pytest.mark.parametrize("activation", sorted(layer_activations()))
def test_every_activation_equals_autograd(activation: str) -> None:
    a = Architecture(2, activation, 1.1, 0.3, 0.8)
    x, y = points(), points(1, N, 1)[0]
    p = initialise(a, 12, D, 5, torch.float64)
    outputs, kernel, _ = autograd_oracle(a, p, x, y, 0.5, 1.0)
    found_outputs, found_kernel = one_step(network(a, p, [0.5], [1.0]), Inputs.prepare(x, a), y, 0.0)
    assert relative(found_outputs, outputs) < 1e-13
    assert relative(found_kernel, kernel) < 1e-12


@settings(max_examples=40)
@given(
    depth=st.integers(1, 4),
    width=st.integers(1, 33),
    d=st.integers(1, 9),
    n=st.integers(1, 6),
    seed=st.integers(0, 2**40),
    gamma=st.floats(0.5, 1.0),
    alpha=st.floats(0.1, 10.0),
    sigma_b=st.sampled_from([0.0, 0.5]),
)
def test_random_architectures_equal_autograd(
    depth: int, width: int, d: int, n: int, seed: int, gamma: float, alpha: float, sigma_b: float
) -> None:
    a = Architecture(depth, "erf", 1.2, sigma_b, 1.0)
    x, y = points(n, d, seed % 1000), torch.ones(n, dtype=torch.float64)
    p = initialise(a, width, d, seed, torch.float64)
    outputs, kernel, _ = autograd_oracle(a, p, x, y, gamma, alpha)
    found_outputs, found_kernel = one_step(network(a, p, [gamma], [alpha]), Inputs.prepare(x, a), y, 0.0)
    assert relative(found_outputs, outputs) < 1e-11
    assert relative(found_kernel, kernel) < 1e-11


def trained(
    a: Architecture, p: Parameters, gamma: float, alpha: float, steps: int = 60, eta: float = 0.2
) -> tuple[Tensor, Tensor]:
    """Outputs and kernel after training."""
    x, y = points(), points(1, N, 1)[0].sign()
    net, inputs = network(a, p, [gamma], [alpha]), Inputs.prepare(x, a)
    for _ in range(steps):
        one_step(net, inputs, y, eta)
    return one_step(net, inputs, y, 0.0)


@pytest.mark.parametrize(("gamma", "other"), [(0.5, 1.0), (0.6, 0.85)])
def test_only_alpha_m_to_minus_gamma_matters(gamma: float, other: float) -> None:
    """theory.md §1.5."""
    a, m, alpha = Architecture(2, "tanh", 1.3, 0.2, 1.0), 24, 1.9
    one = trained(a, initialise(a, m, D, 0, torch.float64), gamma, alpha)
    same = trained(a, initialise(a, m, D, 0, torch.float64), other, alpha * m ** (other - gamma))
    assert relative(same[0], one[0]) < 1e-11
    assert relative(same[1], one[1]) < 1e-11
    different = trained(a, initialise(a, m, D, 0, torch.float64), other, alpha)
    assert relative(different[0], one[0]) > 1e-2


def duplicated(p: Parameters) -> Parameters:
    return p.map(lambda tensor: torch.cat([tensor, tensor]))


def test_duplicated_particles_follow_the_same_mean_field_trajectory_and_no_ntk_one() -> None:
    a = Architecture(1, "tanh", 1.3, 0.0, 1.0)
    for gamma, same in ((1.0, True), (0.5, False)):
        p = initialise(a, 20, D, 1, torch.float64)
        twice = duplicated(p)
        one, two = trained(a, p, gamma, 1.0, steps=8), trained(a, twice, gamma, 1.0, steps=8)
        if same:
            assert relative(two[0], one[0]) < 1e-13
        else:
            assert relative(two[0], one[0]) > 0.1


def test_permuting_neurons_changes_nothing() -> None:
    a = Architecture(1, "relu", 1.3, 0.4, 1.0)
    order = torch.from_numpy(np.random.default_rng(0).permutation(20))
    p = initialise(a, 20, D, 1, torch.float64)
    shuffled = p.map(lambda tensor: tensor[order].clone())
    one, two = trained(a, p, 0.5, 1.0), trained(a, shuffled, 0.5, 1.0)
    assert relative(two[0], one[0]) < 1e-11
    assert relative(two[1], one[1]) < 1e-11


def test_relu_balance_is_conserved_to_first_order_in_the_step() -> None:
    """|w_k|² − a_k² is constant under gradient flow, so its drift halves with the step (σ_w = √d: equal speeds)."""
    a = Architecture(1, "relu", math.sqrt(D), 0.0, 1.0)

    def drift(eta: float) -> float:
        p = initialise(a, 32, D, 2, torch.float64)
        start = p.hidden[0].square().sum(1) - p.readout.square()
        trained(a, p, 1.0, 1.0, steps=round(2 / eta), eta=eta)
        return float((p.hidden[0].square().sum(1) - p.readout.square() - start).abs().max())

    coarse, fine = drift(0.01), drift(0.005)
    assert 1.8 < coarse / fine < 2.2
    assert coarse < 0.1


def test_a_group_equals_its_networks_alone() -> None:
    a, cases = Architecture(2, "tanh", 1.3, 0.2, 0.9, output_bias=True), [(0, 0.5, 1.0), (1, 1.0, 1.0), (2, 0.75, 2.0)]
    x, y = points(), points(1, N, 1)[0].sign()
    group = stack([initialise(a, 16, D, seed, torch.float64) for seed, _, _ in cases])
    together = network(a, group, [gamma for _, gamma, _ in cases], [alpha for _, _, alpha in cases])
    inputs = Inputs.prepare(x, a)
    for _ in range(30):
        one_step(together, inputs, y, 0.2)
    outputs, kernels = one_step(together, inputs, y, 0.0)
    for place, (seed, gamma, alpha) in enumerate(cases):
        p = initialise(a, 16, D, seed, torch.float64)
        alone = network(a, p, [gamma], [alpha])
        for _ in range(30):
            one_step(alone, inputs, y, 0.2)
        single = one_step(alone, inputs, y, 0.0)
        assert relative(outputs[place], single[0]) < 1e-12
        assert relative(kernels[place], single[1]) < 1e-12


def test_widths_are_nested_and_seeds_do_not_know_the_precision() -> None:
    a = Architecture(3, "relu", 1.0, 0.5, 1.0)
    small, large = (initialise(a, width, D, 4, torch.float64) for width in (10, 20))
    for name, tensor in small.tensors().items():
        corner: Sequence[slice] = tuple(slice(0, size) for size in tensor.shape)
        assert torch.equal(tensor, large.tensors()[name][corner]), name
    single = initialise(a, 10, D, 4, torch.float32)
    for name, tensor in small.tensors().items():
        assert torch.equal(tensor.float(), single.tensors()[name]), name


def test_the_kernel_at_start_depends_on_neither_gamma_nor_alpha() -> None:
    a, inputs = Architecture(2, "gelu", 1.3, 0.2, 0.9), points()
    kernels = []
    for gamma, alpha in ((0.5, 1.0), (1.0, 30.0)):
        net = network(a, initialise(a, 32, D, 0, torch.float64), [gamma], [alpha])
        kernels.append(one_step(net, Inputs.prepare(inputs, a), torch.zeros(N, dtype=torch.float64), 0.0)[1])
    assert torch.equal(*kernels)
    other = network(replace(a, sigma_a=1.0), initialise(a, 32, D, 0, torch.float64), [0.5], [1.0])
    assert (
        relative(one_step(other, Inputs.prepare(inputs, a), torch.zeros(N, dtype=torch.float64), 0.0)[1], kernels[0])
        > 0.01
    )


def test_mismatched_scalings_are_refused() -> None:
    a = Architecture(1, "relu", 1.0, 0.0, 1.0)
    with pytest.raises(ValueError, match="2 γ"):
        network(a, initialise(a, 4, D, 0, torch.float64), [0.5, 1.0], [1.0])
