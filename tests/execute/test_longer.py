"""A longer time for the runs of a store: they go on from kept last states, or are trained again, and the old stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr
import yaml

import sweepengine
from sweepengine.cli import main
from sweepengine.errors import IncompleteWarning, SpecError, StoreError
from sweepengine.store import SweepStore, find_damage, find_litter, survey
from tests.support.extended import COMPUTATION, assert_as_from_the_start, files, numbers_by_axes, run
from tests.support.failures import fail_starts
from tests.support.particle_sweeps import SHARED, TEACHER, WELLS, changed
from tests.support.stops import stop_after_commits
from tests.support.stores import cut_chunks
from tests.support.texts import says

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Tiny = Callable[..., dict[str, Any]]

EVERY = {"spacing": "every", "k": 5}


@pytest.fixture
def short(tiny: Tiny) -> dict[str, Any]:
    """Eight runs of 20 steps and 5 records whose last states are kept."""
    content = tiny()
    return content | {"training": content["training"] | {"records": EVERY}, "keep_states": True}


@pytest.fixture
def before(short: dict[str, Any], tmp_path: Path) -> Path:
    run(short, tmp_path / "s.zarr")
    return tmp_path / "s.zarr"


def longer(content: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return changed(content, **({"training": {"time": 10.0}} | changes))


class Counted:
    """Progress that counts the records that are computed."""

    start = pack_finished = stop = lambda *_: None

    def __init__(self) -> None:
        self.records, self.lines = 0, list[str]()

    def update(self, event: Any) -> None:
        self.records += event.records

    def say(self, message: str) -> None:
        self.lines.append(message)


def test_a_longer_run_goes_on_from_the_kept_state(
    before: Path,
    short: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    old, shorter = files(before), sweepengine.open_sweep(before).load()
    more = longer(short, axes={"seed": 3})
    (tmp_path / "more.yaml").write_text(yaml.safe_dump(more))
    monkeypatch.setenv("COLUMNS", "300")
    assert main(["plan", str(tmp_path / "more.yaml"), "--store", str(before)]) == 0
    planned = capsys.readouterr().out
    assert "8 runs of the store end at time 5 and go on from the states that were kept there" in planned
    assert "of last states are kept" in planned
    counted = Counted()
    outcome = run(more, before, progress=counted)
    assert (outcome.runs, outcome.skipped, outcome.done) == (12, 0, 12)
    assert counted.records == 8 * 4 + 4 * 9  # records 5 … 8 of the old, and all of the new
    assert {path: path.read_bytes() for path in old} == old  # nothing finished is touched
    assert_as_from_the_start(before, more, tmp_path / "fresh.zarr")
    found = sweepengine.open_sweep(before).load()
    assert found.sizes["run"] == 12
    assert found.time.dims == ("record",)
    assert not set(found.id.values) & set(shorter.id.values)
    assert survey(SweepStore(before)).total.counts == {"done": 12}
    assert {each.kind for each in find_litter(SweepStore(before))} == {"tables of runs of other publications"}
    again = run(short, before)  # the old spec finds its runs under their ids
    assert again.skipped == again.done == 8
    table = SweepStore(before).table
    assert table is not None
    assert set(shorter.id.values) < set(table.columns["id"])


def test_a_longer_run_goes_on_again_and_again(before: Path, short: dict[str, Any], tmp_path: Path) -> None:
    for time in (10.0, 15.0):
        counted = Counted()
        run(longer(short, training={"time": time}), before, progress=counted)
        assert counted.records == 8 * 4
    assert_as_from_the_start(before, longer(short, training={"time": 15.0}), tmp_path / "fresh.zarr")


@pytest.mark.parametrize(
    "method",
    [{"name": "momentum", "beta": 0.9}, {"name": "sgd", "batch_size": 5}, {"name": "rk45", "tolerance": 1e-6}],
    ids=lambda method: str(method["name"]),
)
def test_all_that_a_method_remembers_is_kept(short: dict[str, Any], tmp_path: Path, method: dict[str, Any]) -> None:
    content, store = changed(short, training={"method": method}), tmp_path / "s.zarr"
    run(content, store)
    counted = Counted()
    run(longer(content), store, progress=counted)
    assert counted.records == 8 * 4
    assert_as_from_the_start(store, longer(content), tmp_path / "fresh.zarr")


@pytest.mark.parametrize(
    ("kept", "why"),
    [
        ({"keep_states": None}, "their last states were not kept"),
        ({"training": {"records": {"spacing": "log", "count": 6}}}, "their records lie at other steps"),
        ({"training": {"records": {"spacing": "every", "k": 6}}}, "their records lie at other steps"),
    ],
)
def test_what_cannot_go_on_is_trained_again_and_the_plan_says_why(
    short: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kept: dict[str, Any],
    why: str,
) -> None:
    content, store = changed(short, **kept), tmp_path / "s.zarr"
    content = {key: value for key, value in content.items() if value is not None}
    first, counted = run(content, store), Counted()
    (tmp_path / "more.yaml").write_text(yaml.safe_dump(longer(content)))
    monkeypatch.setenv("COLUMNS", "300")
    assert main(["plan", str(tmp_path / "more.yaml"), "--store", str(store)]) == 0
    assert f"8 runs of the store end at time 5 and are trained again from t = 0: {why}" in capsys.readouterr().out
    old = files(store)
    assert run(longer(content), store, progress=counted).done == first.done
    assert counted.records == 8 * sweepengine.open_sweep(store).sizes["record"]
    assert {path: path.read_bytes() for path in old} == old
    assert_as_from_the_start(store, longer(content), tmp_path / "fresh.zarr")


def test_keeping_states_changes_no_id_and_no_number(before: Path, short: dict[str, Any], tmp_path: Path) -> None:
    plain = {key: value for key, value in short.items() if key != "keep_states"}
    outcome = run(plain, before)
    assert outcome.skipped == 8
    assert_as_from_the_start(before, plain, tmp_path / "fresh.zarr")
    assert not list((tmp_path / "fresh.zarr").glob("state/**/*.npz"))
    planned = sum(path.stat().st_size for path in before.glob("state/**/*.npz"))
    assert len(list(before.glob("state/**/*-k.npz"))) == 8
    assert planned > 0


@pytest.mark.parametrize("count", [1, 4, 9])
def test_a_longer_run_that_is_stopped_goes_on(
    before: Path, short: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    shorter = sweepengine.open_sweep(before).load()
    stop_after_commits(monkeypatch, count)
    with pytest.raises(KeyboardInterrupt):
        run(longer(short), before, commit_seconds=1e-6)
    monkeypatch.undo()
    with pytest.warns(IncompleteWarning, match="of the runs that are trained for longer have not ended"):
        found = sweepengine.open_sweep(before).load()
    for name in ("id", "records_done", "loss_train"):  # runs of two times would be taken for one another
        xr.testing.assert_identical(found[name], shorter[name])
    run(longer(short), before)
    assert_as_from_the_start(before, longer(short), tmp_path / "fresh.zarr")


def test_runs_of_two_times_are_groups_of_their_own(before: Path, short: dict[str, Any]) -> None:
    assert "training_time" not in sweepengine.open_sweep(before).coords
    run(longer(short, axes={"seed": 1}), before)
    found = sweepengine.open_sweep(before)
    np.testing.assert_array_equal(found.training_time, np.where(found.seed == 0, 10.0, 5.0))
    assert found.sweep.grid().sizes["training_time"] == 2
    run(longer(short), before)
    assert "training_time" not in sweepengine.open_sweep(before).coords


@pytest.mark.parametrize("what", ["state", "records"])
def test_what_is_damaged_of_the_shorter_run_has_the_longer_begin_at_the_start(
    before: Path, short: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    pattern = {"state": "state/w000008*/**/*-k.npz", "records": "blocks/w000008*/loss_train/c/0/0"}[what]
    path = min(before.glob(pattern), key=str)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert main(["verify", str(before)]) == 1
    said = capsys.readouterr().out
    assert ("a longer run begins at t = 0" in said) == (what == "state")
    counted = Counted()
    run(longer(short), before, progress=counted)
    again = 1 if what == "state" else 4
    assert counted.records == (8 - again) * 4 + again * 9
    assert "\n".join(counted.lines).count("what was kept of run") == again
    assert main(["repair", str(before)]) == 0
    run(short, before)  # the shorter runs that were damaged
    assert_as_from_the_start(before, longer(short), tmp_path / "fresh.zarr")


def test_a_repair_forgets_a_lost_state_and_no_run(before: Path, short: dict[str, Any]) -> None:
    min(before.glob("state/**/*-k.npz"), key=str).unlink()
    assert len(list(find_damage(SweepStore(before)))) == 1
    assert main(["repair", str(before)]) == 0
    assert list(find_damage(SweepStore(before))) == []
    assert run(short, before).skipped == 8


def test_observables_are_added_to_longer_runs_and_times_made_longer_with_more_observables(
    before: Path, short: dict[str, Any], tmp_path: Path
) -> None:
    names = ["loss_train", "loss_test", "outputs_train", "outputs_test", "kernel", "kernel_drift", "movement_relative"]
    names += ["movement_row_max", "movement_op", "movement_total", "kernel_cka"]
    run(longer(short, axes={"width": [8]}), before)
    added = longer(short, axes={"width": [8]}) | {"observables": names}
    run(added, before)
    with pytest.warns(IncompleteWarning, match="kernel_cka of 4 of 8 runs"):
        assert sweepengine.open_sweep(before).sizes["run"] == 8
    both = longer(short, training={"time": 15.0}) | {"observables": [*names, "feature_gram"]}
    run(both, before)
    found = sweepengine.open_sweep(before)  # no run that is shown has additions any more, and a script reads on
    np.testing.assert_array_equal(found.records_added, found.records_done)
    assert_as_from_the_start(before, both, tmp_path / "fresh.zarr")


def test_runs_of_less_time_and_seeds_beside_longer_ones_are_refused(before: Path, short: dict[str, Any]) -> None:
    run(longer(short), before)
    content = files(before)
    with pytest.raises(StoreError, match=r"training\.time: the store has runs of time 10 by now"):
        run(changed(short, axes={"seed": 3}), before)
    with pytest.raises(StoreError, match=r"training\.time: the store has 5\.0, 10\.0, this spec 7\.5"):
        run(longer(short, training={"time": 7.5}), before)
    assert files(before) == content


def test_particles_go_on_and_snapshots_are_taken_again(tmp_path: Path) -> None:
    plain: dict[str, Any] = {
        **WELLS,
        "dynamics": {key: v for key, v in WELLS["dynamics"].items() if key != "snapshots"},
    }
    content, store = plain | {"keep_states": True}, tmp_path / "s.zarr"
    run(content, store)
    counted, more = Counted(), changed(content, dynamics={"time": 2.0})
    run(more, store, progress=counted)
    assert counted.records == 2 * 5
    assert_as_from_the_start(store, more, tmp_path / "fresh.zarr")
    content, store = changed(TEACHER, dynamics={"records": EVERY}) | {"keep_states": True}, tmp_path / "t.zarr"
    run(content, store)  # snapshots of records 0, 2 and 4
    for time, records in ((3.0, 7), (4.0, 9)):
        counted, more = Counted(), changed(content, dynamics={"time": time})
        run(more, store, progress=counted)  # with snapshots of records 0, 3 and 6, and then of records 0, 4 and 8
        assert counted.records == 4 * records
        assert_as_from_the_start(store, more, tmp_path / f"fresh{records}.zarr")


def test_where_no_state_can_be_kept_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="keep_states: found true with shards"):
        sweepengine.run(SHARED | {"shards": 2, "keep_states": True}, tmp_path / "s.zarr")
    with pytest.raises(SpecError, match="keep_states: sweeps of computation keep no states"):
        run(COMPUTATION | {"keep_states": True}, tmp_path / "c.zarr")
    assert not list(tmp_path.iterdir())


def test_a_longer_run_that_fails_is_shown_as_failed(
    before: Path, short: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_chunks(monkeypatch, CHUNK_RUNS_LIMIT=1)
    fail_starts(monkeypatch, "no weights today", lambda widths, seed: (widths, seed) == ([8], 1))
    assert run(longer(short), before).failed == 2
    found = sweepengine.open_sweep(before)
    assert found.sizes["run"] == 8
    np.testing.assert_array_equal(found.status == "failed", (found.width == 8) & (found.seed == 1))
    monkeypatch.undo()
    run(longer(short), before, retry_failed=True)
    assert_as_from_the_start(before, longer(short), tmp_path / "fresh.zarr")


def test_both_executors_go_on_alike(before: Path, short: dict[str, Any], tmp_path: Path) -> None:
    outcome = sweepengine.run(longer(short), before, workers=1)
    assert says(str(outcome), "done=8")
    assert_as_from_the_start(before, longer(short), tmp_path / "fresh.zarr")
    assert numbers_by_axes(before).sizes["record"] == 9
