"""What the workers of a shared run, threads of this process, say to each other and leave in the store.

Ray is not needed for that: a process group belongs to its object. Pieces of a few particles stand for those of a
megabyte. ``test_sharded_runs.py`` has the same on Ray.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr
from torch.distributed import TCPStore  # type: ignore[attr-defined]

import sweepengine
from sweepengine.execute import _pack, _ray
from sweepengine.execute._events import Event
from sweepengine.execute._executor import InlineExecutor, Report
from sweepengine.execute._shards import Shards
from sweepengine.observe.measure import CloudMoment
from sweepengine.particles import Partition, ShardGroup
from sweepengine.store import ChunkPart, SweepStore, read_mark
from sweepengine.store._process import Process
from tests.support.marks import change_mark, instead_of_marks
from tests.support.progress import Said
from tests.support.stores import cut_chunks
from tests.support.turns import Begun, watched_turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sweepengine.execute._task import PackTask
    from sweepengine.store import Mark

HERE = "127.0.0.1"
LANGEVIN: dict[str, Any] = {
    "kind": "particles",
    "name": "shared",
    "data": {"name": "gaussian", "teacher": "neuron", "d": 2, "n_train": 9, "n_test": 5},
    "unit": {"activation": "tanh"},
    "functional": {
        "terms": [{"term": "risk", "cost": "mse"}, {"term": "quadratic", "strength": 0.1}],
        "temperature": 0.01,
    },
    "initial": {"law": "gaussian", "output": "signs"},
    "dynamics": {
        "method": "euler_maruyama",
        "step_size": 0.1,
        "time": 1.2,
        "records": {"spacing": "every", "k": 4},
        "snapshots": 3,
    },
    "observables": [
        "loss_train",
        "outputs_test",
        "terms",
        "dissipation",
        "kernel_drift",
        "displacement",
        "participation",
        "w2_start",
        "sliced_w2_start",
        "sliced_w2_start_error",
        "particles",
    ],
    "axes": {"width": [53], "seed": 1},  # seven pieces, the last of five
    "precision": "float64",
}
SMOOTH = LANGEVIN["functional"] | {"temperature": 0.0}
ADAPTIVE: dict[str, Any] = LANGEVIN | {
    "functional": SMOOTH,
    "dynamics": LANGEVIN["dynamics"] | {"method": "adaptive", "tolerance": {"relative": 1e-5, "absolute": 1e-7}},
}
PAIRS: dict[str, Any] = {name: value for name, value in LANGEVIN.items() if name not in {"data", "unit"}} | {
    "functional": {"terms": [{"term": "gaussian", "length": 1.0}, {"term": "mmd", "count": 20, "seed": 5}]},
    "initial": {"law": "gaussian", "coordinates": 3},
    "dynamics": LANGEVIN["dynamics"] | {"method": "heun"},
    "observables": ["objective", "terms", "mean", "deviation", "energy_defect", "stationarity_gap", "particles"],
}
SPECS = {"langevin": LANGEVIN, "adaptive": ADAPTIVE, "pairs": PAIRS}


class ThreadExecutor(InlineExecutor):
    """The in-process executor, with a thread for each shard but the lead."""

    def __init__(self, *options: Any) -> None:
        super().__init__()
        self.shards: int = options[-1]

    def wait(self) -> Iterator[Report]:
        if self.shards == 1:
            yield from super().wait()
            return
        task = self._waiting.popleft()
        meeting = TCPStore(HERE, 0, task.workers, is_master=True, wait_for_workers=False)
        with ThreadPoolExecutor(task.workers) as pool:
            others = [pool.submit(_follow, task, rank, meeting.port) for rank in range(1, task.workers)]
            try:
                with ShardGroup(0, task.workers, meeting, timeout=60.0) as group:
                    for event in _pack.advance(task, Shards(group)):
                        yield Report(task, event, finished=False)
                for each in others:
                    each.result()
            except Exception as error:  # noqa: BLE001 -- handed to the driver, as by the other executors
                yield Report(task, Event(), finished=True, error=error)
            else:
                yield Report(task, Event(), finished=True)


def _follow(task: PackTask, rank: int, port: int) -> None:
    with ShardGroup(rank, task.workers, f"tcp://{HERE}:{port}", timeout=60.0) as group:
        _pack.follow(task, Shards(group))


class StoppedError(BaseException):
    """Stands for a kill of the driver and all workers."""


@pytest.fixture(autouse=True)
def _threads_and_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ray, "RayExecutor", ThreadExecutor)
    # A setting of the whole process: the threads would set and restore it between each other.
    monkeypatch.setattr("sweepengine.execute._scope.matmul_precision", lambda *_, **__: nullcontext())
    # Threads that have ended stand for processes that have.
    monkeypatch.setattr(Process, "is_gone", property(lambda _: True))
    cut_chunks(monkeypatch, PIECE_ROWS=8, PIECE_TARGET=100, CHUNK_TARGET=100)
    for each in vars(CloudMoment).values():
        if isinstance(each, cached_property):
            # Before Python 3.12 one lock for all objects: a rank that waits in a sum would keep the others out.
            monkeypatch.setattr(each, "lock", nullcontext(), raising=False)


def run(spec: dict[str, Any], store: Path, shards: int, commit_seconds: float = 60.0) -> list[str]:
    """What was said."""
    said = Said()
    sweepengine.run(spec | {"shards": shards}, store, commit_seconds=commit_seconds, progress=said)
    return said.lines


def run_until(write: int, spec: dict[str, Any], store: Path, shards: int, *, marked: bool = True) -> None:
    """Run, with a commit at every step, until a mark has been written for this many times, or until right before."""
    with pytest.MonkeyPatch.context() as patch:
        count = 1  # the claim is the first

        def stopping(_mark: Mark, put: Callable[[], None]) -> None:
            nonlocal count
            count += 1
            if count < write or marked:
                put()
            if count == write:
                raise StoppedError

        instead_of_marks(patch, stopping)
        with pytest.raises(StoppedError):
            run(spec, store, shards, commit_seconds=1e-9)


@pytest.fixture(scope="module")
def wholes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], xr.Dataset]:
    """Each sweep as one worker computes it, in one piece."""
    found: dict[str, xr.Dataset] = {}

    def whole(name: str) -> xr.Dataset:
        if name not in found:
            store = tmp_path_factory.mktemp(name) / "whole.zarr"
            sweepengine.run(SPECS[name], store, executor="inline")
            found[name] = sweepengine.open_sweep(store).load()
        return found[name]

    return whole


def agree(store: Path, expected: xr.Dataset) -> bool:
    """Whether a sweep that has ended has these numbers, to rounding."""
    found = sweepengine.open_sweep(store).load()
    assert set(found.status.values) == {"done"}
    assert not list(store.glob("state/**/*.npz"))
    names = set(expected.data_vars) - {"status", "peak_memory", "id"}
    assert "particles" in names
    return all(_close(found[name].values, expected[name].values) for name in names if expected[name].dtype.kind == "f")


def _close(found: Any, expected: Any) -> bool:
    scale = np.nanmax(np.abs(expected), initial=0.0)
    return np.allclose(found, expected, rtol=1e-9, atol=1e-11 * scale, equal_nan=True)


@pytest.mark.parametrize(("name", "shards"), [("langevin", 3), ("langevin", 7), ("adaptive", 3), ("pairs", 2)])
def test_any_number_of_shards_is_the_whole(
    name: str, shards: int, tmp_path: Path, wholes: Callable[[str], xr.Dataset]
) -> None:
    run(SPECS[name], tmp_path / "x.zarr", shards)
    assert agree(tmp_path / "x.zarr", wholes(name))


def test_what_needs_a_file_or_the_noise_is_the_same_on_shards(tmp_path: Path) -> None:
    """The reference is whole on every worker, the cloud is not."""
    np.savez(tmp_path / "there.npz", points=np.random.default_rng(3).normal(size=(40, 3)))
    names = ["sliced_w2_reference", "sliced_w2_reference_error", "weak_form_defect", "first_variation"]
    spec = LANGEVIN | {"observables": names, "reference": str(tmp_path / "there.npz")}
    spec["dynamics"] = LANGEVIN["dynamics"] | {"snapshots": 0, "time": 0.8}
    run(spec, tmp_path / "x.zarr", 3)
    sweepengine.run(spec, tmp_path / "whole.zarr", executor="inline")
    found, expected = (sweepengine.open_sweep(tmp_path / each).load() for each in ("x.zarr", "whole.zarr"))
    assert all(_close(found[name].values, expected[name].values) for name in names)


def test_shards_that_do_not_sum_are_told_apart(
    tmp_path: Path, wholes: Callable[[str], xr.Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Shards, "partition", lambda *given: Partition(first=given[2].start))
    run(LANGEVIN, tmp_path / "x.zarr", 2)
    assert not agree(tmp_path / "x.zarr", wholes("langevin"))


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[Begun]:
    """The step from which each worker's turn goes on."""
    return watched_turns(monkeypatch)


