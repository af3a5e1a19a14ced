"""The fused pass in Triton's interpreter against the plain one in float64; run by test_fused.py as a process."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from sweepengine.activations import ACTIVATIONS, layer_activations
from sweepengine.errors import RunError
from sweepengine.networks import (
    COSTS,
    Activation,
    Inputs,
    Network,
    Points,
    Training,
    Workspace,
    activation,
    initialise,
    network,
    stack,
    stepper,
    triton_activations,
)
from sweepengine.networks import Now as Begin
from sweepengine.networks.triton_activations import BLOCK, FusedLayer, checked_layer
from sweepengine.spec import Architecture, Method
from tests.support import added

CPU = torch.device("cpu")
SHAPES = [(3, BLOCK + 5), (4, 5, 67), (2, 3, 1)]  # ends of blocks, runs of a group, one column


def numbers(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def of_plain(phi: Activation, h: torch.Tensor, signal: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    value, saved = phi.evaluate(h.clone())
    slope = torch.empty_like(value)
    phi.multiply(signal, saved, slope)
    return value, slope


def error(found: torch.Tensor, exact: torch.Tensor) -> float:
    return float((found - exact).abs().max() / exact.abs().max())


def test_every_activation_with_and_without_bias() -> None:
    for name in layer_activations():
        phi = activation(name)
        for shape in SHAPES:
            h, signal = numbers(*shape, seed=1) + 0.01, numbers(*shape, seed=2)
            bias = numbers(*shape[:-2], shape[-1], seed=3)
            for row in (None, bias):
                at = h.double() + (0 if row is None else 0.7 * row.double().unsqueeze(-2))
                value, slope = of_plain(phi, at, signal.double())
                given = h.clone()
                found, saved = FusedLayer(name)(given, row, 0.7)
                assert found is given  # φ is in the memory of h
                passed = torch.empty_like(h)
                phi.multiply(signal, saved, passed)
                assert error(found, value) < 3e-6, (name, shape)
                assert error(passed, slope) < 3e-6, (name, shape)
                if row is not None:  # twin: an error of a thousandth in the bias would be seen
                    assert error(FusedLayer(name)(h.clone(), row, 0.7007)[0], value) > 3e-6


def test_nan_stays_nan() -> None:
    for name in layer_activations():
        h = numbers(2, 9, seed=1)
        h[1, 3] = torch.nan
        assert FusedLayer(name)(h, numbers(9, seed=2))[0].isnan().nonzero().tolist() == [[1, 3]], name


def trained(a: Architecture, runs: int, fused: bool, monkeypatch: pytest.MonkeyPatch) -> torch.Tensor:
    """Outputs after some steps of a group."""
    chosen = FusedLayer(a.activation) if fused else None
    monkeypatch.setattr("sweepengine.networks._propagation.fused_layer", lambda *_, **__: chosen)
    drawn = stack([initialise(a, [12, 20][: a.depth], 5, seed, torch.float32) for seed in range(runs)])
    net: Network = network(a, drawn, [0.5] * runs, [1.0] * runs)
    points = Points(Inputs.prepare(numbers(7, 5, seed=4), a), numbers(7, seed=5))
    space = Workspace()
    method = stepper(Method("heun"), Training(net, points, COSTS["mse"](), 0.1, space), 0)
    for step in range(5):
        method.step(Begin(step, points, net.forward(points.inputs, space)), 5)
    return net.forward(points.inputs, keep_preactivations=True).outputs + net.forward(points.inputs).outputs


def test_networks_train_as_by_the_plain_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("relu", "gelu", "softplus", "abs"):
        a = Architecture(2, name, 1.4, 0.5, 1.4, output_bias=True, width_ratios=(0.6, 1.0))
        for runs in (1, 3):
            plain, fused = (trained(a, runs, each, monkeypatch) for each in (False, True))
            assert not torch.equal(plain, fused) or name in {"relu", "abs"}  # the fused passes were made
            torch.testing.assert_close(fused, plain, rtol=2e-5, atol=2e-5)


def test_a_device_on_which_it_is_wrong_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in layer_activations():
        assert isinstance(checked_layer(name, CPU), FusedLayer)
    checked_layer.cache_clear()
    call = FusedLayer.__call__
    monkeypatch.setattr(FusedLayer, "__call__", lambda self, h, bias, factor: call(self, h, bias, factor * 1.001))
    for name in layer_activations():
        with pytest.raises(RunError, match=f"the fused pass of {name} is .* away from the plain one on cpu"):
            checked_layer(name, CPU)
    assert triton_activations.AGREEMENT < 1e-4


def test_an_added_activation_is_fused_where_its_entry_names_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ACTIVATIONS, "swish", added.PLAIN)
    with pytest.raises(RunError, match="activation 'swish' has no fused kernel; expected an entry that names one"):
        FusedLayer("swish")
    monkeypatch.setitem(ACTIVATIONS, "swish", added.FUSED)
    assert isinstance(checked_layer.__wrapped__("swish", CPU), FusedLayer)
    monkeypatch.setitem(ACTIVATIONS, "swish", replace(added.FUSED, kernel=ACTIVATIONS["gelu"].kernel))  # twin
    with pytest.raises(RunError, match=r"the fused pass of swish is .* away from the plain one on cpu"):
        checked_layer.__wrapped__("swish", CPU)
