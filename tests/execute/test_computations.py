"""Sweeps of computations: stopped and resumed, on Ray, with users' observables, refused, and reported."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr
import yaml

import sweepengine
from sweepengine import analysis
from sweepengine.cli import main
from sweepengine.errors import SpecError
from sweepengine.observe import Case
from sweepengine.observe.computations.paths import speed_excess
from sweepengine.plan._computations import ComputationWork
from sweepengine.store import SweepStore, find_damage
from tests.support.plugins import fresh_registry
from tests.support.stops import stop_after_commits
from tests.support.stores import numbers
from tests.support.texts import says

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SPEC: dict[str, Any] = {
    "kind": "computation",
    "name": "small",
    "observables": ["speed_excess", "gaussian_speed_excess"],
    "axes": {"case": ["claim", "twin"], "width": [8, 16], "seed": 3},
}
PLUGIN = """
import torch
import sweepengine

@sweepengine.register_observable(
    name="extremes", long_name="least and largest of m normals", kind="computation", dims=("end",), sizes={"end": 2}
)
def extremes(now, start):
    assert now is start
    draws = torch.from_numpy(now.generator().standard_normal(now.width))
    return torch.stack([draws.min(), draws.max()])
"""


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    fresh_registry()
    yield
    fresh_registry()


def changed(**changes: Any) -> dict[str, Any]:
    return SPEC | changes | {"axes": SPEC["axes"] | changes.get("axes", {})}


def test_a_computation_is_its_function_of_case_width_and_seed() -> None:
    sweepengine.run(SPEC, "memory://computation.zarr", executor="inline")
    sweep = sweepengine.open_sweep("memory://computation.zarr").load()
    assert sweep.sizes["run"] == 12
    assert set(sweep.status.values) == {"done"}
    assert sweep.attrs["kind"] == "computation"
    measure = analysis.reduce_runs(sweep).speed_excess
    for position in range(12):
        run = sweep.isel(run=position)
        case = Case(str(run.scaling.values), int(run.width), int(run.seed))
        assert float(run.speed_excess[0]) == speed_excess(case, case) == measure.values[position]
    assert len(np.unique(sweep.speed_excess.values[sweep.scaling.values == "twin"])) == 6


def test_observables_share_the_random_numbers_of_a_case_and_what_they_make() -> None:
    case, calls = Case("claim", 4, 7), list[Case]()

    def make(now: Case) -> int:
        calls.append(now)
        return 5

    assert [case.once(make), case.once(make)] == [5, 5]
    assert len(calls) == 1
    np.testing.assert_array_equal(case.generator().random(3), case.generator().random(3))
    for other in (Case("claim", 4, 8), Case("claim", 5, 7)):
        assert other.generator().random() != case.generator().random()
    assert Case("twin", 4, 7).generator().random() == case.generator().random()


@pytest.mark.parametrize("commits", [1, 3])
def test_a_stopped_sweep_computes_only_what_is_missing(
    commits: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweepengine.run(SPEC, tmp_path / "whole.zarr", executor="inline")
    with monkeypatch.context() as patch:
        stop_after_commits(patch, commits)
        with pytest.raises(KeyboardInterrupt):
            sweepengine.run(SPEC, tmp_path / "stopped.zarr", executor="inline", commit_seconds=1e-9)
    before = sweepengine.open_sweep(tmp_path / "stopped.zarr").load()
    done = int((before.records_done == 1).sum())
    assert 0 < done < 12
    kept = before.speed_excess.values[before.records_done.values == 1]
    assert np.isfinite(kept).all()
    sweepengine.run(SPEC, tmp_path / "stopped.zarr", executor="inline")
    xr.testing.assert_identical(numbers(tmp_path / "stopped.zarr"), numbers(tmp_path / "whole.zarr"))
    assert not list(find_damage(SweepStore(str(tmp_path / "stopped.zarr"))))


@pytest.mark.parametrize(("then", "now", "chunk_runs"), [(100.0, 1e-3, 1), (1e-3, 100.0, 4)])
def test_a_store_whose_chunks_followed_from_other_estimates_is_continued(
    then: float, now: float, chunk_runs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many runs a chunk has is read from the store, whatever the plan says now that a run takes."""
    spec = changed(axes={"seed": 4})
    more = changed(axes={"seed": 4, "width": [8, 16, 32]})

    def says(seconds: float) -> Callable[..., float]:
        return lambda *_: seconds

    sweepengine.run(more, tmp_path / "whole.zarr", executor="inline")
    address = str(tmp_path / "stopped.zarr")
    with monkeypatch.context() as patch:
        patch.setattr(ComputationWork, "seconds", says(then))
        stop_after_commits(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            sweepengine.run(spec, address, executor="inline", commit_seconds=1e-9)
    made = SweepStore(address).block_shapes()
    assert {shape.chunk_runs for shape in made.values()} == {chunk_runs}
    monkeypatch.setattr(ComputationWork, "seconds", says(now))
    sweepengine.run(spec, address, executor="inline")
    assert SweepStore(address).block_shapes() == made
    sweepengine.run(more, address, executor="inline")
    longer = SweepStore(address).block_shapes()
    assert {name: longer[name] for name in made} == made
    assert {shape.chunk_runs for name, shape in longer.items() if name not in made} == {5 - chunk_runs}
    extended, whole = (numbers(store).drop_vars("block") for store in (address, tmp_path / "whole.zarr"))
    xr.testing.assert_identical(extended, whole)
    assert not list(find_damage(SweepStore(address)))


def test_ray_gives_the_same_bits_and_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweepengine.run(SPEC, tmp_path / "inline.zarr", executor="inline")
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(SPEC))
    words = ["--store", str(tmp_path / "ray.zarr")]
    assert main(["plan", str(tmp_path / "small.yaml"), *words]) == 0
    planned = capsys.readouterr().out
    assert says(planned, "12: 0 done, 0 diverged, 12 to do")
    assert "step size" not in planned
    assert main(["run", str(tmp_path / "small.yaml"), *words, "--workers", "2"]) == 0
    printed = capsys.readouterr().out
    assert says(printed, "12 done")
    assert says(printed, "excess of speed")  # a claim, as there is no headline
    drop = ["peak_memory"]
    ray, inline = (
        sweepengine.open_sweep(tmp_path / f"{name}.zarr").load().drop_attrs().drop_vars(drop)
        for name in ("ray", "inline")
    )
    xr.testing.assert_identical(ray, inline)
    report = (tmp_path / "ray.report" / "report.md").read_text()
    source = "Ambrosio et al. 2008, ch. 7; Wide-network notes, §4.3"
    assert f"| geodesic | {source} | claim | excess of speed between clouds | ≤ 1e−09 |" in report
    assert "| holds |" in report
    page = (tmp_path / "ray.report" / "report.html").read_text()
    assert "no quantity of these runs has a figure" in page
    assert main(["report", str(tmp_path / "ray.zarr"), "--output", str(tmp_path / "again")]) == 0
    assert (tmp_path / "again" / "report.md").read_text() == report
    assert main(["verify", str(tmp_path / "ray.zarr")]) == 0