@pytest.mark.parametrize(
    ("name", "before", "after"), [("langevin", 2, 3), ("langevin", 1, 3), ("adaptive", 3, 2), ("pairs", 3, 1)]
)
def test_a_run_goes_on_on_any_number_of_shards(
    name: str, before: int, after: int, tmp_path: Path, wholes: Callable[[str], xr.Dataset], begun: list[Begun]
) -> None:
    store = tmp_path / "x.zarr"
    run_until(7, SPECS[name], store, before)
    assert len(list(store.glob("state/*/*/*.npz"))) in {before, 2 * before}
    assert begun == [Begun(1, 0)] * before
    begun.clear()
    run(SPECS[name], store, after)
    assert len(begun) == after
    assert min(begun).step > 0
    assert agree(store, wholes(name))


def test_a_kill_between_the_parts_of_a_state_and_the_mark_goes_on_from_the_mark(
    tmp_path: Path, wholes: Callable[[str], xr.Dataset], begun: list[Begun]
) -> None:
    store = tmp_path / "x.zarr"
    run_until(7, LANGEVIN, store, 3, marked=False)
    [path] = store.glob("marks/*/*/*.json")
    named = {ref["key"] for ref in json.loads(path.read_text())["states"]}
    there = {str(each.relative_to(store)) for each in store.glob("state/*/*/*.npz")}
    assert len(named) == 3
    assert named < there  # the other slot is written, and nobody names it
    begun.clear()
    run(LANGEVIN, store, 2)
    assert min(begun).step > 0
    assert agree(store, wholes("langevin"))


