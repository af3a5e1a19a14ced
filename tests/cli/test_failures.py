"""What failed and why, and running it again: `failures`, and `run --retry-failed`."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import sweepengine
from sweepengine.cli import main
from sweepengine.errors import SpecError
from sweepengine.refine import refine
from sweepengine.store import Status, SweepStore, failed_places, failed_runs, grouped
from tests.support.failures import fail_starts
from tests.support.progress import Said
from tests.support.stops import stop_after_commits
from tests.support.stores import numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Tiny = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path) -> Iterator[None]:
    with contextlib.chdir(tmp_path):  # and not by monkeypatch, which the tests undo
        yield


def of_width_16(widths: list[int], _seed: int) -> bool:
    return widths == [16]


def statuses(store: str) -> dict[tuple[int, int, str], str]:
    ds = sweepengine.open_sweep(store).load()
    keys = zip(ds.width.values.tolist(), ds.seed.values.tolist(), ds.scaling.values.tolist(), strict=True)
    return dict(zip(keys, ds.status.values.tolist(), strict=True))


def test_failures_are_listed_with_axes_traceback_and_environment(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fail_starts(monkeypatch, "no weights today", of_width_16)
    assert sweepengine.run(tiny(), "s.zarr", executor="inline").failed == 4
    before = {path: path.read_bytes() for path in Path("s.zarr").rglob("*") if path.is_file()}
    assert main(["failures", "s.zarr"]) == 0
    said = capsys.readouterr().out
    assert said.count("Traceback (most recent call last)") == 1  # equal ones are printed once
    assert said.startswith("4 runs failed: RuntimeError: no weights today\n")
    for seed in (0, 1):
        assert f"(scaling ntk, width 16, seed {seed})" in said
    assert f"sweepengine {sweepengine.__version__}" in said
    assert main(["failures", "s.zarr", "--json"]) == 0
    (group,) = json.loads(capsys.readouterr().out)["failures"]
    assert group["traceback"].endswith("RuntimeError: no weights today\n")
    assert {run["axes"]["width"] for run in group["runs"]} == {16}
    assert {run["id"] for run in group["runs"]} <= set(sweepengine.open_sweep("s.zarr").id.values)
    first = group["runs"][0]
    environment = first["environment"]
    assert environment["process"]["pid"] > 0
    assert environment["versions"]["sweepengine"] == sweepengine.__version__
    assert first["attempt"] == SweepStore("s.zarr").mark(first["block"], 0).attempt  # type: ignore[union-attr]
    assert {path: path.read_bytes() for path in Path("s.zarr").rglob("*") if path.is_file()} == before


def test_other_tracebacks_are_other_groups_and_what_was_not_kept_is_said(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    counted = iter(range(100))
    fail_starts(monkeypatch, "x", lambda *_: next(counted) < 6)
    sweepengine.run(tiny(), "s.zarr", executor="inline")
    files = sorted(Path("s.zarr").glob("failures/*/*.json"))
    assert len(files) == 6
    files[0].unlink()
    files[1].write_text(files[1].read_text().replace("RuntimeError: x", "RuntimeError: y"))
    old = json.loads(files[2].read_text())
    files[2].write_text(
        json.dumps({key: old[key] for key in ("block", "position", "traceback")})
    )  # of an older version
    groups = grouped(failed_runs(SweepStore("s.zarr")))
    assert [len(group.runs) for group in groups] == [4, 1, 1]
    assert {group.reason for group in groups} == {
        "RuntimeError: x",
        "no reason was kept",
        f"{files[1].relative_to('s.zarr').as_posix()}: what it says of the failure is damaged",
    }
    assert main(["failures", "s.zarr"]) == 0
    assert "no traceback was kept" in capsys.readouterr().out


def test_a_store_without_failures(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["failures", "none.zarr"]) == 2
    assert "there is nothing at" in capsys.readouterr().err
    sweepengine.run(tiny(axes={"width": [8], "seed": 1}), "s.zarr", executor="inline")
    assert main(["failures", "s.zarr"]) == 0
    assert "no run has failed" in capsys.readouterr().out
    assert main(["failures", "s.zarr", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["failures"] == []


def test_a_failure_goes_with_its_run(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_starts(monkeypatch, "no weights today", lambda _widths, seed: seed == 1)
    sweepengine.run(tiny(axes={"width": [8], "scaling": ["ntk"]}), "s.zarr", executor="inline")
    store = SweepStore("s.zarr")
    before = [(run.id, run.failure) for run in failed_runs(store)]
    assert len(before) == 1
    store.claim()
    ((block, _),) = store.block_shapes().items()
    store.relocate(block, 0, store.attempt(1))
    store.release()
    moved = SweepStore("s.zarr")
    assert block not in moved.block_shapes()
    assert [(run.id, run.failure) for run in failed_runs(moved)] == before


def test_a_plain_run_says_that_it_tries_failed_runs_again_and_does(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_starts(monkeypatch, "no weights today", of_width_16)
    sweepengine.run(tiny(), "s.zarr", executor="inline")
    monkeypatch.undo()
    said = Said()
    outcome = sweepengine.run(tiny(axes={"seed": 3}), "s.zarr", executor="inline", progress=said)
    assert said.lines[0].startswith("failed before: 4 runs, tried again with all that is missing")
    assert (outcome.runs, outcome.done) == (12, 12)


def test_retry_failed_computes_what_failed_and_nothing_else(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    sweepengine.run(tiny(), "whole.zarr", executor="inline")
    fail_starts(monkeypatch, "no weights today", of_width_16)
    sweepengine.run(tiny(), "s.zarr", executor="inline")
    monkeypatch.undo()
    said = Said()
    longer = tiny(axes={"seed": 3, "width": [8, 16, 32]})
    outcome = sweepengine.run(longer, "s.zarr", executor="inline", retry_failed=True, progress=said)
    assert said.lines[0] == "failed before: 4 runs; nothing else is computed"
    assert (outcome.runs, outcome.done, outcome.failed, outcome.skipped) == (4, 4, 0, 0)
    assert len(SweepStore("s.zarr").places()) == 8  # the longer axes are for a run without it
    assert numbers(Path("s.zarr")).identical(numbers(Path("whole.zarr")))
    again = sweepengine.run(longer, "s.zarr", executor="inline", retry_failed=True)
    assert (again.runs, again.done) == (0, 0)
    assert sweepengine.run(longer, "s.zarr", executor="inline").done == 18


def test_what_fails_again_stays_failed(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_starts(monkeypatch, "no weights today", of_width_16)
    sweepengine.run(tiny(), "s.zarr", executor="inline")
    fail_starts(monkeypatch, "nor tomorrow", of_width_16)
    assert sweepengine.run(tiny(), "s.zarr", executor="inline", retry_failed=True).failed == 4
    assert [group.reason for group in grouped(failed_runs(SweepStore("s.zarr")))] == ["RuntimeError: nor tomorrow"]


def test_a_retry_that_was_stopped_goes_on(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that has begun again has another status; it still is one that failed before."""
    fail_starts(monkeypatch, "no weights today", of_width_16)
    sweepengine.run(tiny(), "s.zarr", executor="inline")
    monkeypatch.undo()
    stop_after_commits(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        sweepengine.run(tiny(), "s.zarr", executor="inline", retry_failed=True, commit_seconds=1e-6)
    monkeypatch.undo()
    assert Status.RUNNING.label in statuses("s.zarr").values()
    assert sweepengine.run(tiny(), "s.zarr", executor="inline", retry_failed=True).runs == 4
    assert set(statuses("s.zarr").values()) == {"done"}
    assert len(failed_places(SweepStore("s.zarr").objects)) == 4  # what is kept of the past names no failed run
    assert not list(failed_runs(SweepStore("s.zarr")))


def test_a_retry_that_comes_too_late_has_nothing_to_do(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    class Overtaken(Said):
        """Another driver computes the runs between this one's plan and its claim."""

        def say(self, message: str) -> None:
            super().say(message)
            if len(self.lines) == 1:
                sweepengine.run(tiny(), "s.zarr", executor="inline")

    fail_starts(monkeypatch, "no weights today", of_width_16)
    sweepengine.run(tiny(), "s.zarr", executor="inline")
    monkeypatch.undo()
    longer = tiny(axes={"seed": 3})
    outcome = sweepengine.run(longer, "s.zarr", executor="inline", retry_failed=True, progress=Overtaken())
    assert (outcome.runs, outcome.failed) == (0, 0)
    assert set(statuses("s.zarr").values()) == {"done"}


def test_retry_failed_on_the_command_line(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("spec.yaml").write_text(yaml.safe_dump(tiny()))
    words = ["run", "spec.yaml", "--executor", "inline", "--no-report"]
    assert main([*words, "--retry-failed"]) == 2
    assert "there is nothing at" in capsys.readouterr().err
    fail_starts(monkeypatch, "no weights today", of_width_16)
    assert main(words) == 1
    assert "`sweepengine failures " in capsys.readouterr().err
    assert main([*words, "--retry-failed"]) == 1
    monkeypatch.undo()
    assert main([*words, "--retry-failed"]) == 0
    assert main(["claims", "ntk-const", "--retry-failed"]) == 2


def test_retry_failed_goes_with_run_only(tiny: Tiny) -> None:
    with pytest.raises(SpecError, match="retry_failed: goes with run only; refine leaves it out"):
        next(refine("s.zarr", retry_failed=True))
    with pytest.raises(SpecError, match="retry_failed: goes with run only; claims leaves it out"):
        sweepengine.decide_claims(["ntk-const"], retry_failed=True)
