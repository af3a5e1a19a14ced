"""Observables that are added to a finished sweep: computed again, compared with what is there, and kept beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import yaml

import sweepengine
from sweepengine.cli import main
from sweepengine.errors import IncompleteWarning, RunError, SpecError, StoreError
from sweepengine.observe._output_measures import loss_train
from sweepengine.store import SweepStore, find_litter, survey
from sweepengine.store._process import Process
from tests.support.extended import COMPUTATION, assert_as_from_the_start, files, run
from tests.support.failures import fail_starts
from tests.support.marks import instead_of_marks, put_mark
from tests.support.particle_sweeps import SHARED, TEACHER
from tests.support.plugins import own_registry
from tests.support.stops import stop_after_commits
from tests.support.stores import cut_chunks, finished
from tests.support.texts import says

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Tiny = Callable[..., dict[str, Any]]

BEFORE = ["loss_train", "outputs_train", "kernel"]
AFTER = ["loss_train", "outputs_train", "kernel", "kernel_cka", "feature_gram"]


@pytest.fixture
def before(tiny: Tiny, tmp_path: Path) -> Path:
    """A finished store of eight runs in two blocks."""
    return finished(lambda **_: tiny() | {"observables": BEFORE}, tmp_path)


def test_what_is_added_is_what_recording_it_from_the_start_would_give(
    before: Path,
    tiny: Tiny,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    old, ids = files(before), sweepengine.open_sweep(before).id.values
    assert SweepStore(before).attributes["sweepengine_schema"] == 3
    more = tiny(axes={"seed": 3}) | {"observables": AFTER}
    (tmp_path / "more.yaml").write_text(yaml.safe_dump(more))
    monkeypatch.setenv("COLUMNS", "300")
    assert main(["plan", str(tmp_path / "more.yaml"), "--store", str(before)]) == 0
    planned = " ".join(capsys.readouterr().out.split())
    assert "kernel_cka, feature_gram: computed again for 8 runs of the store" in planned
    assert "12: 0 done, 0 diverged, 12 to do" in planned
    outcome = run(more, before)
    assert (outcome.runs, outcome.skipped, outcome.done) == (12, 0, 12)
    assert {path: path.read_bytes() for path in old} == old  # nothing finished is touched
    opened = sweepengine.open_sweep(before)
    assert list(opened.id.values[:8]) == list(ids)
    assert SweepStore(before).attributes["sweepengine_schema"] == 4  # programs that know no additions refuse it
    assert (opened.records_added == opened.sizes["record"]).all()
    assert_as_from_the_start(before, more, tmp_path / "fresh.zarr")
    assert {each.kind for each in find_litter(SweepStore(before))} == {"tables of runs of other publications"}
    found = survey(SweepStore(before))
    assert sum(found.total.counts.values()) == 12
    assert {names: tally.counts["done"] for names, tally in found.additions.items()} == {
        ("kernel_cka", "feature_gram"): 8
    }
    assert main(["status", str(before), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["additions"][0]["observables"] == ["kernel_cka", "feature_gram"]
    assert told["additions"][0]["runs"]["done"] == 8
    assert main(["status", str(before)]) == 0
    assert says(capsys.readouterr().out, "kernel_cka, feature_gram: 8 done")
    content = files(before)
    for again in (more, tiny() | {"observables": BEFORE}):  # the old spec finds its runs under their ids too
        outcome = run(again, before)
        assert outcome.skipped == outcome.done == outcome.runs
    assert files(before) == content


def test_observables_are_added_again_and_again(before: Path, tiny: Tiny, tmp_path: Path) -> None:
    run(tiny() | {"observables": [*BEFORE, "kernel_cka"]}, before)
    run(tiny(axes={"seed": 3}) | {"observables": [*BEFORE, "kernel_cka"]}, before)
    every = tiny(axes={"seed": 4}) | {"observables": [*AFTER, "loss_test"]}
    run(every, before)
    assert_as_from_the_start(before, every, tmp_path / "fresh.zarr")
    assert len(survey(SweepStore(before)).additions) == 2


def test_fewer_observables_or_others_are_refused(before: Path, tiny: Tiny) -> None:
    with pytest.raises(
        StoreError, match="observables: the store has loss_train, outputs_train, kernel, this spec loss_train"
    ):
        run(tiny() | {"observables": ["loss_train", "kernel_cka"]}, before)
    run(tiny() | {"observables": AFTER}, before)
    content = files(before)
    with pytest.raises(StoreError, match="the store has kernel_cka, feature_gram too by now"):
        run(tiny(axes={"seed": 3}) | {"observables": BEFORE}, before)
    assert files(before) == content


@pytest.mark.filterwarnings("always::sweepengine.errors.IncompleteWarning")
def test_some_runs_may_have_an_addition_and_it_is_said(
    before: Path, tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tiny(axes={"seed": [1], "width": [16]}) | {"observables": AFTER}, before)
    with pytest.warns(IncompleteWarning, match="feature_gram of 6 of 8 runs, kernel_cka of 6 of 8 runs"):
        found = sweepengine.open_sweep(before).load()
    there = (found.width == 16) & (found.seed == 1)
    np.testing.assert_array_equal(found.records_added, np.where(there, found.sizes["record"], 0))
    np.testing.assert_array_equal(np.isfinite(found.kernel_cka).all("record"), there)
    assert np.isfinite(found.kernel).all()
    assert main(["report", str(before)]) == 0
    assert "warning: " in (said := capsys.readouterr().err)
    assert "lacks observables that were added" in said
    run(tiny() | {"observables": AFTER}, before)
    assert_as_from_the_start(before, tiny() | {"observables": AFTER}, tmp_path / "fresh.zarr")


@pytest.mark.parametrize("count", [1, 4, 9])
def test_an_addition_that_is_stopped_goes_on(
    before: Path, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    more = tiny() | {"observables": AFTER}
    stop_after_commits(monkeypatch, count)
    with pytest.raises(KeyboardInterrupt):
        run(more, before, commit_seconds=1e-6)
    monkeypatch.undo()
    with pytest.warns(IncompleteWarning):
        found = sweepengine.open_sweep(before).load()
    assert (found.status == "done").all()
    assert np.isfinite(found.kernel).all()
    complete = np.isfinite(found.feature_gram).all([dim for dim in found.feature_gram.dims if dim != "run"])
    np.testing.assert_array_equal(found.records_added > 0, complete)  # what is half there is not shown
    assert not complete.all()
    assert np.isnan(found.kernel_cka.isel(run=~complete.values)).all()
    run(more, before)
    assert_as_from_the_start(before, more, tmp_path / "fresh.zarr")


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_stop_between_the_arrays_of_an_addition_and_its_mark_changes_no_bit(
    before: Path, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    more, written = tiny() | {"observables": AFTER}, 0

    def interrupted(mark: Any, write: Callable[[], None]) -> None:
        nonlocal written
        written += any(each.records_done for each in mark.runs)
        if written == count:
            written += 1
            raise KeyboardInterrupt
        write()

    instead_of_marks(monkeypatch, interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(more, before, commit_seconds=1e-6)
    monkeypatch.undo()
    run(more, before)
    assert_as_from_the_start(before, more, tmp_path / "fresh.zarr")


def test_an_addition_to_a_sweep_that_is_not_finished_finishes_it_first(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, more = tmp_path / "s.zarr", tiny() | {"observables": AFTER}
    stop_after_commits(monkeypatch, 9)
    with pytest.raises(KeyboardInterrupt):
        run(tiny() | {"observables": BEFORE}, store, commit_seconds=1e-6)
    monkeypatch.undo()
    records = int(sweepengine.open_sweep(store).records_done.sum())
    computed: list[int] = []

    class Watch:
        start = say = pack_finished = stop = lambda *_: None

        def update(self, event: Any) -> None:
            computed.append(event.records)

    outcome = run(more, store, progress=Watch())
    assert outcome.done == outcome.runs == 8
    assert sum(computed) == 2 * 8 * 6 - records  # the rest of the runs, and then all of them again
    assert_as_from_the_start(store, more, tmp_path / "fresh.zarr")


def test_a_flipped_byte_of_a_run_refuses_its_addition(
    before: Path, tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = tiny() | {"observables": AFTER}
    path = max((path for path in before.glob("blocks/w000008*/kernel/c/**/*") if path.is_file()), key=str)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    outcome = run(more, before)
    assert (outcome.done, outcome.failed) == (4, 4)  # all four runs of the block lie in the damaged chunk
    assert main(["failures", str(before)]) == 0
    assert says(capsys.readouterr().out, "kernel is not what was written, so nothing can be added to it")
    assert main(["verify", str(before)]) == 1
    assert main(["repair", str(before)]) == 0
    outcome = run(more, before)
    assert outcome.done == outcome.runs
    assert_as_from_the_start(before, more, tmp_path / "fresh.zarr")


def test_other_numbers_than_the_store_has_are_named_and_nothing_is_added(
    before: Path, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on another device, or with other versions of the libraries."""
    more = tiny() | {"observables": AFTER}
    stored = sweepengine.open_sweep(before).load()
    old = files(before)

    def otherwise(now: Any, start: Any) -> Any:
        return torch.nextafter(torch.as_tensor(loss_train(now, start)), torch.tensor(9.0, dtype=torch.float64))

    declared = sweepengine.observe._catalogue._DECLARED["networks"]
    monkeypatch.setitem(declared["loss_train"].__dict__, "function", otherwise)
    outcome = run(more, before)
    assert (outcome.done, outcome.failed) == (0, 8)
    assert main(["failures", str(before)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    first = stored.loss_train.values[0, 0]
    assert "computed again the run has other numbers than the store: loss_train of record 0 is" in told
    assert str(first) in told
    assert str(np.nextafter(first, 9.0)) in told
    monkeypatch.undo()
    assert {path: path.read_bytes() for path in old} == old
    with pytest.warns(IncompleteWarning):
        assert np.isnan(sweepengine.open_sweep(before).kernel_cka.values).all()
    more = tiny(axes={"seed": 3}) | {"observables": AFTER}
    assert run(more | {"observables": BEFORE}, before).done == 12  # what could not be added binds no later spec
    run(more, before)
    assert_as_from_the_start(before, more, tmp_path / "fresh.zarr")


def test_an_addition_to_numbers_that_have_changed_since_is_found_and_computed_again(
    before: Path, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run is damaged, and computed again elsewhere: what was added to it belongs to other numbers."""
    more = tiny() | {"observables": AFTER}
    run(more, before)

    def otherwise(now: Any, start: Any) -> Any:
        return torch.nextafter(torch.as_tensor(loss_train(now, start)), torch.tensor(9.0, dtype=torch.float64))

    def damage() -> None:
        for path in before.glob("blocks/w000008*/loss_train/c/0/0"):
            path.write_bytes(b"nothing")
        assert main(["repair", str(before)]) == 0

    damage()
    declared = sweepengine.observe._catalogue._DECLARED["networks"]
    monkeypatch.setitem(declared["loss_train"].__dict__, "function", otherwise)
    run(tiny() | {"observables": BEFORE}, before)
    monkeypatch.undo()
    capsys.readouterr()
    assert main(["verify", str(before)]) == 1
    assert says(capsys.readouterr().out, "was added to a run with another loss_train than it has now")
    assert main(["repair", str(before)]) == 0
    assert run(more, before).failed == 4  # what is there now is still of elsewhere
    damage()
    assert run(more, before).failed == 0
    assert_as_from_the_start(before, more, tmp_path / "fresh.zarr")


def test_a_second_driver_is_refused(before: Path, tiny: Tiny) -> None:
    held = SweepStore(before)
    held.claim()
    try:
        with pytest.raises(RunError, match="holds it since"):
            run(tiny() | {"observables": AFTER}, before)
    finally:
        held.release()


def test_an_addition_moves_away_from_an_attempt_that_may_still_write(
    before: Path, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = tiny() | {"observables": AFTER}
    cut_chunks(monkeypatch, CHUNK_RUNS_LIMIT=2)
    stop_after_commits(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        run(more, before, commit_seconds=1e-6)
    monkeypatch.undo()
    for path in before.glob("marks/*/0/*.json"):
        if '"running"' in path.read_text():
            break
    else:
        pytest.fail("no addition was under way")
    block = path.parts[-3]
    store = SweepStore(before)
    mark = store.mark(block, 0)
    assert mark is not None
    elsewhere = Process("far", "another machine", 7, "")
    put_mark(
        store.objects.with_read_only(read_only=False), block, replace(mark, released=False, processes=(elsewhere,))
    )
    run(more, before)
    assert_as_from_the_start(before, more, tmp_path / "fresh.zarr")
    assert block not in SweepStore(before).block_shapes()


def test_a_run_that_failed_before_gets_its_addition_once_it_is_done(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, more = tmp_path / "s.zarr", tiny() | {"observables": AFTER}
    fail_starts(monkeypatch, "no weights today", lambda widths, seed: (widths, seed) == ([8], 1))
    assert run(tiny() | {"observables": BEFORE}, store).failed == 2
    outcome = run(more, store)
    assert (outcome.done, outcome.failed) == (6, 2)
    monkeypatch.undo()
    outcome = run(more, store, retry_failed=True)
    assert (outcome.done, outcome.failed, outcome.runs) == (2, 0, 2)
    assert_as_from_the_start(store, more, tmp_path / "fresh.zarr")


def test_a_diverged_run_gets_the_records_that_it_has(tiny: Tiny, tmp_path: Path) -> None:
    wild = tiny(training={"step_size": 20.0, "time": 2000.0}, network={"activation": "relu"})
    store = tmp_path / "s.zarr"
    outcome = run(wild | {"observables": BEFORE}, store)
    assert outcome.diverged
    run(wild | {"observables": AFTER}, store)
    assert_as_from_the_start(store, wild | {"observables": AFTER}, tmp_path / "fresh.zarr")
    found = sweepengine.open_sweep(store)
    np.testing.assert_array_equal(found.records_added, found.records_done)


@pytest.mark.parametrize(
    ("content", "before", "after"),
    [
        (TEACHER, ["loss_train", "objective", "particles"], ["mean", "dissipation"]),
        (TEACHER, ["loss_train", "objective"], ["particles"]),
        (COMPUTATION, ["gaussian_speed_excess"], ["speed_excess"]),
    ],
    ids=["particles", "snapshots", "computation"],
)
def test_other_kinds_of_sweeps_get_additions_too(
    tmp_path: Path, content: dict[str, Any], before: list[str], after: list[str]
) -> None:
    store, more = tmp_path / "s.zarr", content | {"observables": before + after}
    first = run(content | {"observables": before}, store)
    assert run(more, store).done == first.done == first.runs
    assert_as_from_the_start(store, more, tmp_path / "fresh.zarr")
    assert [tally.counts["done"] for tally in survey(SweepStore(store)).additions.values()] == [first.runs]


def test_users_observables_are_added_in_their_version(before: Path, tiny: Tiny, tmp_path: Path) -> None:
    text = """
import sweepengine
@sweepengine.register_observable(name="largest", dims=(), long_name="largest output", version="{version}")
def largest(now, start):
    return {factor} * now.train.forward.outputs.amax(-1)
"""
    more = tiny() | {"observables": [*BEFORE, "largest"]}
    with own_registry():
        (tmp_path / "own.py").write_text(text.format(version="1", factor=1))
        run(more, before, plugins=[tmp_path / "own.py"])
        found = sweepengine.open_sweep(before)
        np.testing.assert_array_equal(found.largest, found.outputs_train.max("i"))
        content = files(before)
    with own_registry():
        (tmp_path / "own.py").write_text(text.format(version="2", factor=2))
        with pytest.raises(StoreError, match="largest@1"):
            run(more, before, plugins=[tmp_path / "own.py"])
    assert files(before) == content


def test_runs_over_shards_get_no_additions(tmp_path: Path) -> None:
    store = tmp_path / "s.zarr"
    run(SHARED | {"observables": ["objective"]}, store)
    more = SHARED | {"observables": ["objective", "mean"]}
    with pytest.raises(SpecError, match="shards: found 2, and the store has runs to which observables are to be added"):
        sweepengine.run(more | {"shards": 2}, store)
    run(more, store)
    found = sweepengine.open_sweep(store)
    assert found.records_added == found.records_done >= 1


def test_other_records_are_refused_with_their_cost(before: Path, tiny: Tiny) -> None:
    changes = {"training": {"records": {"spacing": "log", "count": 12}}}
    with pytest.raises(StoreError, match=r"there it takes about \S+ CPU-hours and \d.* all its runs are new"):
        run(tiny(**changes) | {"observables": BEFORE}, before)
    with pytest.raises(StoreError) as caught:
        run(tiny(**changes, network={"sigma_w": 1.0}) | {"observables": BEFORE}, before)
    assert "CPU-hours" not in str(caught.value)