def shifted(path: Path) -> None:
    """Another cloud in a file that is whole."""
    with np.load(path) as arrays:
        found = dict(arrays)
    found["particles"] = found["particles"] + 0.1
    np.savez(path, allow_pickle=False, **found)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def removed(path: Path) -> None:
    path.unlink()


PIECE = "blocks/*/particles/c/0/0/3/0"  # of rank 1 of 2 and of 3


@pytest.mark.parametrize(
    ("place", "damage"),
    [
        *[("state/*/*/*-1.npz", damage) for damage in (cut, shifted, removed)],
        *[(PIECE, damage) for damage in (flipped, emptied, removed)],
    ],
)
def test_what_one_shard_has_left_damaged_is_said_and_computed_again(
    place: str, damage: Callable[[Path], None], tmp_path: Path, wholes: Callable[[str], xr.Dataset], begun: list[Begun]
) -> None:
    store = tmp_path / "x.zarr"
    run_until(7, LANGEVIN, store, 2)
    found = list(store.glob(place))
    assert found
    for path in found:
        damage(path)
    begun.clear()
    said = run(LANGEVIN, store, 3)
    assert begun == [Begun(1, 0)] * 3
    what = "state" if place.startswith("state") else "stored particles"
    assert any(f"damaged: the {what} of run" in line and "again from t = 0" in line for line in said), said
    assert agree(store, wholes("langevin"))


