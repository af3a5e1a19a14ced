"""A kind of sweeps that one file registers goes the whole way: plan, runs on both executors, kill, resume, opening."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr
import yaml

import sweepengine
from sweepengine.cli import main
from sweepengine.data import load
from sweepengine.errors import SpecError
from sweepengine.plugins import install, read_plugin
from sweepengine.spec import KINDS, Column, Kind, Run, kind_of, kinds, make_spec, register_kind
from sweepengine.store import SweepStore, find_damage
from tests.support.plugins import fresh_registry
from tests.support.texts import says

if TYPE_CHECKING:
    from collections.abc import Iterator

PLUGIN = Path(__file__).parents[1] / "support" / "kernel_regression.py"
SPEC: dict[str, Any] = {
    "kind": "kernel_regression",
    "name": "regression",
    "data": {"name": "gaussian", "teacher": "neuron", "d": 3, "n_train": 12, "n_test": 5},
    "noise": 0.1,
    "step_size": 0.5,
    "records": [0, 10, 100, 400],
    "observables": ["noisy_loss", "fit_test"],
    "axes": {"width": [8, 16], "seed": [0, 1]},
}
KILLED = """
import os, signal, sys, sweepengine
class Kill:
    start = say = pack_finished = stop = lambda *_: None
    records = 0
    def update(self, event):
        Kill.records += event.records
        if Kill.records >= 6:
            os.kill(os.getpid(), signal.SIGKILL)
