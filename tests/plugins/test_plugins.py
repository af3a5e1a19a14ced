"""User code: registries, plugin files, sweeps of users' observables and models from end to end."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest
import torch

import sweepengine
from sweepengine.cli import main
from sweepengine.errors import SpecError, StoreError
from sweepengine.networks import Inputs, ModuleNetwork, ModuleParameters, build_module, initialise
from sweepengine.observe import VARIABLES, user_observable
from sweepengine.observe._user import TAKEN
from sweepengine.observe._user_measure import measured
from sweepengine.options import ExecutorName
from sweepengine.plugins import Plugin, _registry, install, model_of, read_plugin
from sweepengine.spec import Architecture, ModelRun, ModelSpec, Run, SweepSpec, read_spec, run_from_json
from sweepengine.store import SweepStore
from sweepengine.store._run_table import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    Tiny = Callable[..., dict[str, Any]]

JOBS = Path(__file__).parents[2] / "jobs"

OBSERVABLES = '''
"""Two observables."""
import torch
from sweepengine import register_observable


@register_observable(name="outputs_histogram", dims=("bin",), sizes={"bin": 4}, long_name="share of outputs in a bin")
def histogram(now, start):
    outputs = now.train.forward.outputs
    return torch.histc(outputs, bins=4, min=-2, max=2).to(torch.float64) / len(outputs)


@register_observable(name="distance", dims=("i",), long_name="distance of outputs from the start", version="VERSION")
def distance(now, start):
    return (now.train.forward.outputs - start.train.forward.outputs).abs()
'''

TWIN = '''
"""The fully connected network of tiny, as a module of one's own."""
import math
import torch
import sweepengine


@sweepengine.register_model(name="twin", law=lambda name, gaussians: gaussians)
class Twin(torch.nn.Module):
    def __init__(self, width, inputs, outputs):
        super().__init__()
        self.hidden = torch.nn.Parameter(torch.empty(width, inputs))
        self.readout = torch.nn.Parameter(torch.empty((width, outputs)[: 1 + (outputs > 1)]))

    def forward(self, x):
        return FACTOR * torch.tanh(1.4 / math.sqrt(x.shape[1]) * x @ self.hidden.T) @ self.readout
