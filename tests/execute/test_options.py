"""What a spec may ask of a network beside its shape: laws, trained parts, centring, costs; against plain autograd."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import sweepengine
from sweepengine.data import load
from sweepengine.errors import SpecError
from sweepengine.networks import Law, initialise
from sweepengine.observe import declared, parameter_count, parameter_shapes, unflatten
from sweepengine.spec import SweepSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import xarray as xr
    from torch import Tensor

    Tiny = Callable[..., dict[str, Any]]

COSTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": lambda f, y: 0.5 * (f - y).square().sum() / len(y),
    "logistic": lambda f, y: torch.nn.functional.softplus(-y * f).sum() / len(y),
    "huber": lambda f, y: torch.nn.functional.huber_loss(f, y, delta=1.0, reduction="sum") / len(y),
    "cross_entropy": torch.nn.functional.cross_entropy,
}


class PlainRun:
    """A run once more: theory.md §1.4 written out, gradients by autograd, a loop of plain descent."""

    def __init__(self, content: dict[str, Any], run: xr.Dataset) -> None:
        self.spec = SweepSpec.model_validate(content)
        self.network, self.depth = self.spec.network, int(run.depth)
        data = load(self.spec.data)
        self.x, self.y = torch.from_numpy(data.x_train), torch.from_numpy(data.y_train)
        self.x_test = torch.from_numpy(data.x_test)
        self.m, self.gamma, self.alpha = int(run.width), float(run.gamma), float(run.alpha)
        law = Law(self.network.first_layer, self.network.readout)
        widths = [int(self.m * ratio) for ratio in self.network.width_ratios or [1] * self.depth]
        start = initialise(
            self.spec.architectures()[0], widths, self.x.shape[1], int(run.seed), torch.float64,
            outputs=data.outputs, law=law,
        )  # fmt: skip
        self.p = {name: tensor.clone().requires_grad_() for name, tensor in start.tensors().items()}
        self.speed = self.m ** (2 * self.gamma - 1) / self.alpha**2
        self.at_start = self.raw(self.x).detach() if self.network.centred else torch.zeros_like(self.y)

    def preactivations(self, x: Tensor) -> list[Tensor]:
        net, p = self.network, self.p
        found = [net.sigma_w / math.sqrt(x.shape[1]) * x @ p["W0"].T]
        for layer in range(self.depth):
            if layer:
                fan_in = found[-1].shape[1]
                found.append(net.sigma_w / math.sqrt(fan_in) * torch.tanh(found[-1]) @ p[f"W{layer}"].T)
            if net.sigma_b:
                found[-1] = found[-1] + net.sigma_b * p[f"b{layer}"]
        return found

    def raw(self, x: Tensor) -> Tensor:
        f = self.network.sigma_w * torch.tanh(self.preactivations(x)[-1]) @ self.p[f"W{self.depth}"]
        if self.network.output_bias:
            f = f + math.sqrt(self.m) * self.network.sigma_b * self.p[f"b{self.depth}"]
        scaled: Tensor = self.alpha * self.m**-self.gamma * f
        return scaled

    def outputs(self) -> Tensor:
        return self.raw(self.x) - self.at_start

    def moving(self) -> list[str]:
        last = {f"W{self.depth}", f"b{self.depth}"}
        chosen = {
            "all": set(self.p),
            "hidden_weights": {name for name in self.p if name.startswith("W")} - last,
            "last_layer": last & set(self.p),
        }
        return sorted(chosen[self.network.trained])

    def jacobian(self, x: Tensor) -> Tensor:
        leaves = [self.p[name] for name in self.moving()]
        rows = [torch.autograd.grad(each, leaves, retain_graph=True) for each in self.raw(x)]
        return torch.stack([torch.cat([part.reshape(-1) for part in row]) for row in rows])

    def train(self, steps: int, eta: float) -> PlainRun:
        for _ in range(steps):
            risk = COSTS[self.spec.training.loss](self.outputs(), self.y)
            gradients = torch.autograd.grad(risk, [self.p[name] for name in self.moving()])
            with torch.no_grad():
                for name, gradient in zip(self.moving(), gradients, strict=True):
                    self.p[name] -= eta * self.speed * gradient
        return self


def plain_training(content: dict[str, Any], run: xr.Dataset) -> Tensor:
    """Outputs at the end of a run, by autograd."""
    return PlainRun(content, run).train(int(run.step[-1]), float(run.step_size)).outputs().detach()


THREE_CLASSES = {"classes": [7, 0, 2]}
TWO_SIGNS = {"name": "sphere", "d": 9, "n_train": 12, "n_test": 10, "teacher": "sign", "outputs": 2}


@pytest.mark.parametrize(
    ("network", "data", "loss"),
    [
        ({"trained": "last_layer", "sigma_b": 0.4, "output_bias": True}, {}, "mse"),
        ({"trained": "hidden_weights", "readout": "signs", "sigma_b": 0.4}, {}, "mse"),
        ({"centred": True, "depth": 2}, {}, "mse"),
        ({"depth": 2, "sigma_b": 0.3, "output_bias": True}, {}, "logistic"),
        ({"readout": "signs", "centred": True, "depth": 2}, {}, "huber"),
        ({"depth": 2, "sigma_b": 0.3, "output_bias": True}, THREE_CLASSES, "cross_entropy"),
        ({"centred": True, "readout": "signs"}, THREE_CLASSES, "mse"),
        ({"depth": 2, "trained": "hidden_weights"}, TWO_SIGNS, "logistic"),
        ({"trained": "last_layer", "sigma_b": 0.4, "output_bias": True}, {"targets": "one_hot"}, "huber"),
        ({"depth": 3, "width_ratios": [0.5, 2.0, 1.0], "sigma_b": 0.3}, {}, "mse"),
        ({"first_layer": "sphere", "readout": "ones"}, {}, "mse"),
    ],
)
def test_every_option_equals_plain_autograd(
    tiny: Tiny, tmp_path: Path, network: dict[str, Any], data: dict[str, Any], loss: str
) -> None:
    content = tiny(network=network, training={"loss": loss}, axes={"scaling": ["ntk", 0.8], "alpha": [2.0], "seed": 1})
    content["data"] = data if "name" in data else content["data"] | data
    sweepengine.run(content, tmp_path / "o.zarr", executor="inline")
    sweep = sweepengine.open_sweep(tmp_path / "o.zarr").load()
    for position in range(sweep.sizes["run"]):
        run = sweep.isel(run=position)
        expected = plain_training(content, run)
        assert expected.shape[1:] == run.targets_train.shape[1:]
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


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], xr.Dataset]:
    """A sweep that records every variable."""
    content: dict[str, Any] = {
        "name": "everything",
        "data": {"name": "digits", "classes": [3, 8], "n_train": 12, "n_test": 10},
        "network": {"depth": 2, "activation": "tanh", "sigma_w": 1.4, "sigma_b": 0.3},
        "training": {"loss": "mse", "step_size": 0.125, "time": 8.0, "records": {"spacing": "log", "count": 6}},
        "axes": {"scaling": ["ntk", "mean_field"], "width": [24], "seed": 2},
        "precision": "float64",
        "observables": list(declared("networks")),
    }
    store = tmp_path_factory.mktemp("everything") / "everything.zarr"
    sweepengine.run(content, store, executor="inline")
    return content, sweepengine.open_sweep(store).load()


def test_variables_of_the_kernel_follow_from_the_kernel(everything: tuple[dict[str, Any], xr.Dataset]) -> None:
    _, sweep = everything
    y, n = sweep.targets_train.values, sweep.sizes["i"]
    center = np.eye(n) - 1 / n
    for run in range(sweep.sizes["run"]):
        start = sweep.kernel.values[run, 0]
        for record in range(sweep.sizes["record"]):
            now, here = sweep.kernel.values[run, record], sweep.isel(run=run, record=record)
            np.testing.assert_allclose(here.kernel_eigenvalues, np.linalg.eigvalsh(now), rtol=1e-9, atol=1e-12)
            norm = np.linalg.norm(now - start, 2) / np.linalg.norm(start, 2)
            assert float(here.kernel_drift_op) == pytest.approx(norm, rel=1e-9, abs=1e-14)
            assert float(here.kernel_alignment) == pytest.approx(y @ now @ y / np.linalg.norm(now) / (y @ y), rel=1e-12)
            a, b = center @ now @ center, center @ start @ center
            assert float(here.kernel_cka) == pytest.approx(
                (a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b), rel=1e-10
            )
            right = (here.outputs_test * sweep.targets_test > 0).mean()
            assert float(here.accuracy_test) == float(right)
    assert float(sweep.kernel_cka.isel(record=0).min()) == pytest.approx(1)
    assert float(sweep.kernel_cka.isel(record=-1).min()) < 0.999


def test_variables_of_the_network_equal_plain_autograd(everything: tuple[dict[str, Any], xr.Dataset]) -> None:
    content, sweep = everything
    for position in range(sweep.sizes["run"]):
        run = sweep.isel(run=position)
        plain = PlainRun(content, run)
        start = [h.detach() for h in plain.preactivations(plain.x)]
        for record in (0, -1):
            if record:
                plain.train(int(run.step[-1]), float(run.step_size))
            cross = plain.speed * plain.jacobian(plain.x_test) @ plain.jacobian(plain.x).T
            np.testing.assert_allclose(run.kernel_test_train[record], cross, rtol=1e-9, atol=1e-10)
            now = [h.detach() for h in plain.preactivations(plain.x)]
            moved = [float((a - b).square().mean().sqrt()) for a, b in zip(now, start, strict=True)]
            np.testing.assert_allclose(run.preactivation_movement[record], moved, rtol=1e-9, atol=1e-14)
            flips = [float(((a > 0) != (b > 0)).double().mean()) for a, b in zip(now, start, strict=True)]
            np.testing.assert_allclose(run.activation_flips[record], flips, atol=1e-15)
        assert float(run.activation_flips[-1].max()) > 0


def test_the_linearised_model_is_iterated_descent_on_the_first_kernel(
    everything: tuple[dict[str, Any], xr.Dataset],
) -> None:
    _, sweep = everything
    y = sweep.targets_train.values
    for position in range(sweep.sizes["run"]):
        run = sweep.isel(run=position)
        train, test = run.outputs_train.values[0].copy(), run.outputs_test.values[0].copy()
        rate = float(run.step_size) / len(y)
        for step in range(int(run.step[-1]) + 1):
            if step in run.step.values:
                record = run.step.values.tolist().index(step)
                for found, linear, name in ((run.outputs_train, train, "train"), (run.outputs_test, test, "test")):
                    distance = np.sqrt(np.mean((found.values[record] - linear) ** 2))
                    stored = float(run[f"linear_distance_{name}"][record])
                    assert stored == pytest.approx(distance, rel=1e-8, abs=1e-12)
            pull = rate * (train - y)
            train, test = train - run.kernel.values[0] @ pull, test - run.kernel_test_train.values[0] @ pull
        assert float(run.linear_distance_test[-1]) > 1e-3


def test_weights_of_several_widths_are_those_of_the_networks(tiny: Tiny, tmp_path: Path) -> None:
    content = tiny(network={"depth": 2, "sigma_b": 0.3, "output_bias": True}, observables=["weights", "hessian_rms"])
    sweepengine.run(content, tmp_path / "w.zarr", executor="inline")
    sweep = sweepengine.open_sweep(tmp_path / "w.zarr").load()
    assert sweep.hessian_rms.dims == ("run", "record", "layer", "layer_other")
    assert sweep.layer_other.values.tolist() == sweep.layer.values.tolist() == ["W0", "W1", "W2"]
    for position in range(sweep.sizes["run"]):
        run = sweep.isel(run=position)
        plain = PlainRun(content, run)
        shapes = parameter_shapes((plain.x.shape[1], *[plain.m] * 2), biases=True, output_bias=True)
        assert int(run.weights[0].notnull().sum()) == parameter_count(shapes)
        for record in (0, -1):
            if record:
                plain.train(int(run.step[-1]), float(run.step_size))
            parts = unflatten(run.weights.values[record], shapes)
            assert set(parts) == set(plain.p)
            for name, part in parts.items():
                np.testing.assert_allclose(part, plain.p[name].detach(), rtol=1e-10, atol=1e-12)


def test_a_model_that_is_linear_keeps_no_distance_from_its_linearisation(tiny: Tiny, tmp_path: Path) -> None:
    names = ["linear_distance_train", "linear_distance_test"]
    for trained, linear in (("last_layer", True), ("all", False)):
        store = tmp_path / f"{trained}.zarr"
        sweepengine.run(tiny(network={"trained": trained}, observables=names), store, executor="inline")
        sweep = sweepengine.open_sweep(store).load()
        for name in names:
            assert (float(sweep[name].max()) < 1e-12) == linear, (trained, name)
    content = tiny(training={"loss": "logistic", "method": "heun"}, observables=names)
    with pytest.raises(
        SpecError, match=r"linear_distance_train follows .*training\.loss logistic .*found training\.method heun"
    ):
        sweepengine.run(content, tmp_path / "no.zarr", executor="inline")
