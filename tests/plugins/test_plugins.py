"""User code: registries, plugin files, versions, and what reaches the workers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest
import torch

import sweepengine
from sweepengine.cli import main
from sweepengine.errors import SpecError, StoreError
from sweepengine.observe import Ingredient, user_observable
from sweepengine.options import ExecutorName
from sweepengine.plugins import Plugin, current, install, read_plugin, register
from sweepengine.spec import Architecture, ModelRun, Run, run_from_json
from tests.support.plugins import JOBS, MODEL, OBSERVABLES, TWIN, fresh_registry, observing, plugin

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    Tiny = Callable[..., dict[str, Any]]


def test_a_plugin_file_from_end_to_end(tiny: Tiny, tmp_path: Path) -> None:
    content = observing(tiny, "outputs_histogram", "distance")
    path = plugin(tmp_path, OBSERVABLES)
    outcome = sweepengine.run(content, tmp_path / "o.zarr", executor="inline", plugins=[path])
    assert (outcome.done, outcome.failed) == (8, 0)
    fresh_registry()  # opening a store needs no plugin
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
    now = SimpleNamespace(train=SimpleNamespace(forward=SimpleNamespace(outputs=outputs)))
    observable: Any = user_observable("outputs_histogram@1")
    value = observable.function(now, now)
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
    with pytest.raises(StoreError, match=r"(?s)observables: the store has .*, distance@1, this spec .*, distance@2"):
        sweepengine.run(content, store, executor="inline", plugins=[plugin(tmp_path, OBSERVABLES, version="2")])
    fresh_registry()
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
    assert not current("observable")
    install(read_plugin(plugin(tmp_path, OBSERVABLES)))
    assert set(current("observable")) == {"outputs_histogram", "distance"}


def test_a_file_knows_what_it_has_registered_so_far(tmp_path: Path) -> None:
    """An observable may be of a kind of sweep that the same file registers."""
    text = OBSERVABLES + "\nimport sweepengine.plugins\nSEEN = sorted(sweepengine.plugins.current('observable'))\n"
    text += "assert SEEN == ['distance', 'outputs_histogram'], SEEN\n"
    install(read_plugin(plugin(tmp_path, text)))


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
    with pytest.raises(
        SpecError, match=r"(?s)observables: found 'distanc'.*did you forget --plugin.*\n    kernel_cka\n"
    ):
        sweepengine.run(observing(tiny, "distanc"), tmp_path / "n.zarr", executor="inline")
    install(read_plugin(plugin(tmp_path, OBSERVABLES)))
    with pytest.raises(SpecError, match=r"observables: found 'distanc'.*\. Did you mean 'distance'\?"):
        sweepengine.run(observing(tiny, "distanc"), tmp_path / "n.zarr", executor="inline")
    with pytest.raises(SpecError, match=r"network.model: found 'twin', which is not registered .*forget --plugin"):
        sweepengine.run(MODEL, tmp_path / "n.zarr", executor="inline")
    assert not (tmp_path / "n.zarr").exists()


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


def test_no_observable_can_take_a_name_that_a_dataset_has(tiny: Tiny, tmp_path: Path) -> None:
    sweepengine.run(tiny(), tmp_path / "t.zarr", executor="inline")
    sweep = sweepengine.open_sweep(tmp_path / "t.zarr")
    [table] = (tmp_path / "t.zarr" / "runs").glob("*/")
    for name in {*sweep.variables, *sweep.dims, *(column.name for column in table.glob("*/"))}:
        with pytest.raises(SpecError, match=f"the name {name!r} is one of sweepengine's own"):
            sweepengine.register_observable(name=str(name), long_name="own")


@dataclass(frozen=True)
class Variable:
    """What a declaration was when stores were first bound to fingerprints of it."""

    name: str
    dims: tuple[str, ...]
    long_name: str
    units: str
    source: str
    needs_mse: bool = False
    needs_closed_form: bool = False
    needs: tuple[str, ...] = ()


def test_fingerprints_of_observables_are_those_of_before() -> None:
    def own(now: Any, _: Any) -> Any:
        return now.kernel

    sweepengine.register_observable(name="o", dims=["bin"], sizes={"bin": 3}, long_name="own", cost=[Ingredient()])(own)
    variable = Variable("o", ("run", "record", "bin"), "own", "1", "user code")
    for size in (3, 4):
        register(
            "observable", f"o{size}", "1", SimpleNamespace(variable=variable, sizes=(("bin", size),), function=own), own
        )
    assert current("observable")["o"].fingerprint == current("observable")["o3"].fingerprint
    assert current("observable")["o"].fingerprint != current("observable")["o4"].fingerprint


def test_ids_without_user_code_are_those_of_before() -> None:
    architecture = Architecture(1, "relu", 2**0.5, 0.0, 2**0.5, model="")
    run = Run(architecture, 32, 0, 0.5, 1.0, "mse", 50.0, (0, 1, 154), "float32", "0123456789abcdef")
    assert run.id == "045d54727e234e26"
    other = ModelRun(Architecture.of_model("m@1", centred=False), 32, 0, 0.5, 1.0, "mse", 50.0, (0, 1), "float32", "0")
    versions = [other, ModelRun(Architecture.of_model("m@2", centred=False), *list(vars(other).values())[1:10])]
    assert len({run.id for run in versions}) == 2
    assert versions[0].limit_id == ""
    assert run_from_json(json.loads(json.dumps(other.to_json()))) == other


def test_registering_needs_no_torch() -> None:
    program = (
        "import sweepengine\n"
        "@sweepengine.register_observable(name='o', long_name='o')\ndef o(now, start): ...\n"
        "@sweepengine.register_model(name='m')\ndef m(width, inputs, outputs): ...\n"
        "import sys\nprint('torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"


def test_a_plugin_that_installs_another_keeps_its_own(tmp_path: Path) -> None:
    inner = plugin(tmp_path, OBSERVABLES)
    outer = tmp_path / "outer.py"
    outer.write_text(
        f"import sweepengine.plugins as p\np.install(p.read_plugin({inner!r}))\n"
        "import sweepengine\n"
        "@sweepengine.register_observable(name='late', long_name='late')\n"
        "def late(now, start):\n    return now.kernel.sum()\n"
    )
    install(read_plugin(outer))
    assert {"late", "distance"} <= set(current("observable"))
    assert current("observable")["late"].plugin is not None


def test_a_function_as_a_default_changes_no_fingerprint_between_processes(tmp_path: Path) -> None:
    text = """
import sweepengine
def one(x): return x
@sweepengine.register_observable(name="o", long_name="o")
def o(now, start, f=one): return f(now.kernel.sum())
"""
    path = plugin(tmp_path, text)
    code = (
        f"import sweepengine.plugins as p; p.install(p.read_plugin({path!r})); "
        "print(p.current('observable')['o'].fingerprint)"
    )
    told = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(3)
    }
    assert len(told) == 1
