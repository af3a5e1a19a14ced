"""With durability fsync a commit that has returned survives a power cut, whatever of the rest is lost.

A sweep is recorded once, operation by operation. It is then cut off at many places, and for each of them several disks
are made that the cut may leave. All that is asked is asked as a user would.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr

import sweepengine
from sweepengine.errors import StoreError
from sweepengine.store import ChunkWriter, SweepStore, find_damage
from tests.support.power import BEST, WORST, Operation, PowerCut, chance, recording_disk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NETWORKS: dict[str, Any] = {
    "name": "networks",
    "data": {"name": "digits", "classes": [3, 8], "n_train": 6, "n_test": 4},
    "network": {"depth": 1, "activation": "tanh", "sigma_w": 1.4, "sigma_b": 0.0},
    "training": {"loss": "mse", "step_size": 0.25, "time": 1.0, "records": {"spacing": "log", "count": 3}},
    "axes": {"scaling": ["ntk"], "width": [4], "seed": 2},
    "precision": "float64",
}
PARTICLES: dict[str, Any] = {
    "kind": "particles",
    "name": "particles",
    "functional": {"terms": [{"term": "double_well"}]},
    "initial": {"law": "gaussian", "coordinates": 2},
    "dynamics": {
        "method": "euler_maruyama", "step_size": 0.1, "time": 0.4,
        "records": {"spacing": "every", "k": 2}, "snapshots": 2
    },
    "axes": {"width": [16], "seed": 2},
    "precision": "float64",
}  # fmt: skip


@dataclass(frozen=True)
class Recording:
    """A sweep that nothing happened to, and what was promised on the way.

    Attributes
    ----------
    promises : list of tuple
        (operations so far, the store as a reader saw it) whenever a publication or a commit had returned.
    """

    spec: dict[str, Any]
    base: Path
    operations: list[Operation]
    promises: list[tuple[int, xr.Dataset]]

    @property
    def whole(self) -> xr.Dataset:
        return self.promises[-1][1]

    def promised(self, cut: int) -> xr.Dataset | None:
        """What was last promised before a cut."""
        return next((seen for at, seen in reversed(self.promises) if at <= cut), None)

    def cuts(self, between: int, seed: int) -> list[int]:
        """Just after each promise, and some places between: in the creation, anywhere later, and just after a rename.

        A file that has its name before it has its content is seen there and nowhere else.
        """
        first, last = self.promises[0][0], len(self.operations)
        renamed = [place + 1 for place, each in enumerate(self.operations) if each[0] == "rename" and place >= first]
        drawn = np.random.default_rng(seed)
        places = [
            *drawn.integers(first, size=between // 4),
            *drawn.integers(first, last, size=between // 4),
            *drawn.choice(renamed, size=between // 2),
        ]
        return sorted({*(at for at, _ in self.promises), *map(int, places)})

    def states(self, cuts: list[int], chances: int, without: tuple[str, ...] = ()) -> Iterator[tuple[int, Path]]:
        """Cut → a store as the worst of luck leaves it, and as chance does."""
        disk = PowerCut(self.base, self.operations, without)
        for cut in cuts:
            disk.at(cut)
            lucks = {"worst": WORST} | {f"chance {n}": chance(cut + n) for n in range(chances)}
            for name, luck in lucks.items():
                left = self.base / "-".join([*without, str(cut), name])
                disk.leave(left, luck)
                yield cut, left / "sweep.zarr"


def numbers(sweep: xr.Dataset) -> xr.Dataset:
    """All that does not depend on how often a sweep was stopped; where a run lies may."""
    return sweep.drop_attrs().drop_vars(["peak_memory", "block"])


def recorded(spec: dict[str, Any], base: Path) -> Recording:
    store, promises = base / "sweep.zarr", []

    def promise_after(owner: type, name: str) -> None:
        inner = getattr(owner, name)

        def outer(*args: Any, **kwargs: Any) -> None:
            inner(*args, **kwargs)
            promises.append((len(recorder.operations), sweepengine.open_sweep(store).load()))

        patch.setattr(owner, name, outer)

    with pytest.MonkeyPatch.context() as patch:
        recorder = recording_disk(patch)
        promise_after(SweepStore, "extend")
        promise_after(ChunkWriter, "commit")
        sweepengine.run(spec, store, executor="inline", durability="fsync", commit_seconds=1e-9)
    assert set(promises[-1][1].status.values) == {"done"}
    return Recording(spec, base, recorder.operations, promises)


@pytest.fixture(scope="module", params=[NETWORKS, PARTICLES], ids=["networks", "particles"])
def recording(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return recorded(request.param, tmp_path_factory.mktemp("power"))


def broken(store: Path, promised: xr.Dataset | None, whole: xr.Dataset) -> str:
    """What a store breaks of a promise, or shows though it is wrong; empty if nothing."""
    try:
        found = sweepengine.open_sweep(store).load()
    except StoreError as error:
        return "" if promised is None else f"not opened: {error}"
    except Exception as error:  # noqa: BLE001 - a reader must never meet anything else
        return f"not opened: {error!r}"
    for name in whole.data_vars:
        values = found[name].values
        if not np.all(np.isnan(values) | (values == whole[name].values)):
            return f"{name}: shows what was not computed"
        if promised is not None and not np.all(np.isnan(promised[name].values) | (values == promised[name].values)):
            return f"{name}: a record is lost"
    if promised is not None:
        ended = promised.status.values != "running"
        ended &= promised.status.values != "pending"
        if np.any(found.status.values[ended] != promised.status.values[ended]):
            return "the end of a run is lost"
        if np.any(found.records_done < promised.records_done):
            return "a record is lost"
    return ""


def goes_on(recording: Recording, store: Path) -> None:
    """The same command again ends with the bits of the sweep that nothing happened to."""
    sweepengine.run(recording.spec, store, executor="inline", take_over=True)
    xr.testing.assert_identical(numbers(sweepengine.open_sweep(store).load()), numbers(recording.whole))
    assert not list(find_damage(SweepStore(store)))


def check(recording: Recording, between: int, chances: int, every: int) -> None:
    whole = {at for at, _ in recording.promises}  # where no commit is half done
    for number, (cut, store) in enumerate(recording.states(recording.cuts(between, seed=1), chances)):
        promised = recording.promised(cut)
        assert not (found := broken(store, promised, recording.whole)), f"{store.parent.name}: {found}"
        if number % every == 0:
            if cut in whole:
                assert not list(find_damage(SweepStore(store)))
            goes_on(recording, store)
        shutil.rmtree(store.parent)


def test_what_was_committed_is_there_and_the_sweep_goes_on(recording: Recording) -> None:
    check(recording, between=20, chances=1, every=6)


@pytest.mark.slow
def test_many_more_cuts(recording: Recording) -> None:
    check(recording, between=60, chances=3, every=9)


def test_a_creation_that_was_killed_is_done_again(recording: Recording) -> None:
    disk = PowerCut(recording.base, recording.operations)
    written = next(place for place, each in enumerate(recording.operations) if each[0] == "sync")
    # Only a part of the claim; and arrays, below groups that zarr makes, with nothing published.
    for cut in (written, recording.promises[0][0] // 2):
        disk.at(cut)
        left = recording.base / f"killed-{cut}"
        disk.leave(left, BEST)
        with pytest.raises(StoreError):
            sweepengine.open_sweep(left / "sweep.zarr")
        goes_on(recording, left / "sweep.zarr")


@pytest.mark.parametrize("without", [("sync",), ("sync_folder",), ("sync", "sync_folder")], ids="+".join)
def test_without_its_syncs_the_promise_is_broken(recording: Recording, without: tuple[str, ...]) -> None:
    cuts = [at for at, _ in recording.promises]
    found = {
        store.parent.name: broken(store, recording.promised(cut), recording.whole)
        for cut, store in recording.states(cuts[::4], 1, without)
    }
    assert all(said for name, said in found.items() if name.endswith("worst"))
    assert any(said for name, said in found.items() if "chance" in name)
