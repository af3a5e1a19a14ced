"""What a spec may ask of a network beside its shape: laws, trained parts, centring, costs; against plain autograd."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import sweepengine
from sweepengine.data import load
from sweepengine.networks import Law, initialise
from sweepengine.spec import make_spec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import xarray as xr
    from torch import Tensor

    Tiny = Callable[..., dict[str, Any]]

COSTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": lambda f, y: 0.5 * (f - y).square().mean(),
    "logistic": lambda f, y: torch.nn.functional.softplus(-y * f).mean(),
    "huber": lambda f, y: torch.nn.functional.huber_loss(f, y, delta=1.0),
}
MOVING = {"all": ("W", "b"), "hidden_weights": ("W",), "last_layer": ("W", "b")}


def plain_training(content: dict[str, Any], run: xr.Dataset) -> Tensor:
    """The run once more: theory.md §1 written out, gradients by autograd, a loop of plain descent."""
    spec = make_spec(content)
    network, depth = spec.network, int(run.depth)
    data = load(spec.data)
    x, y = torch.from_numpy(data.x_train), torch.from_numpy(data.y_train)
    from sweepengine.spec import architectures

    m, gamma, alpha = int(run.width), float(run.gamma), float(run.alpha)
    start = initialise(
        architectures(spec)[0], m, x.shape[1], int(run.seed), torch.float64, law=Law(readout=network.readout)
    )
    p = {name: tensor.clone().requires_grad_() for name, tensor in start.tensors().items()}

    def outputs() -> Tensor:
        h = network.sigma_w / math.sqrt(x.shape[1]) * x @ p["W0"].T
        for layer in range(depth):
            if layer:
                h = network.sigma_w / math.sqrt(m) * torch.tanh(h) @ p[f"W{layer}"].T
            if network.sigma_b:
                h = h + network.sigma_b * p[f"b{layer}"]
        f = network.sigma_w * torch.tanh(h) @ p[f"W{depth}"]
        if network.output_bias:
            f = f + math.sqrt(m) * network.sigma_b * p[f"b{depth}"]
        scaled: Tensor = alpha * m**-gamma * f
        return scaled

    at_start = outputs().detach() if network.centred else torch.zeros_like(y)
    last = {f"W{depth}", f"b{depth}"}
    moving = [
        name
        for name in p
        if name[0] in MOVING[network.trained]
        and not (network.trained == "hidden_weights" and name in last)
        and not (network.trained == "last_layer" and name not in last)
    ]
    for _ in range(int(run.step[-1])):
        risk = COSTS[spec.training.loss](outputs() - at_start, y)
        gradients = torch.autograd.grad(risk, [p[name] for name in moving])
        with torch.no_grad():
            for name, gradient in zip(moving, gradients, strict=True):
                p[name] -= float(run.step_size) * m ** (2 * gamma - 1) / alpha**2 * gradient
    return (outputs() - at_start).detach()


@pytest.mark.parametrize(
    ("network", "loss"),
    [
        ({"trained": "last_layer", "sigma_b": 0.4, "output_bias": True}, "mse"),
        ({"trained": "hidden_weights", "readout": "signs", "sigma_b": 0.4}, "mse"),
        ({"centred": True, "depth": 2}, "mse"),
        ({"depth": 2, "sigma_b": 0.3, "output_bias": True}, "logistic"),
        ({"readout": "signs", "centred": True, "depth": 2}, "huber"),
    ],
)
def test_every_option_equals_plain_autograd(tiny: Tiny, tmp_path: Path, network: dict[str, Any], loss: str) -> None:
    content = tiny(network=network, training={"loss": loss}, axes={"scaling": ["ntk", 0.8], "alpha": [2.0], "seed": 1})
    sweepengine.run(content, tmp_path / "o.zarr", executor="inline")
    sweep = sweepengine.open_sweep(tmp_path / "o.zarr").load()
    for position in range(sweep.sizes["run"]):
        run = sweep.isel(run=position)
        expected = plain_training(content, run)
        np.testing.assert_allclose(run.outputs_train[-1], expected, rtol=1e-10, atol=1e-12)
        loss_expected = float(COSTS[loss](expected, torch.from_numpy(sweep.targets_train.values)))
        assert float(run.loss_train[-1]) == pytest.approx(loss_expected, rel=1e-10)
    # The test sees an option that is dropped.
    plain = tiny(training={"loss": "mse"}, axes={"scaling": ["ntk", 0.8], "alpha": [2.0], "seed": 1})
    sweepengine.run(plain, tmp_path / "p.zarr", executor="inline")
    other = sweepengine.open_sweep(tmp_path / "p.zarr").load()
    assert float(abs(other.outputs_train[:, -1] - sweep.outputs_train[:, -1]).max()) > 1e-3
    assert not set(other.id.values) & set(sweep.id.values)


def test_frozen_parts_do_not_move(tiny: Tiny, tmp_path: Path) -> None:
    for trained, still in (("last_layer", "W0"), ("hidden_weights", "W1")):
        store = tmp_path / f"{trained}.zarr"
        sweepengine.run(tiny(network={"trained": trained}), store, executor="inline")
        sweep = sweepengine.open_sweep(store).load().isel(record=-1)
        layer = sweep.layer.values.tolist().index(still)
        assert float(sweep.movement_relative.isel(layer=layer).max()) == 0
        assert float(sweep.movement_relative.isel(layer=1 - layer).min()) > 1e-3
        assert (float(sweep.kernel_drift.max()) == 0) == (trained == "last_layer")


@pytest.mark.parametrize("trained", ["all", "hidden_weights", "last_layer"])
@pytest.mark.parametrize("readout", ["gaussian", "signs"])
def test_wide_networks_of_every_option_lie_on_their_own_limit(
    tiny: Tiny, tmp_path: Path, trained: str, readout: str
) -> None:
    content = tiny(
        network={"trained": trained, "readout": readout, "depth": 2},
        training={"step_size": "auto", "time": 4.0},
        axes={"scaling": ["ntk"], "width": [1024], "seed": 3},
    )
    sweepengine.run(content, tmp_path / "l.zarr", executor="inline")
    sweep, limit = (
        sweepengine.open_sweep(tmp_path / "l.zarr").load(),
        sweepengine.open_theory(tmp_path / "l.zarr").load(),
    )
    own = limit.ntk_train.isel(limit=0)
    distance = np.sqrt(((sweep.kernel.isel(record=0) - own) ** 2).sum(("i", "j")) / (own**2).sum())
    assert float(distance.max()) < 0.15
    z = (sweep.outputs_test - limit.outputs_mean_test.isel(limit=0)) / limit.outputs_std_test.isel(limit=0)
    assert 0.3 < float(np.sqrt((z**2).mean())) < 2


def test_centred_networks_start_at_zero_and_follow_the_mean(tiny: Tiny, tmp_path: Path) -> None:
    content = tiny(
        network={"centred": True},
        training={"step_size": "auto", "time": 4.0},
        axes={"scaling": ["ntk"], "width": [2048], "seed": 3},
    )
    sweepengine.run(content, tmp_path / "c.zarr", executor="inline")
    sweep, limit = (
        sweepengine.open_sweep(tmp_path / "c.zarr").load(),
        sweepengine.open_theory(tmp_path / "c.zarr").load(),
    )
    assert float(abs(sweep.outputs_train.isel(record=0)).max()) == 0
    assert float(limit.outputs_std_test.max()) == 0
    mean = limit.outputs_mean_test.isel(limit=0)
    error = abs(sweep.outputs_test - mean).max()
    assert float(error) < 0.15 < 0.5 < float(abs(mean).max())
