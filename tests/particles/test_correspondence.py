"""Two independent code paths, one trajectory: networks at γ = 1 and particles (theory.md §5.3)."""

from __future__ import annotations

import pytest
import torch

from sweepengine import particles as pt
from sweepengine.networks import Inputs, initialise, network
from sweepengine.spec import Architecture

N, D, M, STEPS, ETA = 12, 5, 40, 60, 0.05
X = pt.gaussian_cloud(1, N, D)
Y = (X[:, 0] * X[:, 1]).sin()


def architecture(activation: str, sigma_b: float, depth: int = 1) -> Architecture:
    return Architecture(
        depth=depth, activation=activation, sigma_w=1.3, sigma_b=sigma_b, sigma_a=0.8, output_bias=False
    )


def trained(net: Architecture, alpha: float, gamma: float, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs before each step, and (w, b, a) after the last, by ``sweepengine.networks``."""
    parameters = initialise(net, M, D, seed=3, dtype=dtype)
    trainee = network(net, parameters, [gamma], [alpha])
    inputs, outputs = Inputs.prepare(X.to(dtype), net), []
    for _ in range(STEPS):
        forward = trainee.forward(inputs)
        outputs.append(forward.outputs.clone())
        trainee.descend(inputs, forward, trainee.backward(forward), forward.outputs - Y.to(dtype), ETA)
    return torch.stack(outputs), torch.cat([*parameters.layer_matrices()], dim=1)


def flowed(net: Architecture, alpha: float, dtype: torch.dtype, speed: float) -> tuple[torch.Tensor, torch.Tensor]:
    same = pt.from_network(net, initialise(net, M, D, seed=3, dtype=dtype), alpha)
    risk = pt.Risk(same.unit, X.to(dtype), Y.to(dtype))
    outputs = list[torch.Tensor]()
    partition = pt.Partition(chunk=16)
    end = pt.flow(
        pt.Functional([risk]),
        same.particles,
        step_size=ETA * speed,
        steps=STEPS,
        partition=partition,
        observe=lambda _step, _time, cloud: outputs.append(risk.outputs(cloud, partition)),
    ).final()
    return torch.stack(outputs[:-1]), end


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize("sigma_b", [0.0, 0.7])
@pytest.mark.parametrize("alpha", [1.0, 2.5])
def test_networks_and_particles_give_one_trajectory(activation: str, sigma_b: float, alpha: float) -> None:
    net = architecture(activation, sigma_b)
    outputs, parameters = trained(net, alpha, 1.0, torch.float64)
    found, end = flowed(net, alpha, torch.float64, 1 / alpha**2)
    torch.testing.assert_close(found, outputs, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(end, parameters, rtol=1e-12, atol=1e-13)
    assert float((outputs[-1] - outputs[0]).abs().max()) > 0.05  # it moved


def test_other_scalings_and_speeds_are_other_trajectories() -> None:
    net = architecture("tanh", 0.7)
    outputs, _ = trained(net, 2.5, 1.0, torch.float64)
    lazy, _ = trained(net, 2.5, 0.5, torch.float64)
    slow, _ = flowed(net, 2.5, torch.float64, 1.0)
    for other in (lazy, slow):
        assert float((other[-1] - outputs[-1]).abs().max()) > 1e-2


def test_single_precision_agrees_to_its_rounding() -> None:
    net = architecture("relu", 0.0)
    outputs, _ = trained(net, 1.0, 1.0, torch.float32)
    found, _ = flowed(net, 1.0, torch.float32, 1.0)
    torch.testing.assert_close(found.to(torch.float32), outputs, rtol=1e-4, atol=2e-6)


def test_the_mean_field_kernel_is_the_networks_kernel() -> None:
    for sigma_b in (0.0, 0.7):
        net, alpha = architecture("erf", sigma_b), 1.6
        parameters = initialise(net, M, D, seed=3, dtype=torch.float64)
        trainee, inputs = network(net, parameters, [1.0], [alpha]), Inputs.prepare(X, net)
        forward = trainee.forward(inputs)
        theirs = trainee.kernel(inputs, forward, trainee.backward(forward))
        same = pt.from_network(net, parameters, alpha)
        ours = pt.kernel(same.unit, X, same.particles, pt.Partition(chunk=7))
        torch.testing.assert_close(ours * same.speed, theirs, rtol=1e-12, atol=1e-13)


def test_networks_that_are_no_cloud_are_refused() -> None:
    net = architecture("tanh", 0.0, depth=2)
    with pytest.raises(pt.ParameterError, match="depth 2"):
        pt.from_network(net, initialise(net, M, D, seed=3, dtype=torch.float64))