def test_there_is_no_main_figure_of_a_kind_without_headlines(tmp_path: Path) -> None:
    sweepengine.run(changed(axes={"seed": 1}), tmp_path / "small.zarr", executor="inline")
    with pytest.raises(analysis.ContractError, match="kind 'computation' has no quantity to draw"):
        analysis.write_main_figure(tmp_path / "small.zarr", tmp_path / "main.svg")


def test_users_compute_their_own_numbers(tmp_path: Path) -> None:
    plugin = tmp_path / "extremes.py"
    plugin.write_text(PLUGIN)
    spec = changed(observables=["extremes", "speed_excess"])
    sweepengine.run(spec, tmp_path / "own.zarr", executor="inline", plugins=[plugin])
    sweep = sweepengine.open_sweep(tmp_path / "own.zarr").load()
    assert sweep.extremes.dims == ("run", "record", "end")
    for position in range(12):
        run = sweep.isel(run=position)
        draws = Case("", int(run.width), int(run.seed)).generator().standard_normal(int(run.width))
        np.testing.assert_array_equal(run.extremes[0], [draws.min(), draws.max()])
    fresh_registry()
    plugin.write_text(PLUGIN.replace("draws.max()", "draws.max() * 2"))
    wider = spec | {"axes": spec["axes"] | {"width": [8, 16, 32]}}
    with pytest.raises(sweepengine.SweepError, match="version"):  # other code under the same version
        sweepengine.run(wider, tmp_path / "own.zarr", executor="inline", plugins=[plugin])


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('sizes={"end": 2}', "sizes={}", "its dim 'end' has no size; give one with sizes={'end': …}$"),
        ('"end"', '"output"', "the dim 'output' is one of networks alone; give it another name"),
        ("torch.stack([draws.min(), draws.max()])", "draws", r"found shape \(8,\); expected \(end: 2\)"),
        ("torch.stack([draws.min(), draws.max()])", "1.0", "found float; return a floating-point torch.Tensor"),
        ("now.width)", "now.size)", "has no attribute 'size'"),
    ],
)
def test_what_users_get_wrong_is_said_before_anything_runs(old: str, new: str, words: str, tmp_path: Path) -> None:
    plugin = tmp_path / "extremes.py"
    assert old in PLUGIN
    plugin.write_text(PLUGIN.replace(old, new))
    with pytest.raises(SpecError, match=words):
        sweepengine.run(changed(observables=["extremes"]), tmp_path / "x.zarr", executor="inline", plugins=[plugin])
    assert not (tmp_path / "x.zarr").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"axes": {"case": ["claim", "twni"]}}, "speed_excess knows the cases claim, twin; found twni under axes.case"),
        ({"axes": {"case": ["Claim"]}}, "axes.case.0: found 'Claim'"),
        ({"axes": {"width": [2]}}, "speed_excess takes a width of at least 3; found 2 under axes.width"),
        (
            {"observables": ["mixture_power"], "axes": {"width": [64, 96]}},
            "mixture_power takes a width of at least 64 that is a multiple of 64; found 96",
        ),
        ({"observables": ["sped_excess"]}, "found 'sped_excess', .*. Did you mean 'speed_excess'"),
        ({"observables": ["kernel_drift"]}, "It is an observable of networks"),
        ({"observables": []}, "observables: found .*the list is empty"),
        ({"precision": "float32"}, "precision: found 'float32'"),
        ({"data": {"name": "digits"}}, "data: unknown key"),
    ],
)
def test_a_spec_that_cannot_be_computed_is_refused(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=words):
        sweepengine.run(changed(**changes), tmp_path / "x.zarr", executor="inline")
    assert not (tmp_path / "x.zarr").exists()


def test_the_modules_of_computations_import_no_torch() -> None:
    program = "import sys; import sweepengine.observe.computations; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