def test_the_digest_of_a_part_is_what_keeps_wrong_numbers_out(
    tmp_path: Path, wholes: Callable[[str], xr.Dataset]
) -> None:
    """The twin of the above: a damaged part that has its digest goes into the numbers."""
    store = tmp_path / "x.zarr"
    run_until(7, LANGEVIN, store, 2)
    [block] = SweepStore(store).block_shapes()
    mark = read_mark(SweepStore(store).objects, block, 0)
    assert mark is not None
    first, part = mark.states
    shifted(store / part.key)
    found = hashlib.blake2b((store / part.key).read_bytes(), digest_size=16).hexdigest()
    change_mark(store, block, states=(first, replace(part, digest=found)))
    run(LANGEVIN, store, 3)
    assert not agree(store, wholes("langevin"))


def test_a_shard_that_cannot_write_ends_all_and_they_try_again(
    tmp_path: Path, wholes: Callable[[str], xr.Dataset], begun: list[Begun], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failed = ChunkPart.write_state, []

    def write_state(self: ChunkPart, attempt: int, *others: Any) -> Any:
        if self._share.rank == 1 and attempt % 1000 == 1 and others[2]["step"] == 6:
            failed.append(attempt)
            raise OSError("the disk is full")
        return real(self, attempt, *others)

    monkeypatch.setattr(ChunkPart, "write_state", write_state)
    said = run(LANGEVIN, tmp_path / "x.zarr", 3, commit_seconds=1e-9)
    assert len(failed) == 1
    assert sum("its worker stopped (ShardError" in line for line in said) == 1
    assert begun == [Begun(1, 0)] * 3 + [Begun(1, 5)] * 3
    assert agree(tmp_path / "x.zarr", wholes("langevin"))


def outcomes(spec: dict[str, Any], store: Path, shards: int) -> xr.Dataset:
    """How runs end that do not come to their end."""
    if shards == 1:
        sweepengine.run(spec, store, executor="inline")
    else:
        run(spec, store, shards)
    found = sweepengine.open_sweep(store).load()
    return found.reset_coords()[["status", "diverged_step", "records_done", "terms"]].drop_attrs()


def test_a_blow_up_is_the_same_step_on_shards(tmp_path: Path) -> None:
    spec = LANGEVIN | {"functional": {"terms": [{"term": "quadratic", "strength": -400.0}]}, "observables": ["terms"]}
    spec = {name: value for name, value in spec.items() if name not in {"data", "unit"}}
    spec["initial"], spec["dynamics"] = PAIRS["initial"], PAIRS["dynamics"] | {"snapshots": 0}
    whole, shared = (outcomes(spec, tmp_path / f"{shards}.zarr", shards) for shards in (1, 3))
    assert set(whole.status.values) == {"diverged"}
    assert (whole.diverged_step.values > 0).all()
    xr.testing.assert_allclose(shared, whole, rtol=1e-9)


def test_too_many_tries_fail_the_run_alone_on_shards_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweepengine.particles._adaptive.MOST_TRIES", 3)
    whole, shared = (outcomes(ADAPTIVE, tmp_path / f"{shards}.zarr", shards) for shards in (1, 3))
    assert set(whole.status.values) == {"failed"}
    assert (whole.records_done.values > 0).all()
    xr.testing.assert_allclose(shared, whole, rtol=1e-9)
    assert list((tmp_path / "3.zarr").glob("failures/*/*.json"))
