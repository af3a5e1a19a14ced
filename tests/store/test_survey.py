"""How far a sweep is, from its store alone: while it runs, after it was stopped, and as `status` shows it."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import sweepengine
from sweepengine.cli import _status, main
from sweepengine.store import Survey, SweepStore, TaskBeat, survey
from sweepengine.store._beats import read_beats
from sweepengine.store._claim import read_claims
from sweepengine.store._process import Process
from tests.support.failures import fail_starts
from tests.support.progress import Said
from tests.support.stops import stop_after_commits
from tests.support.stores import cut_chunks
from tests.support.texts import says

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Tiny = Callable[..., dict[str, Any]]


class Watching(Said):
    """Progress that looks at the store whenever something has happened."""

    def __init__(self, store: Path) -> None:
        super().__init__()
        self.store, self.seen = store, list[Survey]()

    def update(self, _event: Any) -> None:
        self.seen.append(survey(SweepStore(self.store)))


def test_a_live_run_is_seen_running_from_its_store_alone(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweepengine.store._beats._FIRST_SECONDS", 0.0)
    monkeypatch.setattr("sweepengine.store._beats.BEAT_SECONDS", 0.0)
    monkeypatch.setattr("sweepengine.store._claim.BEAT_SECONDS", 0.005)
    monkeypatch.setattr("sweepengine.execute._pace.EVENT_SECONDS", 0.0)
    watching = Watching(tmp_path / "s.zarr")
    sweepengine.run(
        tiny(axes={"width": [8], "scaling": ["ntk"]}),
        watching.store,
        executor="inline",
        progress=watching,
        commit_seconds=1e-6,
    )
    running = [each for each in watching.seen if each.total.counts["running"] and each.workers]
    assert running
    for each in running:
        assert each.is_driven
        ((beat, runs),) = each.workers
        assert each.total.counts["running"] == len(runs) == 1  # one network at a time on a CPU
        assert runs[0].label == "running"
        assert runs[0].axes.keys() == {"scaling", "width", "seed"}
        assert beat.process == Process.current()
        assert beat.since <= beat.beat <= each.taken
        for axis in ("scaling", "width", "seed"):
            assert sum(tally.counts["running"] for tally in each.axes[axis].values()) == 1
    assert any(beat.committed is not None for each in running for beat, _ in each.workers)
    paced = [each for each in watching.seen if each.records_per_second]
    assert paced
    assert any(each.seconds_left is not None for each in paced)
    records = [each.total.records for each in watching.seen]
    assert records == sorted(records)
    after = survey(SweepStore(watching.store))
    assert after.total.counts == {"done": 2}
    assert (after.driver, after.is_driven, after.workers) == (None, False, [])
    assert (after.records_per_second, after.seconds_left) == (None, None)
    assert not list(watching.store.glob("workers/*"))  # each task takes its sign away


def test_a_chunk_that_a_task_has_just_claimed_counts_as_running(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Short tasks give no sign of life; the mark of their attempt says that they are there."""
    monkeypatch.setattr("sweepengine.store._beats._FIRST_SECONDS", 1e9)
    monkeypatch.setattr("sweepengine.execute._pace.EVENT_SECONDS", 0.0)
    watching = Watching(tmp_path / "s.zarr")
    sweepengine.run(tiny(axes={"width": [8], "scaling": ["ntk"]}), watching.store, executor="inline", progress=watching)
    assert any(each.total.counts["running"] and not each.workers for each in watching.seen)
    assert not (watching.store / "workers").exists()


