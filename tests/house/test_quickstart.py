"""The quickstart end to end on Ray, and the physics that its report states."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml

import sweepengine
from sweepengine import analysis
from tests.support.guides import shown_commands
from tests.support.texts import says

if TYPE_CHECKING:
    import xarray as xr

ROOT = Path(__file__).parents[2]
QUICKSTART = yaml.safe_load((ROOT / "jobs" / "quickstart.yaml").read_text())


NUMBER = r"[−-]?\d+(?:\.\d+)?"


def numbers(text: str) -> list[float]:
    return [float(each.replace("−", "-")) for each in re.findall(NUMBER, text)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The README's command in an empty folder: the folder and what was printed."""
    folder = tmp_path_factory.mktemp("demo")
    shutil.copytree(ROOT / "jobs", folder / "jobs")
    command = [sys.executable, "-m", "sweepengine", "run", "jobs/quickstart.yaml"]
    found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=240)
    assert found.returncode == 0, found.stderr
    return folder, found.stdout


def test_the_demo_prints_its_table_and_says_where_things_are(demo: tuple[Path, str]) -> None:
    folder, said = demo
    assert says(said, "112 runs")
    # The README shows what is printed; another machine's rounding may move a last digit.
    shown = re.findall(r"```text\n(quickstart: .*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)[0]
    printed = "\n".join(said.split("\n")[: shown.count("\n")])
    assert re.sub(NUMBER, "#", shown).split() == re.sub(NUMBER, "#", printed).split()
    assert numbers(shown) == pytest.approx(numbers(printed), abs=0.02)
    assert (folder / "results" / "quickstart.zarr").is_dir()
    assert "results/quickstart.report/report.html" in said.replace("\n", "")
    report = json.loads((folder / "results" / "quickstart.report" / "report.json").read_text())
    assert report


def test_the_readmes_python_prints_the_same_table(demo: tuple[Path, str]) -> None:
    folder, said = demo
    program = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)[0]
    store = {path: path.stat().st_mtime_ns for path in (folder / "results").rglob("*")}
    command = [sys.executable, "-W", "error", "-c", program]
    found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=240)
    assert found.returncode == 0, found.stderr
    assert "112 runs" in found.stdout
    printed = found.stdout.split()
    assert printed == said.split()[: len(printed)]
    assert {path: path.stat().st_mtime_ns for path in (folder / "results").rglob("*")} == store


def test_the_guides_commands_do_what_they_say(demo: tuple[Path, str]) -> None:
    lines = shown_commands()
    assert len(lines) == 26
    store = demo[0] / "results" / "quickstart.zarr"
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*")}
    for line in lines:
        command, *rest = shlex.split(line)
        # Some commands take longer, change the store, or need a cluster or a bucket, and have tests of their own.
        if command in {"submit", "logs", "cancel", "cluster"} or any("://" in each for each in rest):
            rest = ["--help"]
        if command == "run" and rest != ["jobs/quickstart.yaml"]:
            command = "plan"
        if command == "claims" and not {"--list", "--plan"} & set(rest):
            rest.append("--list")
        if command == "refine":
            command, rest = "status", rest[:1]
        found = subprocess.run(
            [sys.executable, "-m", "sweepengine", command, *rest],
            capture_output=True, text=True, check=False, cwd=demo[0], timeout=120,
        )  # fmt: skip
        assert found.returncode == 0, (line, found.stderr)
        assert found.stdout, line
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*")} == before  # nothing was left to do


def test_ray_and_in_process_give_the_same_bits(demo: tuple[Path, str], tmp_path: Path) -> None:
    on_ray = sweepengine.open_sweep(demo[0] / "results" / "quickstart.zarr")
    sweepengine.run(QUICKSTART, tmp_path / "inline.zarr", executor="inline")
    inline = sweepengine.open_sweep(tmp_path / "inline.zarr")
    for name in {*on_ray.data_vars, *on_ray.coords} - {"peak_memory"}:
        assert on_ray[name].values.tobytes() == inline[name].values.tobytes(), name


def exponents(sweep: xr.Dataset) -> dict[tuple[str, str], analysis.Estimate]:
    """Fitted exponent of m by scaling and quantity, all widths kept, so that two sweeps fit the same range."""
    return {
        (str(group.axes["scaling"]), quantity): group.fits[quantity].p_all.negated()
        for group in analysis.summarise(sweep).groups
        for quantity in ("kernel_drift", "movement_total")
    }


def test_wide_networks_are_lazy_in_ntk_scaling_and_not_in_mean_field(demo: tuple[Path, str]) -> None:
    sweep = sweepengine.open_sweep(demo[0] / "results" / "quickstart.zarr")
    widest = sweep.isel(run=np.flatnonzero(sweep.width == 2048))
    drift = widest.kernel_drift.isel(record=-1)
    assert float(drift[(widest.scaling == "ntk").values].max()) < 0.05
    assert float(drift[(widest.scaling == "mean_field").values].min()) > 0.5
    start, end = sweep.loss_train.isel(record=0), sweep.loss_train.isel(record=-1)
    assert bool((end.values < start.values).all())
    assert float(end.mean()) < 0.1 * float(start.mean())


def test_halving_the_step_leaves_the_exponents_inside_their_intervals(tmp_path: Path) -> None:
    """theory.md §1.6: the step must not be what is measured."""
    content = QUICKSTART | {"axes": {"scaling": ["ntk", "mean_field"], "width": [32, 64, 128, 256, 512], "seed": 8}}
    sweepengine.run(content, tmp_path / "whole.zarr", executor="inline")
    whole = sweepengine.open_sweep(tmp_path / "whole.zarr")
    half_step = float(whole.step_size[0]) / 2
    halved = content | {"training": content["training"] | {"step_size": half_step}}
    sweepengine.run(halved, tmp_path / "halved.zarr", executor="inline")
    half = sweepengine.open_sweep(tmp_path / "halved.zarr")
    assert int(half.step[-1]) == 2 * int(whole.step[-1])
    one, two = exponents(whole), exponents(half)
    assert len(one) == 4
    for key in one:
        assert one[key].contains(two[key].value), key
        assert two[key].contains(one[key].value), key
        # The test can fail: the two scalings' exponents are told apart.
    assert not one["ntk", "kernel_drift"].contains(one["mean_field", "kernel_drift"].value)
