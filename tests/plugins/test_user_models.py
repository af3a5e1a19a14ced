"""Models of users' own, from the spec to the store."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import sweepengine
from sweepengine.cli import main
from sweepengine.errors import SpecError
from sweepengine.networks import Inputs, ModuleNetwork, ModuleParameters, build_module, initialise
from sweepengine.plugins import install, model_of, read_plugin
from sweepengine.spec import ModelSpec, SweepSpec, read_spec
from tests.support.plugins import JOBS, MODEL, TWIN, fresh_registry, loaded, plugin
from tests.support.texts import says

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Tiny = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": {"model": "twin", "depth": 2}}, "network.depth: belongs to the fully connected network"),
        ({"network": {"model": "twin", "sigma_w": 2.0}}, "network.sigma_w: belongs to the fully connected network"),
        (
            {"axes": {**MODEL["axes"], "activation": ["relu"]}},
            "axes.activation: belongs to the fully connected network",
        ),
        ({"network": {"model": "./twin.py"}}, "network.model: found './twin.py'"),
        ({"network": {"model": "twin.py"}}, "network.model: found 'twin.py'"),
        ({"network": {"depth": 1, "activation": "relu"}}, "network.sigma_w: missing; add it"),
        ({"plugins": ["twin.py"]}, "plugins: unknown key"),
        ({"observables": ["activation_flips"]}, "observables: activation_flips looks into the layers of the fully"),
        ({"observables": ["preactivation_movement"]}, "observables: preactivation_movement looks into the layers"),
    ],
)
def test_specs_of_models_say_what_is_wrong(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    """Nothing in a spec names a file: what a plugin is comes from the command line alone."""
    install(read_plugin(plugin(tmp_path, TWIN)))
    with pytest.raises(SpecError, match=message):
        sweepengine.run(MODEL | changes, tmp_path / "m.zarr", executor="inline")
    assert not (tmp_path / "m.zarr").exists()


LINEAR = {"linear_distance_train", "linear_distance_test", "random_feature_distance", "linear_params_distance"}


OBSERVED = ["loss_train", "loss_test", "outputs_train", "outputs_test", "kernel", "kernel_drift", "movement_relative",
            "movement_row_max", "movement_op", "movement_total", "accuracy_test", "kernel_test_train",
            "kernel_eigenvalues", "kernel_cka", "linear_distance_train", "linear_distance_test", "kernel_diagonal",
            "kernel_effective_rank", "residual_modes", "residual_norm", "movement_rms_entry", "kernel_full",
            "random_feature_distance", "linear_params_distance"]  # fmt: skip


METHODS: list[Any] = [
    "heun",
    {"name": "sgd", "batch_size": 4},
    {"name": "momentum", "beta": 0.5},
    {"name": "rk45", "tolerance": 1e-4},
]


@pytest.mark.parametrize(
    ("classes", "method"),
    [([3, 8], "gd"), ([1, 3, 8], "gd"), *(([3, 8], method) for method in METHODS)],
    ids=["gd", "gd-3", "heun", "sgd", "momentum", "rk45"],
)
def test_a_twin_of_the_engines_network_gives_its_store(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, classes: list[int], method: Any
) -> None:
    """The same initial numbers, the same everything to 1e-12; a wrong multiplier in the module shows in everything."""
    stochastic = isinstance(method, dict) and method["name"] in {"sgd", "momentum"}
    observed = [name for name in OBSERVED if not (stochastic and name in LINEAR)]
    shared = {
        "axes": {"scaling": [0.8], "width": [8, 16], "seed": 1, "alpha": [3.0]},
        "observables": observed,
        "training": MODEL["training"] | {"method": method},
        "data": MODEL["data"] | {"classes": classes},
    }
    ours = loaded(tiny() | shared, tmp_path / "ours.zarr", [])

    def same_start(model: Any, width: int, d: int, outputs: int, seed: int, dtype: torch.dtype) -> Any:
        module, _ = build_module(model, width, d, outputs, seed, dtype)
        start = initialise(SweepSpec(**tiny()).architectures()[0], width, d, seed, dtype, outputs=outputs)
        values = {"hidden": start.hidden[0].contiguous(), "readout": start.readout}
        return module, ModuleParameters(values, width, outputs)

    monkeypatch.setattr("sweepengine.execute._model_turn.build_module", same_start)
    theirs = loaded(MODEL | shared, tmp_path / "theirs.zarr", [plugin(tmp_path, TWIN)])
    assert list(theirs.layer.values) == ["hidden", "readout"]
    assert set(theirs.activation.values) == {"twin@1"}
    assert set(theirs.limit.values) == {""}
    assert not sweepengine.open_theory(tmp_path / "theirs.zarr").data_vars
    for name in observed:
        np.testing.assert_allclose(theirs[name], ours[name], rtol=1e-12, atol=1e-12, err_msg=name)
    if method != "gd":
        return
    fresh_registry()
    wrong = loaded(MODEL | shared, tmp_path / "wrong.zarr", [plugin(tmp_path, TWIN.replace("FACTOR", "1.401"))])
    for name in set(observed) - {"accuracy_test"}:
        assert np.abs(wrong[name].values - ours[name].values).max() > 1e-9, name


@pytest.mark.parametrize("method", ["gd", {"name": "momentum", "beta": 0.5, "batch_size": 5}])
def test_a_models_run_resumes_with_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: Any) -> None:
    plugins = [plugin(tmp_path, TWIN)]
    content = MODEL | {
        "axes": {"scaling": ["ntk"], "width": [8], "seed": 1},
        "network": {"model": "twin", "centred": True},
        "training": MODEL["training"] | {"method": method},
    }
    whole = loaded(content, tmp_path / "whole.zarr", plugins)
    descend, left = ModuleNetwork.descend, [1 + 7]  # one step is a trial, before anything runs

    def killed(self: Any, *arguments: Any, **settings: Any) -> None:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        descend(self, *arguments, **settings)

    monkeypatch.setattr(ModuleNetwork, "descend", killed)
    with pytest.raises(KeyboardInterrupt):
        sweepengine.run(content, tmp_path / "killed.zarr", executor="inline", plugins=plugins, commit_seconds=1e-9)
    assert 0 < int(sweepengine.open_sweep(tmp_path / "killed.zarr").records_done[0]) < 6
    left[0] = 10**9
    resumed = loaded(content, tmp_path / "killed.zarr", plugins)
    assert left[0] == 10**9 - 1 - (20 - 6)  # it went on from the state
    for name in whole.data_vars:
        np.testing.assert_array_equal(resumed[name], whole[name], err_msg=str(name))


def test_a_model_that_diverges_is_data(tmp_path: Path) -> None:
    content = MODEL | {"training": {**MODEL["training"], "step_size": 25.0, "time": 2500.0}}
    outcome = sweepengine.run(content, tmp_path / "d.zarr", executor="inline", plugins=[plugin(tmp_path, TWIN)])
    assert outcome.diverged > 0
    assert outcome.failed == 0


def test_a_model_needs_the_same_parameters_at_every_width(tmp_path: Path) -> None:
    text = TWIN.replace(
        "        self.readout", "        if width == 16:\n            self.more = self.hidden\n        self.readout"
    )
    path = plugin(tmp_path, text.replace("self.more = self.hidden", "self.more = torch.nn.Parameter(torch.empty(1))"))
    message = r"model twin@1: at width 8 its parameters are hidden, readout; at width 16 hidden, more, readout"
    with pytest.raises(SpecError, match=message):
        sweepengine.run(MODEL, tmp_path / "w.zarr", executor="inline", plugins=[path])


def test_the_automatic_step_is_a_quarter_of_the_reference_models(tmp_path: Path) -> None:
    content = MODEL | {"training": {**MODEL["training"], "step_size": "auto"}}
    sweep = loaded(content, tmp_path / "a.zarr", [plugin(tmp_path, TWIN)])
    from sweepengine.data import load

    x = torch.from_numpy(load(ModelSpec(**content).data).x_train)
    module, parameters = build_module(model_of("twin@1"), 256, 64, 1, 0, torch.float64)
    net = ModuleNetwork(module, parameters, 0.5, 1.0)
    largest = float(torch.linalg.eigvalsh(net.kernel(*net.passes(Inputs(x, x))))[-1])
    steps = math.ceil(5.0 * 4 * largest / 12)
    assert float(sweep.step_size[0]) == pytest.approx(5.0 / steps)


def test_the_plan_of_a_model_says_what_it_costs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "own.yaml"
    spec.write_text(json.dumps(MODEL))
    assert main(["plan", str(spec), "--store", str(tmp_path / "x.zarr"), "--plugin", plugin(tmp_path, TWIN)]) == 0
    said = capsys.readouterr().out
    assert says(said, "twin@1")
    assert says(said, "16: 0 done")


def test_the_convolutional_job(tmp_path: Path) -> None:
    """jobs/cnn.yaml in small: it learns, its kernel hardly moves, and its own observable is recorded."""
    content = read_spec(JOBS / "cnn.yaml").to_json()
    content |= {"axes": {"scaling": ["ntk", "mean_field"], "width": [8, 32], "seed": 1}, "precision": "float64"}
    content["training"]["step_size"] = 0.25  # auto would take a kernel at width 256
    sweep = loaded(content, tmp_path / "cnn.zarr", [str(JOBS / "cnn.py")])
    assert list(sweep.layer.values) == ["first.weight", "second.weight", "readout.weight"]
    assert (sweep.loss_train[:, -1] < 0.6 * sweep.loss_train[:, 0]).all()
    drift = sweep.kernel_drift[:, -1].values[sweep.scaling.values == "ntk"]
    assert drift[1] < 0.6 * drift[0]
    np.testing.assert_allclose(
        np.sqrt(9 * 8 * np.square(sweep.filter_movement[0, -1]).mean()),
        sweep.movement_relative[0, -1, 0] * np.linalg.norm(first_filters(8)),
        rtol=1e-10,
    )


def first_filters(width: int) -> Any:
    return build_module(model_of("cnn@1"), width, 64, 1, 0, torch.float64)[1].values["first.weight"].numpy()