import sweepengine.execute._pace as pace
pace.EVENT_SECONDS = 0.0
spec, store, plugin = sys.argv[1:]
sweepengine.run(spec, store, executor="inline", commit_seconds=1e-9, plugins=[plugin], progress=Kill())
"""


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    fresh_registry()
    yield
    fresh_registry()


@pytest.fixture
def spec_file(tmp_path: Path) -> Path:
    path = tmp_path / "regression.yaml"
    path.write_text(yaml.safe_dump(SPEC))
    return path


def numbers(store: Path) -> xr.Dataset:
    return sweepengine.open_sweep(store).load().drop_attrs().drop_vars("peak_memory")


def test_the_store_holds_the_regression(spec_file: Path, tmp_path: Path) -> None:
    store = tmp_path / "inline.zarr"
    sweepengine.run(spec_file, store, executor="inline", plugins=[PLUGIN])
    sweep = sweepengine.open_sweep(store).load()
    assert sweep.attrs["kind"] == "kernel_regression"
    np.testing.assert_array_equal(sweep.noise, [0.1] * 4)
    spec = make_spec(SPEC)
    assert kind_of(spec).name == "kernel_regression"
    assert spec.data is not None
    data = load(spec.data)
    rng = np.random.default_rng(1)  # of the last run: 16 features, seed 1
    frequencies, phases = rng.standard_normal((16, 3)), rng.uniform(0, 2 * np.pi, 16)
    targets = data.y_train + 0.1 * rng.standard_normal(12)
    train, test = (np.sqrt(2 / 16) * np.cos(x @ frequencies.T + phases) for x in (data.x_train, data.x_test))
    # f after t steps, from the eigenvectors of the kernel: no step is made.
    rates, modes = np.linalg.eigh(train @ train.T)
    for record, t in enumerate(SPEC["records"]):
        shrunk = np.array([(1 - (1 - 0.5 * rate / 12) ** t) / rate if rate > 1e-12 else 0.5 * t / 12 for rate in rates])
        fitted = test @ train.T @ (modes * shrunk) @ modes.T @ targets
        np.testing.assert_allclose(sweep.fit_test[-1, record], fitted, rtol=1e-9, atol=1e-12)
    assert main(["verify", str(store)]) == 0


def test_ray_has_the_same_bits_and_the_command_line_knows_the_kind(
    spec_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweepengine.run(spec_file, tmp_path / "inline.zarr", executor="inline", plugins=[PLUGIN])
    expected = numbers(tmp_path / "inline.zarr")
    words = ["run", str(spec_file), "--store", str(tmp_path / "ray.zarr"), "--workers", "2", "--plugin", str(PLUGIN)]
    done = subprocess.run(
        [sys.executable, "-m", "sweepengine", *words, "--no-report"],
        capture_output=True, text=True, check=False, cwd=tmp_path, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("store: ")  # nothing is known of the kind that a summary could say
    xr.testing.assert_identical(numbers(tmp_path / "ray.zarr"), expected)
    assert main(["plan", str(spec_file), "--plugin", str(PLUGIN)]) == 0
    assert says(capsys.readouterr().out, "2 tasks in 2 blocks")


def test_a_killed_sweep_goes_on_from_its_state(spec_file: Path, tmp_path: Path) -> None:
    store = tmp_path / "killed.zarr"
    process = subprocess.run(
        [sys.executable, "-c", KILLED, str(spec_file), str(store), str(PLUGIN)], check=False, capture_output=True
    )
    assert process.returncode == -signal.SIGKILL, process.stderr
    marks = [json.loads(path.read_text()) for path in store.glob("marks/*/*/*.json")]
    done = sum(run["records_done"] for mark in marks for run in mark["runs"])
    assert 4 < done < 16
    assert list(store.glob("state/*/*/*.npz"))
    computed: list[int] = []

    class Count:
        start = say = pack_finished = stop = lambda *_: None

        def update(self, event: Any) -> None:
            computed.append(event.records)

    outcome = sweepengine.run(spec_file, store, executor="inline", plugins=[PLUGIN], progress=Count())
    assert outcome.done == 4
    assert sum(computed) == 16 - done  # what was committed is not computed again
    sweepengine.run(spec_file, tmp_path / "whole.zarr", executor="inline")
    xr.testing.assert_identical(numbers(store), numbers(tmp_path / "whole.zarr"))
    assert not list(find_damage(SweepStore(store)))


def test_a_longer_axis_extends_its_store_and_other_settings_do_not(tmp_path: Path) -> None:
    install(read_plugin(PLUGIN))
    store = tmp_path / "x.zarr"
    sweepengine.run(SPEC, store, executor="inline")
    longer = sweepengine.run(SPEC | {"axes": {"width": [8, 16, 32], "seed": [0, 1]}}, store, executor="inline")
    assert (longer.skipped, longer.done) == (4, 6)
    with pytest.raises(sweepengine.StoreError, match=r"noise: the store has 0.1, this spec 0.2"):
        sweepengine.run(SPEC | {"noise": 0.2}, store, executor="inline")


def test_a_kind_has_a_name_and_columns_of_its_own() -> None:
    with pytest.raises(
        SpecError,
        match=r"kind: found 'kernel_regression'; allowed: 'computation', 'networks', 'particles'\. .*--plugin",
    ):
        make_spec(SPEC)
    assert kinds() == KINDS
    networks = next(kind for kind in KINDS if kind.name == "networks")
    with pytest.raises(SpecError, match="the name 'networks' is one of sweepengine's own"):
        register_kind(networks)
    with pytest.raises(SpecError, match="kind mine: its runs say the kind 'networks'; give both one name"):
        register_kind(Kind("mine", networks.spec, networks.run, networks.work, networks.turn))

    class Mine(Run):
        kind = "mine"

    parts = networks.spec, Mine, networks.work, networks.turn
    other = Kind("mine", *parts, {"temperature": Column(str, "", "warm or cold")})
    with pytest.raises(SpecError, match="its column 'temperature' means something else in another kind"):
        register_kind(other)
    same = Kind("mine", *parts, KINDS[-1].columns)
    register_kind(same)  # a column of the same meaning, whose missing value is NaN
    assert kinds()[-1] is same


def test_code_of_a_kind_is_bound_to_its_store(spec_file: Path, tmp_path: Path) -> None:
    store = tmp_path / "x.zarr"
    sweepengine.run(spec_file, store, executor="inline", plugins=[PLUGIN])
    assert list((store / "code" / "kind").glob("kernel_regression@1/*.json"))
    changed = tmp_path / "changed.py"
    changed.write_text(PLUGIN.read_text().replace("self.run.step_size / len", "2 * self.run.step_size / len"))
    fresh_registry()
    with pytest.raises(sweepengine.StoreError, match="other code of kind kernel_regression under version '1'"):
        sweepengine.run(spec_file, store, executor="inline", plugins=[changed])


def test_what_the_analysis_says_of_a_kind_may_change_under_its_version(spec_file: Path, tmp_path: Path) -> None:
    store = tmp_path / "x.zarr"
    sweepengine.run(spec_file, store, executor="inline", plugins=[PLUGIN])
    column = '{"noise": Column("float64", float("nan"), "standard deviation of the targets\' noise")},'
    changed = tmp_path / "changed.py"
    changed.write_text(PLUGIN.read_text().replace(column, f'{column} findings="a.module:FINDINGS",'))
    assert changed.read_text() != PLUGIN.read_text()
    fresh_registry()
    assert sweepengine.run(spec_file, store, executor="inline", plugins=[changed]).skipped == 4


def test_a_kind_of_a_script_travels_to_rays_workers(spec_file: Path, tmp_path: Path) -> None:
    """Its classes are in no file that a worker could read: they travel by value."""
    script = tmp_path / "script.py"
    script.write_text(
        PLUGIN.read_text()
        + '\n\nif __name__ == "__main__":\n    print(sweepengine.run("regression.yaml", "script.zarr", workers=2))\n'
    )
    done = subprocess.run(
        [sys.executable, "script.py"], capture_output=True, text=True, check=False, cwd=tmp_path, timeout=200
    )
    assert done.returncode == 0, done.stderr
    sweepengine.run(spec_file, tmp_path / "inline.zarr", executor="inline", plugins=[PLUGIN])
    xr.testing.assert_identical(numbers(tmp_path / "script.zarr"), numbers(tmp_path / "inline.zarr"))