'''

MODEL: dict[str, Any] = {
    "name": "own",
    "data": {"name": "digits", "classes": [3, 8], "n_train": 12, "n_test": 10},
    "network": {"model": "twin"},
    "training": {"loss": "mse", "step_size": 0.25, "time": 5.0, "records": {"spacing": "log", "count": 6}},
    "axes": {"scaling": ["ntk", 0.8], "width": [8, 16], "seed": 2, "alpha": [1.0, 3.0]},
    "precision": "float64",
}


@pytest.fixture(autouse=True)
def _fresh_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test registers for itself alone."""
    monkeypatch.setattr(_registry, "_REGISTRY", _registry._Registry())


def plugin(tmp_path: Path, text: str, name: str = "plugin.py", version: str = "1") -> str:
    path = tmp_path / name
    path.write_text(text.replace("VERSION", version).replace("FACTOR", "1.4"))
    return str(path)


def observing(tiny: Tiny, *names: str, **changes: Any) -> dict[str, Any]:
    return tiny(**changes) | {"observables": ["loss_train", "outputs_train", *names]}


def test_a_plugin_file_from_end_to_end(tiny: Tiny, tmp_path: Path) -> None:
    content = observing(tiny, "outputs_histogram", "distance")
    path = plugin(tmp_path, OBSERVABLES)
    outcome = sweepengine.run(content, tmp_path / "o.zarr", executor="inline", plugins=[path])
    assert (outcome.done, outcome.failed) == (8, 0)
    _registry._REGISTRY = _registry._Registry()  # opening a store needs no plugin
    sweep = sweepengine.open_sweep(tmp_path / "o.zarr").load()
    assert sweep.outputs_histogram.dims == ("run", "record", "bin")
    assert sweep.outputs_histogram.sizes["bin"] == 4
    assert sweep.outputs_histogram.attrs["long_name"] == "share of outputs in a bin"
    np.testing.assert_allclose(sweep.distance, abs(sweep.outputs_train - sweep.outputs_train.isel(record=0)))
    assert float(sweep.distance.max()) > 0.1
    digest = read_plugin(path).sha256
    used = json.loads(sweep.attrs["provenance"])["user_code"]
    assert [(each["kind"], each["name"], each["version"], each["file"], each["sha256"]) for each in used] == [
        ("observable", "distance", "1", "plugin.py", digest),
        ("observable", "outputs_histogram", "1", "plugin.py", digest),
    ]


def test_the_observable_of_the_docs() -> None:
    text = (JOBS.parent / "docs" / "plugins.md").read_text()
    block = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)[0]
    install(Plugin("docs/plugins.md", block))
    outputs = torch.linspace(-1.9, 1.9, 12, dtype=torch.float64)
    now = SimpleNamespace(train=SimpleNamespace(forward=SimpleNamespace(outputs=outputs)), has_output_dim=False)
    value = measured(user_observable("outputs_histogram@1"), now, now)  # type: ignore[arg-type]
    assert value.shape == (32,)
    assert float(value.sum()) == pytest.approx(1)


def test_groups_do_not_reach_the_users_functions(tiny: Tiny, tmp_path: Path) -> None:
    content = observing(tiny, "distance")
    plugins = [plugin(tmp_path, OBSERVABLES)]
    for store, size in (("a", 1), ("b", 4)):
        sweepengine.run(content, tmp_path / f"{store}.zarr", executor="inline", plugins=plugins, runs_per_turn=size)
    a, b = (sweepengine.open_sweep(tmp_path / f"{store}.zarr").load() for store in "ab")
    for name in a.data_vars:
        np.testing.assert_array_equal(a[name], b[name], err_msg=str(name))


@pytest.mark.parametrize("classes", [[3, 8], [1, 3, 8]])
def test_functions_registered_in_python(tiny: Tiny, tmp_path: Path, classes: list[int]) -> None:
    @sweepengine.register_observable(name="largest", dims=["output"], long_name="largest output")
    def largest(now: Any, start: Any) -> Tensor:
        outputs: Tensor = now.train.forward.outputs
        return outputs.amax(0)

    content = observing(tiny, "largest", data={"classes": classes}, axes={"width": [8], "seed": 1})
    sweepengine.run(content, tmp_path / "p.zarr", executor="inline")
    sweep = sweepengine.open_sweep(tmp_path / "p.zarr").load()
    np.testing.assert_array_equal(sweep.largest, sweep.outputs_train.max("i"))
    (used,) = json.loads(sweep.attrs["provenance"])["user_code"]
    assert (used["file"], used["name"]) == ("", "largest")


@pytest.mark.timeout(120)
def test_user_code_travels_to_rays_workers(tiny: Tiny, tmp_path: Path) -> None:
    """A model from a file and a function of this process, with what it closes over; bit for bit as in this process."""
    factor = 3.0

    @sweepengine.register_observable(name="tripled", version="2", long_name="three times the output", dims=["i"])
    def tripled(now: Any, _: Any) -> Tensor:
        outputs: Tensor = now.train.forward.outputs
        return factor * outputs

    content = MODEL | {"observables": ["loss_train", "outputs_train", "kernel", "tripled"]}
    assert tripled is not None
    sweepengine.register_observable(name="tripled", version="2", long_name="three times the output", dims=["i"])(
        tripled
    )
    plugins = [plugin(tmp_path, TWIN)]
    for executor in get_args(ExecutorName):
        outcome = sweepengine.run(content, tmp_path / f"{executor}.zarr", executor=executor, plugins=plugins)
        assert (outcome.done, outcome.failed) == (16, 0)
    a, b = (sweepengine.open_sweep(tmp_path / f"{name}.zarr").load() for name in ("ray", "inline"))
    for name in a.data_vars:
        np.testing.assert_array_equal(a[name], b[name], err_msg=str(name))
    np.testing.assert_array_equal(a.tripled, 3 * a.outputs_train)


def test_the_version_is_in_the_id_and_nothing_else_of_the_plugin(tiny: Tiny, tmp_path: Path) -> None:
    content = observing(tiny, "distance")
    ids = {}
    for version, text in (("1", OBSERVABLES), ("1", OBSERVABLES + "# a remark\n"), ("2", OBSERVABLES)):
        path, store = plugin(tmp_path, text, version=version), tmp_path / f"{version}{len(text)}.zarr"
        sweepengine.run(content, store, executor="inline", plugins=[path])
        ids[version, len(text)] = set(sweepengine.open_sweep(store).id.values)
    first, remarked, second = ids.values()
    assert first == remarked
    assert not first & second


def test_a_store_keeps_to_one_version_and_its_code(tiny: Tiny, tmp_path: Path) -> None:
    content, store = observing(tiny, "distance"), tmp_path / "v.zarr"
    sweepengine.run(content, store, executor="inline", plugins=[plugin(tmp_path, OBSERVABLES)])
    again = sweepengine.run(content, store, executor="inline", plugins=[plugin(tmp_path, OBSERVABLES + "# remark\n")])
    assert again.skipped == again.runs
    with pytest.raises(StoreError, match=r"(?s)observables: the store has .*'distance@1'.*this spec .*'distance@2'"):
        sweepengine.run(content, store, executor="inline", plugins=[plugin(tmp_path, OBSERVABLES, version="2")])
    _registry._REGISTRY = _registry._Registry()
    other = plugin(tmp_path, OBSERVABLES.replace(".abs()", ".square()"))
    with pytest.raises(StoreError, match="other code of observable distance under version '1'; give the changed code"):
        sweepengine.run(content, store, executor="inline", plugins=[other])


def test_the_same_version_of_other_code_is_refused(tmp_path: Path) -> None:
    install(read_plugin(plugin(tmp_path, OBSERVABLES)))
    install(read_plugin(plugin(tmp_path, OBSERVABLES, "again.py")))  # the same code
    changed = read_plugin(plugin(tmp_path, OBSERVABLES.replace("/ len(outputs)", "/ 2"), "changed.py"))
    with pytest.raises(SpecError, match=r"changed.py: observable outputs_histogram: version '1' is regis"):
        install(changed)
    factor = 1.0
    for _ in range(2):
        sweepengine.register_model(name="m")(lambda width, *_: width * factor)
    with pytest.raises(
        SpecError, match=r"model m: version '1' is registered already, with other code \(in Python\); give"
    ):
        sweepengine.register_model(name="m")(lambda width, *_: width + factor)
    factor = 2.0  # what a function closes over is its code too
    with pytest.raises(SpecError, match="with other code"):
        sweepengine.register_model(name="m")(lambda width, *_: width * factor)
    sweepengine.register_model(name="m", version="2")(lambda width, *_: width * factor)
    with pytest.raises(SpecError, match="with other code"):
        sweepengine.register_model(name="m", law=lambda _, g: g)(lambda width, *_: width * 1.0)


def test_a_plugin_that_fails_leaves_nothing_registered(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"plugin.py, line \d+: ZeroDivisionError: division by zero"):
        install(read_plugin(plugin(tmp_path, OBSERVABLES + "\n1 / 0\n")))
    assert not _registry.current("observable")
    install(read_plugin(plugin(tmp_path, OBSERVABLES)))
    assert set(_registry.current("observable")) == {"outputs_histogram", "distance"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import torch\n\n\ndef f(:\n", "plugin.py, line 4: SyntaxError: invalid syntax"),
        ("def f():\n    raise KeyError('x')\n\nf()\n", "plugin.py, line 2: KeyError: 'x'"),
        ("import no_such_module_here\n", "plugin.py, line 1: ModuleNotFoundError: No module named"),
        ("import sys\nsys.exit(0)\n", "plugin.py, line 2: SystemExit: 0"),
    ],
)
@pytest.mark.parametrize("command", ["run", "plan"])
def test_plugins_that_raise_give_exit_code_2(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    command: str, text: str, message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    spec = tmp_path / "spec.yaml"
    spec.write_text(json.dumps(tiny()))
    assert main([command, str(spec), "--plugin", plugin(tmp_path, text)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: plugin: ")
    assert message in said
    assert "Traceback" not in said
    assert main([command, str(spec), "--plugin", "none.py"]) == 2
    assert "plugin: there is no file none.py" in capsys.readouterr().err
    assert not Path("results").exists()


def test_names_that_nobody_registered(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"observables: found 'distanc'.*did you forget --plugin"):
        sweepengine.run(observing(tiny, "distanc"), tmp_path / "n.zarr", executor="inline")
    install(read_plugin(plugin(tmp_path, OBSERVABLES)))
    with pytest.raises(SpecError, match=r"observables: found 'distanc'\. Did you mean 'distance'\?"):
        sweepengine.run(observing(tiny, "distanc"), tmp_path / "n.zarr", executor="inline")
    with pytest.raises(SpecError, match=r"network.model: found 'twin', which is not registered .*forget --plugin"):
        sweepengine.run(MODEL, tmp_path / "n.zarr", executor="inline")
    assert not (tmp_path / "n.zarr").exists()


BROKEN = [
    ("return now.train.forward.outputs", "observable o: found shape (12,); expected ()"),
    ("return torch.tensor(1)", "observable o: found torch.int64; return floating-point numbers"),
    ("return 1.0", "observable o: found float; return a floating-point torch.Tensor"),
    ("return now.nothing", "observable o: it raised AttributeError: 'Moment' object has no attribute 'nothing' ("),
    ("return {}[start]", "observable o: it raised KeyError: "),
]


@pytest.mark.parametrize(("body", "message"), BROKEN, ids=[body for body, _ in BROKEN])
def test_an_observable_that_is_wrong_fails_its_run_alone(tiny: Tiny, tmp_path: Path, body: str, message: str) -> None:
    text = (
        "import torch, sweepengine\n@sweepengine.register_observable(name='o', long_name='o')\n"
        f"def o(now, start):\n    if now.network.parameters.width == 16:\n        {body}\n    return torch.tensor(1.5)\n"
    )
    store, path = tmp_path / "b.zarr", plugin(tmp_path, text)
    outcome = sweepengine.run(observing(tiny, "o"), store, executor="inline", plugins=[path])
    assert (outcome.done, outcome.failed) == (4, 4)
    sweep = sweepengine.open_sweep(store).load()
    assert set(sweep.width.values[sweep.status.values == "failed"]) == {16}
    np.testing.assert_array_equal(sweep.o.values[sweep.width.values == 8], 1.5)
    block = next(name for name in SweepStore(store).block_shapes() if "000016" in name)
    from sweepengine.store import read_failures

    assert message in read_failures(SweepStore(store).objects, block)[0]


def test_a_size_that_only_the_sweep_knows_is_checked_too(tiny: Tiny, tmp_path: Path) -> None:
    text = (
        "import torch, sweepengine\n@sweepengine.register_observable(name='o', dims=('i',), long_name='o')\n"
        "def o(now, start):\n    return torch.zeros(1)\n"  # would be broadcast without the check
    )
    path = plugin(tmp_path, text)
    with pytest.raises(SpecError, match=r"observable o: found shape \(1,\); expected \(i: 12\)"):
        sweepengine.run(observing(tiny, "o"), tmp_path / "s.zarr", executor="inline", plugins=[path])
    assert not (tmp_path / "s.zarr").exists()
    _registry._REGISTRY = _registry._Registry()
    late = plugin(tmp_path, text.replace("zeros(1)", "zeros(1 if now.step else 12)"), "late.py")
    outcome = sweepengine.run(observing(tiny, "o"), tmp_path / "s.zarr", executor="inline", plugins=[late])
    assert outcome.failed == outcome.runs


@pytest.mark.parametrize(("body", "message"), BROKEN, ids=[body for body, _ in BROKEN])
@pytest.mark.parametrize("command", ["run", "plan"])
def test_an_observable_that_cannot_work_is_refused_before_anything_runs(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, body: str, message: str
) -> None:
    text = (
        "import torch, sweepengine\n@sweepengine.register_observable(name='o', long_name='o')\ndef o(now, start):\n    "
    )
    (tmp_path / "spec.yaml").write_text(json.dumps(observing(tiny, "o")))
    words = [command, str(tmp_path / "spec.yaml"), "--store", str(tmp_path / "s.zarr")]
    assert main([*words, "--plugin", plugin(tmp_path, text + body + "\n")]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {message}")
    assert "a trial of observable o@1 at t = 0 of run" in said
    assert not (tmp_path / "s.zarr").exists()


PARTICLES: dict[str, Any] = {
    "name": "own",
    "kind": "particles",
    "functional": {"terms": [{"term": "potential", "name": "ring"}, {"term": "kernel", "name": "cauchy"}]},
    "initial": {"law": "gaussian", "coordinates": 2},
    "dynamics": {"method": "euler", "step_size": 0.01, "time": 0.05, "records": {"spacing": "log", "count": 3}},
    "axes": {"width": [8], "seed": 2},
    "precision": "float64",
}
TERMS = """
import torch, sweepengine


@sweepengine.register_potential(name="ring")
def ring(points):
    return POTENTIAL


@sweepengine.register_kernel(name="cauchy")
def cauchy(points, others):
    return KERNEL
"""
RING, CAUCHY = "(points.square().sum(1) - 1).square()", "1 / (1 + (points[:, None] - others).square().sum(2))"


@pytest.mark.parametrize(
    ("potential", "kernel", "message"),
    [
        ("1.0", CAUCHY, "potential ring@1: found float; return a floating-point torch.Tensor"),
        (
            RING,
            "points.nothing",
            "kernel cauchy@1: it raised AttributeError: 'Tensor' object has no attribute 'nothing'",
        ),
        ("points", CAUCHY, "the potential gave shape (8, 2)"),
    ],
)
def test_terms_that_cannot_work_are_refused_before_anything_runs(
    tmp_path: Path, potential: str, kernel: str, message: str
) -> None:
    path = plugin(tmp_path, TERMS.replace("POTENTIAL", potential).replace("KERNEL", kernel))
    with pytest.raises(SpecError, match=re.escape(message)):
        sweepengine.run(PARTICLES, tmp_path / "p.zarr", executor="inline", plugins=[path])
    assert not (tmp_path / "p.zarr").exists()
    _registry._REGISTRY = _registry._Registry()
    right = plugin(tmp_path, TERMS.replace("POTENTIAL", RING).replace("KERNEL", CAUCHY), "right.py")
    assert sweepengine.run(PARTICLES, tmp_path / "p.zarr", executor="inline", plugins=[right]).done == 2


SEEDED = """
import torch, sweepengine
from sweepengine import register_observable


@register_observable(name="o", long_name="o", version="VERSION")
def o(now, start):
    BODY
    return now.train.forward.outputs.mean()
"""
LATE = "if now.step: raise SystemExit"


@pytest.mark.parametrize(
    "raised", ["SystemExit", "SystemExit('x')", "KeyboardInterrupt", "GeneratorExit", "OSError('x')"]
)
def test_whatever_user_code_raises_is_its_runs_failure(tiny: Tiny, tmp_path: Path, raised: str) -> None:
    body = f"if now.step and now.network.parameters.width == 8: raise {raised}"
    path, store = plugin(tmp_path, SEEDED.replace("BODY", body)), tmp_path / "b.zarr"
    outcome = sweepengine.run(observing(tiny, "o"), store, executor="inline", plugins=[path])
    assert (outcome.done, outcome.failed) == (4, 4)


def test_code_may_be_mended_until_a_run_has_succeeded_with_it(tiny: Tiny, tmp_path: Path) -> None:
    content, store = observing(tiny, "o"), tmp_path / "m.zarr"

    def run(body: str, version: str = "1") -> Any:
        _registry._REGISTRY = _registry._Registry()
        path = plugin(tmp_path, SEEDED.replace("BODY", body), version=version)
        return sweepengine.run(content, store, executor="inline", plugins=[path], commit_seconds=1e-9)

    assert run(LATE).failed == 8
    assert run(LATE + "  # still", "2").failed == 8
    assert run("if now.step > 3: raise SystemExit").failed == 8  # of the first version again, other code
    assert run("pass").done == 8
    sweep = sweepengine.open_sweep(store).load()
    done = sweep.isel(run=np.flatnonzero(sweep.status == "done"))
    np.testing.assert_allclose(done.o, done.outputs_train.mean("i"), rtol=1e-12)
    with pytest.raises(StoreError, match="other code of observable o under version '1'"):
        run("now.step")
    with pytest.raises(StoreError, match="observables: the store has"):
        run("pass", "2")


def test_an_observable_keeps_its_dims_in_one_store(tiny: Tiny, tmp_path: Path) -> None:
    """Failed runs of a version that was given up stay in the store, which must open with the others."""
    content, store = observing(tiny, "o"), tmp_path / "m.zarr"
    path = plugin(tmp_path, SEEDED.replace("BODY", LATE))
    assert sweepengine.run(content, store, executor="inline", plugins=[path]).failed == 8
    text = (
        SEEDED.replace(', version="VERSION"', ', dims=["i"], version="2"')
        .replace(".mean()", "")
        .replace("BODY", "pass")
    )
    with pytest.raises(StoreError, match=r"has the observable o with dims {}, here it has \['i'\]"):
        sweepengine.run(content, store, executor="inline", plugins=[plugin(tmp_path, text, "dims.py")])


def test_a_state_of_code_that_was_mended_is_not_gone_on_from(tiny: Tiny, tmp_path: Path) -> None:
    """What the first code had recorded before it failed is not mixed with what the second records."""
    content, store = observing(tiny, "o"), tmp_path / "m.zarr"
    for body in ("if now.step > 3: raise SystemExit\n    if True: return now.train.forward.outputs.mean() + 1", "pass"):
        _registry._REGISTRY = _registry._Registry()
        path = plugin(tmp_path, SEEDED.replace("BODY", body))
        sweepengine.run(content, store, executor="inline", plugins=[path], commit_seconds=1e-9)
    sweep = sweepengine.open_sweep(store).load()
    np.testing.assert_allclose(sweep.o, sweep.outputs_train.mean("i"), rtol=1e-12)


def test_failures_of_one_reason_are_one_line(tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "spec.yaml").write_text(json.dumps(observing(tiny, "o")))
    path, store = plugin(tmp_path, SEEDED.replace("BODY", LATE)), str(tmp_path / "f.zarr")
    words = [
        "run",
        str(tmp_path / "spec.yaml"),
        "--store",
        store,
        "--executor",
        "inline",
        "--no-report",
        "--plugin",
        path,
    ]
    assert main(words) == 1
    said = capsys.readouterr().err.splitlines()
    failed = [line for line in said if line.startswith("failed: ")]
    assert re.fullmatch(r"failed: run \w+: RunError: observable o: it raised SystemExit .*", failed[0])
    assert re.fullmatch(
        r"failed: 7 runs more \(run \w+, run \w+, run \w+ …\): RunError: observable o: it .*", failed[1]
    )
    assert len(failed) == 2
    assert main(["status", store]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("failed: ")]
    assert line.startswith("failed: 8 runs, run ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "kernel"}, "the name 'kernel' is one of sweepengine's own"),
        ({"name": "seed"}, "the name 'seed' is one of sweepengine's own"),
        ({"name": "Own"}, "found the name 'Own'; a name is made of small letters"),
        ({"version": 1}, "found the version 1; expected text"),
        ({"version": "a@b"}, "found the version 'a@b'; expected text"),
        ({"dims": ["bin"], "sizes": {"bin": 0}}, "the dim 'bin' has size 0"),
        ({"dims": ["i"], "sizes": {"i": 3}}, "the dim 'i' is one of sweepengine's own"),
        ({"sizes": {"bin": 3}}, r"sizes names 'bin', which is not among its dims \[\]"),
        ({"dims": ["run", "i"]}, "each once, and without run and record"),
    ],
)
def test_bad_registrations(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        sweepengine.register_observable(**{"name": "o", "long_name": "o"} | arguments)(lambda now, _: now)
    with pytest.raises(SpecError, match="register a function or a class"):
        sweepengine.register_model(name="m")(3)  # type: ignore[type-var]


def test_dims_without_a_size(tiny: Tiny, tmp_path: Path) -> None:
    sweepengine.register_observable(name="o", dims=["bin"], long_name="o")(lambda now, _: now)
    with pytest.raises(
        SpecError, match=r"observable o@1: its dim 'bin' has no size; give one with sizes={'bin': …}, or"
    ):
        sweepengine.run(observing(tiny, "o"), tmp_path / "d.zarr", executor="inline")
    for name, size in (("p", 3), ("q", 4)):
        sweepengine.register_observable(name=name, dims=["bin"], sizes={"bin": size}, long_name=name)(
            lambda now, _: now
        )
    with pytest.raises(SpecError, match="observable q@1: gives dim 'bin' size 4; here it has 3 already"):
        sweepengine.run(observing(tiny, "p", "q"), tmp_path / "d.zarr", executor="inline")


def test_no_observable_can_take_a_name_that_a_dataset_has(tiny: Tiny, tmp_path: Path) -> None:
    sweepengine.run(tiny(), tmp_path / "t.zarr", executor="inline")
    sweep = sweepengine.open_sweep(tmp_path / "t.zarr")
    names = {str(name) for name in [*sweep.variables, *sweep.dims]}
    assert names <= {*VARIABLES, *TAKEN}
    assert set(COLUMNS) <= TAKEN


def test_ids_without_user_code_are_those_of_before() -> None:
    architecture = Architecture(1, "relu", 2**0.5, 0.0, 2**0.5, model="")
    run = Run(architecture, 32, 0, 0.5, 1.0, "mse", 50.0, (0, 1, 154), "float32", "0123456789abcdef")
    assert run.id == "045d54727e234e26"
    other = ModelRun(Architecture.of_model("m@1", centred=False), 32, 0, 0.5, 1.0, "mse", 50.0, (0, 1), "float32", "0")
    versions = [other, ModelRun(Architecture.of_model("m@2", centred=False), *list(vars(other).values())[1:10])]
    assert len({run.id for run in versions}) == 2
    assert versions[0].limit_id == ""
    assert run_from_json(json.loads(json.dumps(other.to_json()))) == other


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


def loaded(content: dict[str, Any], store: Path, plugins: list[str]) -> Any:
    sweepengine.run(content, store, executor="inline", plugins=plugins)
    return sweepengine.open_sweep(store).load()


OBSERVED = ["loss_train", "loss_test", "outputs_train", "outputs_test", "kernel", "kernel_drift", "movement_relative",
            "movement_row_max", "movement_op", "movement_total", "accuracy_test", "kernel_test_train", "kernel_eigenvalues",
            "kernel_cka", "linear_distance_train", "linear_distance_test", "kernel_diagonal", "kernel_effective_rank",
            "residual_modes", "residual_norm", "movement_rms_entry", "kernel_full", "random_feature_distance", "linear_params_distance"]  # fmt: skip


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
    _registry._REGISTRY = _registry._Registry()
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
    assert "twin@1" in said
    assert "16: 0 done" in said


def test_registering_needs_no_torch() -> None:
    program = (
        "import sweepengine\n"
        "@sweepengine.register_observable(name='o', long_name='o')\ndef o(now, start): ...\n"
        "@sweepengine.register_model(name='m')\ndef m(width, inputs, outputs): ...\n"
        "import sys\nprint('torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"


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
