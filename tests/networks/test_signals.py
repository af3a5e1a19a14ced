"""Outputs, kernels and steps against automatic differentiation (theory.md §1–2)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sweepengine.activations import layer_activations
from sweepengine.networks import (
    TRAINED,
    Inputs,
    Law,
    Parameters,
    initialise,
    learning_rates,
    network,
    scaling_table,
)
from sweepengine.networks import activation as activation_of
from sweepengine.spec import Architecture
from tests.support.networks_reference import PHI, D, N, Oracle, points, relative, traced

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    OfTable = Callable[[Callable[..., object]], None]

TIGHT = 1e-12


def make(
    a: Architecture, widths: int | list[int], outputs: int, d: int = D, seed: int = 3, law: Law | None = None
) -> Parameters:
    return initialise(a, widths, d, seed, torch.float64, outputs=outputs, law=law)


def targets(n: int, outputs: int) -> Tensor:
    y = points(n, outputs, 9)
    return y[:, 0] if outputs == 1 else y


def close(found: Tensor, expected: Tensor, tolerance: float, scale: float = 1e-2) -> None:
    """Relative in norm; a result that cancels is measured against the ``scale`` of what it is made of."""
    assert found.shape == expected.shape
    assert float((found - expected).norm()) <= tolerance * max(float(expected.norm()), scale)


def check(
    a: Architecture,
    p: Parameters,
    gamma: float,
    alpha: float,
    rates: dict[str, float] | None = None,
    n: int = N,
    tolerance: float = TIGHT,
) -> None:
    """Outputs, every form of kernel, and a step, against autograd."""
    x, other, y = points(n, p.sizes[0]), points(3, p.sizes[0], 7), targets(n, p.outputs)
    oracle = Oracle(a, p, gamma, alpha, rates)
    net = network(a, p, [gamma], [alpha], rates)
    inputs, test_inputs = Inputs.prepare(x, a), Inputs.prepare(other, a)
    train, test = net.passes(inputs), net.passes(test_inputs)
    close(train.forward.outputs, oracle.outputs(x).detach(), tolerance, alpha * p.width**-gamma)
    full, cross = oracle.kernel(x), oracle.kernel(other, x)
    close(net.kernel(*train), full, tolerance)
    close(net.kernel(*train, layout="traced"), traced(full), tolerance)
    close(net.kernel(*test, against=train), cross, tolerance)
    close(net.kernel(*test, against=train, layout="traced"), traced(cross), tolerance)
    close(net.kernel_diagonal(*train), full.reshape(y.numel(), y.numel()).diagonal().reshape(y.shape), tolerance)
    velocity = oracle.velocity(x, lambda f: (f - y).square().sum() / (2 * n))
    into = p.map(torch.zeros_like)
    residual = train.forward.outputs - y
    net.descend(*train, residual, 0.1, into=into)
    for name, tensor in into.tensors().items():
        close(tensor, 0.1 * velocity[name], tolerance, 1e-3)
        if (rates or {}).get(name) == 0:
            assert not tensor.any(), name
    before = p.map(torch.clone)
    net.descend(inputs, train.forward, None, residual, 0.1)
    for name, tensor in p.tensors().items():
        assert (
            torch.equal(tensor, before.tensors()[name])
            or relative(tensor - before.tensors()[name], into.tensors()[name]) < 1e-9
        ), name


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("activation", sorted(layer_activations()))
def test_every_activation(activation: str, outputs: int) -> None:
    a = Architecture(2, activation, 1.1, 0.3, 0.8, output_bias=True)
    check(a, make(a, 8, outputs), 0.75, 1.7)


@pytest.mark.parametrize("activation", sorted(layer_activations()))
def test_derivatives_of_activations(activation: str) -> None:
    phi = activation_of(activation)
    h = torch.linspace(-4, 4, 101, dtype=torch.float64).requires_grad_()
    (slope,) = torch.autograd.grad(PHI[activation](h).sum(), h, create_graph=True)
    at = h.detach()
    kept = at.clone()
    value, found = phi(at)
    assert torch.equal(at, kept)
    assert relative(value, PHI[activation](at)) < TIGHT
    away = at.abs() > 1e-9  # at a kink the two may differ
    assert relative(found[away], slope.detach()[away]) < TIGHT
    if phi.second is None:
        return
    curved = torch.zeros_like(at)
    if slope.requires_grad:
        (curved,) = torch.autograd.grad(slope.sum(), h, allow_unused=True, materialize_grads=True)
    assert float((phi.second(at) - curved).abs().max()) < 1e-12


@pytest.mark.parametrize("trained", TRAINED)
@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("depth", [1, 3])
def test_frozen_parts_stay_and_leave_the_kernel(depth: int, outputs: int, trained: str) -> None:
    a = Architecture(depth, "erf", 1.2, 0.5, 0.9, output_bias=True)
    check(a, make(a, 7, outputs), 0.5, 1.0, learning_rates(trained, depth))


def test_learning_rates_of_s2() -> None:
    """σ's in the law: E[φφ] + σ_a²(x·x' + 1)E[φ'φ'] is ours with rates 1/σ_a², d/σ_w², 1/σ_b² (theory.md §1.4)."""
    a = Architecture(1, "tanh", 1.4, 0.6, 0.8)
    p = make(a, 40, 1)
    rates = {"W1": 1 / a.sigma_a**2, "W0": D / a.sigma_w**2, "b0": 1 / a.sigma_b**2}
    check(a, p, 0.5, 1.0, rates)
    x = points()
    net = network(a, p, [0.5], [1.0], rates)
    train = net.passes(Inputs.prepare(x, a))
    (slope,) = net.slopes(train.forward)
    features = train.forward.features[0]
    weighted = slope * p.readout
    expected = features @ features.T / 40 + a.sigma_a**2 * (x @ x.T + 1) * (weighted @ weighted.T) / 40
    assert relative(net.kernel(*train), expected) < TIGHT


@settings(max_examples=60)
@given(data=st.data())
def test_random_architectures(data: st.DataObject) -> None:
    depth = data.draw(st.integers(1, 4))
    sigma_b = data.draw(st.sampled_from([0.0, 0.6]))
    a = Architecture(
        depth, data.draw(st.sampled_from(["erf", "tanh", "gelu", "sin"])), 1.2, sigma_b,
        data.draw(st.sampled_from([1.0, 0.7])), output_bias=sigma_b > 0 and data.draw(st.booleans()),
    )  # fmt: skip
    widths = data.draw(st.lists(st.integers(1, 9), min_size=depth, max_size=depth))
    outputs, d, n = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 6)), data.draw(st.integers(1, 5))
    law = Law(data.draw(st.sampled_from(["gaussian", "sphere"])), data.draw(st.sampled_from(["gaussian", "signs"])))
    p = make(a, widths, outputs, d, data.draw(st.integers(0, 2**40)), law)
    gamma, alpha = data.draw(st.floats(0.5, 1.0)), data.draw(st.floats(0.1, 10.0))
    check(a, p, gamma, alpha, learning_rates(data.draw(st.sampled_from(TRAINED)), depth), n, 1e-10)


@pytest.mark.parametrize("outputs", [1, 3])
def test_many_points_make_strips(outputs: int) -> None:
    """More rows than one strip of a symmetric product, and a number that is no multiple of it."""
    a = Architecture(2, "tanh", 1.2, 0.4, 0.9, output_bias=True)
    p = make(a, [6, 9], outputs)
    net = network(a, p, [0.5], [1.0])
    train = net.passes(Inputs.prepare(points(150), a))
    full = net.kernel(*train)
    again = net.passes(Inputs.prepare(points(150), a))  # other objects: the way of a cross kernel, without strips
    assert relative(full, net.kernel(*train, against=again)) < 1e-13
    square = full.reshape(150 * outputs, -1)
    assert relative(square, square.T) < 1e-14
    for layout in ("full", "traced"):
        mine, other = net.grams(train, layout=layout), net.grams(train, again, layout=layout)
        for left, right in zip((*mine.features, *mine.signals), (*other.features, *other.signals), strict=True):
            assert relative(left, right) < 1e-13


@pytest.mark.parametrize("outputs", [1, 2])
def test_grams_make_the_kernel(outputs: int) -> None:
    """Θ = δ(σ_a² Φ_L + σ_b²) + Σ (σ_w² Φ_l + σ_b²) ⊙ G_{l+1} (theory.md §2.4), in every form."""
    a = Architecture(3, "gelu", 1.3, 0.4, 0.8, output_bias=True)
    net = network(a, make(a, [5, 8, 6], outputs), [0.8], [1.3])
    train, test = (net.passes(Inputs.prepare(points(n, seed=n), a)) for n in (5, 3))
    for left, right in ((train, train), (test, train)):
        grams = net.grams(left, right)
        assert [tuple(each.shape[:1]) for each in grams.features] == [left.inputs.points.shape[:1]] * 4
        eye = torch.eye(outputs, dtype=torch.float64)
        last = a.sigma_a**2 * grams.features[-1] + a.sigma_b**2
        theta = last if outputs == 1 else last[:, None, :, None] * eye[None, :, None, :]
        for phi, signal in zip(grams.features[:-1], grams.signals, strict=True):
            factor = a.sigma_w**2 * phi + a.sigma_b**2
            theta = theta + (factor if outputs == 1 else factor[:, None, :, None]) * signal
        assert relative(net.kernel(*left, against=right), theta) < 1e-13


@pytest.fixture
def of_table(monkeypatch: pytest.MonkeyPatch) -> OfTable:
    """Have networks made from now on by another table."""
    return lambda table: monkeypatch.setattr("sweepengine.networks._propagation.scaling_table", table)


@pytest.mark.parametrize("name", ["W0", "W1", "b0", "b1", "W2", "b2"])
@pytest.mark.parametrize("what", ["forward", "rate"])
def test_a_wrong_multiplier_is_seen(name: str, what: str, of_table: OfTable) -> None:
    """Each number of the table, five per cent off, fails the comparison with autograd."""

    def wrong(*args: Any) -> object:
        table = scaling_table(*args)
        row = table.rows[name]
        return replace(table, rows=table.rows | {name: replace(row, **{what: getattr(row, what) * 1.05})})

    a = Architecture(2, "tanh", 1.1, 0.5, 0.8, output_bias=True)
    check(a, make(a, 8, 2), 0.75, 1.7)
    of_table(wrong)
    if name == "W0" and what == "forward":
        # The first layer's forward multiplier is applied to the inputs; the kernel takes it from the table.
        net = network(a, make(a, 8, 2), [0.75], [1.7])
        train = net.passes(Inputs.prepare(points(), a))
        expected = Oracle(a, net.parameters, 0.75, 1.7).kernel(points())
        assert relative(net.kernel(*train), expected) > 1e-3
        return
    with pytest.raises(AssertionError):
        check(a, make(a, 8, 2), 0.75, 1.7)


@pytest.mark.parametrize("field", ["output", "speed"])
def test_a_wrong_exponent_is_seen(field: str, of_table: OfTable) -> None:
    def wrong(*args: Any) -> object:
        table = scaling_table(*args)
        return replace(table, **{field: getattr(table, field) * 8**0.1})

    a = Architecture(1, "tanh", 1.1, 0.5, 0.8)
    of_table(wrong)
    with pytest.raises(AssertionError):
        check(a, make(a, 8, 1), 0.75, 1.7)
