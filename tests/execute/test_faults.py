"""The short form of the campaigns of faults: what docs/reliability.md counts, in a minute; their judges can say no."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sweepengine
from sweepengine.store import ChunkWriter
from tests.support.stops import stop_after_commits

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
CAMPAIGNS = ("kills", "suspensions", "pairs", "disks", "corruptions", "links", "fuzz")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Every case of the short form, each in processes of its own."""
    folder = tmp_path_factory.mktemp("faults")
    command = [sys.executable, str(BENCHMARKS / "faults.py"), "short", "--work", str(folder / "work")]
    ended = subprocess.run(
        [*command, "--results", str(folder / "results.jsonl")], capture_output=True, text=True, check=False, timeout=280
    )
    assert ended.returncode in {0, 1}, ended.stderr
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("campaign", CAMPAIGNS)
def test_no_case_has_a_defect(results: list[dict[str, Any]], campaign: str) -> None:
    found = [each for each in results if each["campaign"] == campaign]
    assert found
    if all(each["note"].startswith("mount") for each in found):
        pytest.skip(found[0]["note"])  # a small disk needs the right to mount
    assert not [f"{each['replay']}: {each['verdict']}: {each['note']}" for each in found if each["verdict"] != "fine"]


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("faultlib.reading")


def test_one_bit_is_a_difference_and_a_lost_record_is_wrong(reading: Any) -> None:
    values = np.array([[1.0, np.nan, 2.0], [0.5, 0.25, np.nan]])

    def shown(changed: np.ndarray, done: list[int]) -> Any:
        numbers = {
            "id": (("run",), np.array(["a", "b"])),
            "records_done": (("run",), np.array(done)),
            "loss_train": (("run", "record"), changed),
        }
        return reading.Reading(numbers)

    whole = shown(values, [3, 3])
    assert not reading.differences(shown(values.copy(), [3, 3]), whole)
    other = values.copy()
    other[0, 2] = np.nextafter(2.0, 3.0)
    assert reading.differences(shown(other, [3, 3]), whole) == ["loss_train"]
    assert reading.wrong_so_far(shown(other, [3, 3]), whole) == ["loss_train"]
    part = values.copy()
    part[:, 1:] = np.nan
    assert not reading.wrong_so_far(shown(part, [2, 1]), whole)  # run a has NaN there in the whole sweep too
    assert reading.wrong_so_far(shown(part, [2, 2]), whole) == ["loss_train"]
    part[1, 2] = 7.0
    assert reading.wrong_so_far(shown(part, [2, 1]), whole) == ["loss_train"]


def test_results_go_on_where_they_were_cut_off(reading: Any, tmp_path: Path) -> None:
    kept = importlib.import_module("faultlib.results")
    path = tmp_path / "results.jsonl"
    for number, verdict in enumerate(("fine", "hang", "fine")):
        kept.append(path, kept.Result("kills", number, "abc", verdict, "", 1.0, ""))
    path.write_text(path.read_text() + '{"campaign": "kil')
    kept.append(path, kept.Result("kills", 3, "abc", "fine", "", 1.0, ""))
    found = kept.read(path)
    assert [each.number for each in found] == [0, 1, 2, 3]
    assert "| kills | 4 | 1 hang |" in kept.summary(found)


@pytest.fixture
def recomputed(reading: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The module that counts, with workers in this process that tell; `reading` makes the path known."""
    counting = importlib.import_module("faultlib.recomputed")
    spec = importlib.util.spec_from_file_location("witness", counting.WITNESS / "sitecustomize.py")
    assert spec is not None
    assert spec.loader is not None
    witness = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(witness)
    tasks = importlib.import_module("sweepengine.execute._pack")
    for name in ("ChunkWriter", "ChunkJob"):
        monkeypatch.setattr(tasks, name, getattr(tasks, name))  # and back again at the end
    witness.watch(tasks)
    monkeypatch.setenv("FAULTS_WITNESS", str(tmp_path / "witness.jsonl"))
    return counting


@pytest.mark.parametrize("is_forgetful", [False, True])
def test_records_that_a_mark_had_are_counted_when_they_are_computed_again(
    recomputed: Any,
    tiny: Callable[..., dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_forgetful: bool,
) -> None:
    spec, store = tiny(axes={"width": [8]}, training={"time": 20.0}), tmp_path / "s.zarr"
    with monkeypatch.context() as stopped:
        stop_after_commits(stopped, 5)
        with pytest.raises(KeyboardInterrupt):
            sweepengine.run(spec, store, executor="inline", commit_seconds=1e-6)
    kept = int(sweepengine.open_sweep(store).records_done.sum())
    if is_forgetful:
        monkeypatch.setattr(ChunkWriter, "read_state", lambda *_: None)
    sweepengine.run(spec, store, executor="inline", commit_seconds=1e-6)
    found = recomputed.recomputed(tmp_path / "witness.jsonl")
    assert found.computed - found.again == int(sweepengine.open_sweep(store).records_done.sum()) > kept > 0
    assert (len(found.in_vain) > 0) == is_forgetful
    assert len(found.in_vain) <= found.again


def test_what_came_after_the_last_mark_is_not_computed_in_vain(recomputed: Any, tmp_path: Path) -> None:
    told = [
        {"task": "a", "begun": 1.0, "run": "x", "record": 0},
        {"task": "a", "committed": 2.0, "runs": {"x": 1, "y": 0}},
        {"task": "a", "begun": 1.0, "run": "x", "record": 1},  # not committed any more
        {"task": "b", "begun": 1.5, "run": "x", "record": 0},  # began before the mark
        {"task": "c", "begun": 3.0, "run": "x", "record": 1},
        {"task": "c", "begun": 3.0, "run": "y", "record": 0},
    ]
    path = tmp_path / "witness.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in told))
    found = recomputed.recomputed(path)
    assert (found.computed, found.again, found.in_vain) == (5, 2, ())
    path.write_text(path.read_text() + json.dumps({"task": "d", "begun": 3.0, "run": "x", "record": 0}) + "\n")
    assert recomputed.recomputed(path).in_vain == (("x", 0),)
