"""Costs against automatic differentiation, at magnitudes where a careless formula overflows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from sweepengine.networks import COSTS, Huber, Inputs, initialise, loss, network
from sweepengine.spec import Architecture
from tests.support.networks_reference import Oracle, points, relative

if TYPE_CHECKING:
    from torch import Tensor

CASES = [(name, k) for name in sorted(COSTS) for k in (1, 3) if not (name == "cross_entropy" and k == 1)]


def targets(name: str, n: int, k: int) -> Tensor:
    y = points(n, k, 5)
    if name == "logistic":
        y = y.sign()
    if name == "cross_entropy":
        y = torch.softmax(y, dim=-1)
        y[0] = torch.eye(k, dtype=torch.float64)[0]
    return y[:, 0] if k == 1 else y


def by_hand(name: str, f: Tensor, y: Tensor) -> Tensor:
    """ℓ summed over everything, in the textbook's form."""
    e = f - y
    if name == "mse":
        return (e * e).sum() / 2
    if name == "logistic":
        return torch.log1p(torch.exp(-y * f)).sum()
    if name == "cross_entropy":
        return -(y * torch.log(torch.exp(f) / torch.exp(f).sum(-1, keepdim=True))).sum()
    return torch.where(e.abs() <= 1, e * e / 2, e.abs() - 0.5).sum()


@pytest.mark.parametrize(("name", "k"), CASES)
def test_value_gradient_and_curvature(name: str, k: int) -> None:
    n, cost = 6, COSTS[name]()
    y = targets(name, n, k)
    f = (2 * points(n, k, 6)).reshape(y.shape).requires_grad_()
    value = by_hand(name, f, y)
    (gradient,) = torch.autograd.grad(value, f, create_graph=True)
    found = loss(cost, f.detach(), y, k > 1)
    assert found.dtype == torch.float64
    assert relative(found, value.detach() / n) < 1e-14
    assert relative(cost.gradient(f.detach(), y), gradient.detach()) < 1e-13
    rows = [torch.autograd.grad(each, f, retain_graph=True)[0] for each in gradient.reshape(-1)]
    hessian = torch.stack(rows).reshape(n, k, n, k)
    blocks = torch.stack([hessian[i, :, i] for i in range(n)])
    expected = blocks[:, 0, 0] if k == 1 else blocks
    assert relative(cost.curvature(f.detach(), y, k > 1), expected) < 1e-13
    points_ = cost.points(f.detach(), y, k > 1)
    assert points_.shape == (n,)
    # A group of networks has the same, network by network.
    group = torch.stack([f.detach(), 2 * f.detach()])
    assert relative(cost.gradient(group, y)[0], cost.gradient(f.detach(), y)) < 1e-14
    assert relative(cost.curvature(group, y, k > 1)[0], cost.curvature(f.detach(), y, k > 1)) < 1e-14
    assert relative(loss(cost, group, y, k > 1)[0], found) < 1e-14


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("name", "k"), CASES)
def test_large_outputs_are_exact(name: str, k: int, dtype: torch.dtype) -> None:
    """At |f| = 500, where e^f overflows in float32 and e^{2f} in float64, the limits are linear functions."""
    y = {"logistic": [1.0, -1.0], "cross_entropy": [[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]}.get(name, [0.0, 0.0])
    target = torch.tensor(y, dtype=dtype)
    if k == 3 and target.dim() == 1:
        target = target.unsqueeze(-1).expand(2, 3)
    f = torch.full(target.shape, -500.0, dtype=dtype)
    if name == "cross_entropy":
        f[:, 0] = 500.0
    cost = COSTS[name]()
    size = 1 if k == 1 else 3
    expected = {
        "mse": [125000.0 * size] * 2,
        "logistic": [500.0 * size, 0.0],
        "cross_entropy": [1000.0, 1000.0],
        "huber": [499.5 * size] * 2,
    }[name]
    assert torch.allclose(cost.points(f, target, k > 1), torch.tensor(expected, dtype=dtype), rtol=1e-6, atol=1e-30)
    for each in (cost.gradient(f, target), cost.curvature(f, target, k > 1)):
        assert each.dtype == dtype
        assert torch.isfinite(each).all()


def test_small_losses_keep_their_digits() -> None:
    """log(1 + e^{−50}) = e^{−50} to sixteen digits; the careless form gives 0."""
    f, y = torch.tensor([50.0], dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    assert float(COSTS["logistic"]().points(f, y, False)) == pytest.approx(math.exp(-50), rel=1e-14)
    two, hot = torch.tensor([[50.0, 0.0]], dtype=torch.float64), torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    assert float(COSTS["cross_entropy"]().gradient(two, hot)[0, 1]) == pytest.approx(math.exp(-50), rel=1e-14)


def test_hubers_delta() -> None:
    f, y = torch.tensor([0.4, -3.0], dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    cost = Huber(0.5)
    assert cost.points(f, y, False).tolist() == pytest.approx([0.08, 0.5 * (3.0 - 0.25)])
    assert cost.gradient(f, y).tolist() == [0.4, -0.5]
    assert cost.curvature(f, y, False).tolist() == [1.0, 0.0]
    for bad in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="δ"):
            Huber(bad)


def test_cross_entropy_needs_classes() -> None:
    with pytest.raises(ValueError, match="k ≥ 2"):
        COSTS["cross_entropy"]().points(torch.zeros(3), torch.zeros(3), False)


@pytest.mark.parametrize(("name", "k"), CASES)
def test_a_step_descends_the_cost(name: str, k: int) -> None:
    """The step made from the cost's gradient is that of the cost by autograd; f moves by −Θ ∂ℓ/N."""
    a, n = Architecture(2, "tanh", 1.2, 0.3, 0.9), 5
    p = initialise(a, 7, 4, 0, torch.float64, outputs=k)
    x, y, cost = points(n, 4), targets(name, n, k), COSTS[name]()
    velocity = Oracle(a, p, 0.75, 1.5).velocity(x, lambda f: by_hand(name, f, y) / n)
    net = network(a, p, [0.75], [1.5])
    train = net.passes(Inputs.prepare(x, a))
    into = p.map(torch.zeros_like)
    gradient = cost.gradient(train.forward.outputs, y)
    net.descend(*train, gradient, 1.0, into=into)
    for each, tensor in into.tensors().items():
        assert relative(tensor, velocity[each]) < 1e-12, each
    eta = 1e-7
    net.descend(*train, gradient, eta)
    moved = (net.forward(train.inputs).outputs - train.forward.outputs) / eta
    flat = net.kernel(*train).reshape(n * k, n * k) @ gradient.reshape(-1) / n
    assert np.allclose(moved.reshape(-1).numpy(), -flat.numpy(), rtol=1e-4, atol=1e-5)