def test_a_stopped_sweep_has_stopped_runs_and_none_that_run(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "s.zarr"
    stop_after_commits(monkeypatch, 9)
    with pytest.raises(KeyboardInterrupt):
        sweepengine.run(tiny(), store, executor="inline", commit_seconds=1e-6)
    monkeypatch.undo()
    found = survey(SweepStore(store))
    assert found.total.counts["stopped"] == 1
    assert found.total.counts["running"] == 0
    assert sum(found.total.counts.values()) == 8
    assert found.total.of_records == 8 * int(sweepengine.open_sweep(store).sizes["record"])
    assert found.total.records == int(sweepengine.open_sweep(store).records_done.sum())
    opened = sweepengine.open_sweep(store).load()
    stored = Counter(opened.status.values.tolist())
    assert found.total.counts["done"] == stored["done"]
    assert stored["running"] == 1
    assert main(["status", str(store), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["runs"] == {label: found.total.counts[label] for label in told["runs"]}
    assert [each["value"] for each in told["axes"]["width"]] == [8, 16]
    for values in told["axes"].values():
        assert sum(each["records"] for each in values) == told["records"]
    assert told["driver"] is None
    assert (told["workers"], told["troubles"], told["seconds_left"]) == ([], [], None)


def test_who_drives_and_who_is_silent(tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = SweepStore(tmp_path / "s.zarr")
    sweepengine.run(tiny(), store.address, executor="inline")
    store.reload()
    store.claim()
    (claim,) = [each for each in read_claims(store.objects) if not each.ended]
    assert survey(store).is_driven
    assert main(["status", store.address]) == 0
    assert "at work; process" in " ".join(capsys.readouterr().out.split())
    assert store._heartbeat is not None
    store._heartbeat.stop()
    far = replace(claim, beat=time.time() - 3600.0, process=Process("far", "another machine", 7, ""))
    far.put(store.objects)
    before = survey(store)
    assert (before.driver, before.is_driven) == (far, False)
    assert main(["status", store.address]) == 0
    assert "silent: suspended, lost" in " ".join(capsys.readouterr().out.split())
    assert not survey(store, before).is_driven
    replace(far, beat=far.beat + 5.0).put(store.objects)  # its clock is wrong, and goes on
    assert survey(store, before).is_driven
    replace(far, process=replace(Process.current(), pid=2**22, started="0")).put(store.objects)  # that process is gone
    assert survey(store).driver is None


def test_signs_of_tasks_that_are_gone_are_no_workers(tiny: Tiny, tmp_path: Path) -> None:
    store = SweepStore(tmp_path / "s.zarr")
    sweepengine.run(tiny(), store.address, executor="inline")
    store.reload()
    store.claim()
    store.release()
    (block, *_) = store.block_shapes()
    beat = TaskBeat(store.objects, block, 0, 7)
    beat.records = 3
    beat.put(0, 7, (1,))
    assert [each.records for each in read_beats(store.objects)] == [3]
    assert [runs[0].axes["width"] for _, runs in survey(store).workers] == [8]
    (path,) = (tmp_path / "s.zarr" / "workers").iterdir()
    kept = path.read_text()
    path.write_text(kept.replace('"records": 3', '"records": 4'))  # damaged
    assert survey(store).workers == []
    path.write_text(kept)
    assert len(survey(store).workers) == 1
    beat.end()
    assert survey(store).workers == []


def test_a_sign_that_cannot_be_written_stops_no_task(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sweepengine.store._beats._FIRST_SECONDS", 0.0)
    monkeypatch.setattr("sweepengine.store._beats.put_sealed", refuse)
    monkeypatch.setattr("sweepengine.store._beats.delete_object", refuse)
    assert sweepengine.run(tiny(), tmp_path / "s.zarr", executor="inline").done == 8


def test_values_that_stand_alike_share_a_row(tiny: Tiny, tmp_path: Path) -> None:
    sweepengine.run(tiny(axes={"seed": 20, "width": [8]}), tmp_path / "s.zarr", executor="inline")
    seeds = survey(SweepStore(tmp_path / "s.zarr")).axes["seed"]
    assert len(seeds) == 20
    ((named, tally),) = _status._joined(seeds)
    assert named == "0 … 19 (20 values, each)"
    assert tally.counts == {"done": 2}
    seeds[7].counts["failed"] += 1
    assert [named for named, _ in _status._joined(seeds)] == ["0 … 6 (7 values, each)", "7", "8 … 19 (12 values, each)"]


def test_a_narrow_terminal_loses_nothing(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fail_starts(monkeypatch, "no weights today", lambda _widths, seed: seed == 1)
    sweepengine.run(tiny(), tmp_path / "s.zarr", executor="inline")
    letters = []
    for columns in (20, 40, 400):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert main(["status", str(tmp_path / "s.zarr")]) == 0
        letters.append(Counter(re.sub(r"[\s─]", "", capsys.readouterr().out)))
    assert letters[0] == letters[1] == letters[2]
    assert letters[2]["/"] > 5


def test_watching_without_a_terminal_prints_a_line_a_look(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cut_chunks(monkeypatch, CHUNK_TARGET=1)
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(tiny()))
    store = str(tmp_path / "s.zarr")
    sweepengine.run(tiny(axes={"width": [8]}), store, executor="inline")
    looks = 0

    def sleep(_seconds: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 1:
            sweepengine.run(tiny(), store, executor="inline")
        if looks == 3:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("sweepengine.cli._status.time.sleep", sleep)
    assert main(["status", store, "--watch", "--every", "0.1"]) == 130
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert [says(line, "runs 4 done") for line in lines] == [True, False, False]
    assert [says(line, "runs 8 done") for line in lines] == [False, True, True]
    assert said.err == "stopped\n"
    looks = 1
    assert main(["status", store, "--watch", "--json"]) == 130
    assert [json.loads(line)["runs"]["done"] for line in capsys.readouterr().out.splitlines()] == [8, 8]


def test_nothing_is_watched_where_nothing_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(tmp_path / "none.zarr"), "--watch"]) == 2
    assert "there is nothing at" in capsys.readouterr().err
    assert main(["status", str(tmp_path / "none.zarr"), "--every", "0"]) == 2
