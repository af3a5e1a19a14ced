"""One flow over processes: equal to the whole, told from shards that forget to sum, and clear when they cannot."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from sweepengine import particles as pt

if TYPE_CHECKING:
    from collections.abc import Callable

WORKER = Path(__file__).with_name("shard_worker.py")
PROBLEM = runpy.run_path(str(WORKER))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What three processes leave, each of which must end with no word on its error stream."""
    place = tmp_path_factory.mktemp("shards")
    environment = {**os.environ, "PYTHONPATH": str(Path(pt.__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "error", str(WORKER), str(rank), str(place)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        for rank in range(3)
    ]
    said = [process.communicate(timeout=120)[0] for process in started]
    assert [(process.returncode, text) for process, text in zip(started, said, strict=True)] == [(0, "")] * 3
    return place


@pytest.mark.parametrize("size", [2, 3])
def test_shards_are_the_whole(size: int, folder: Path) -> None:
    ranks = [dict(np.load(folder / f"{rank}of{size}.npz")) for rank in range(size)]
    count, chunk, inputs = PROBLEM["COUNT"], PROBLEM["CHUNK"], len(PROBLEM["INPUTS"])
    whole = PROBLEM["flowed"](PROBLEM["start"](range(count)), pt.Partition(chunk))
    for name, expected in whole.items():
        split = len(expected) == count
        found = np.concatenate([rank[name] for rank in ranks]) if split else ranks[0][name]
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-10, atol=1e-12, err_msg=name)
        assert split or all(np.array_equal(rank[name], found) for rank in ranks)  # every rank knows the same sums
        # Twin: shards that sum nothing are other flows, so the tolerance above can tell.
        alone = np.concatenate([rank[f"alone {name}"] for rank in ranks]) if split else ranks[0][f"alone {name}"]
        assert not np.allclose(alone, expected.numpy(), rtol=1e-6, atol=1e-6) or name == "adaptive numbers"
    for rank in ranks:
        # A step of Euler asks for the outputs and the count once, and whether any particle has left; so does the end.
        np.testing.assert_array_equal(rank["traffic"], [4 * 2 + 1, 8 * (4 * (inputs + 1) + 5)])
        assert rank["diverged"] == 0  # one shard's NaN is everybody's, at the same step


def test_ranks_meet_at_a_port() -> None:
    """Rank 0 opens the port and tells it; a group belongs to its object, so threads can be ranks."""
    store = TCPStore("127.0.0.1", 0, 3, is_master=True, wait_for_workers=False)

    def rank(number: int) -> tuple[list[float], pt.Traffic, pt.Traffic]:
        with pt.ShardGroup(number, 3, f"tcp://127.0.0.1:{store.port}" if number else store, timeout=60.0) as group:
            values = torch.tensor([1.0, 10.0 + number], dtype=torch.float64)
            found = [*group.total(values).tolist(), *group.least(values).tolist(), *values.tolist()]
            taken = group.take_traffic()
            group.barrier()
            return found, taken, group.traffic

    with ThreadPoolExecutor(3) as pool:
        ranks = list(pool.map(rank, range(3)))
    for number, (found, taken, rest) in enumerate(ranks):
        assert found == [3.0, 33.0, 1.0, 10.0, 1.0, 10.0 + number]
        assert (taken.calls, taken.payload) == (2, 32)
        assert taken.seconds > 0
        assert rest == pt.Traffic()


@pytest.mark.parametrize(("count", "chunk", "shards"), [(103, 8, 1), (103, 8, 5), (103, 8, 13), (7, 1, 3), (1, 9, 1)])
def test_spans_are_whole_chunks(count: int, chunk: int, shards: int) -> None:
    found = pt.spans(count, chunk, shards)
    assert [number for each in found for number in each] == list(range(count))
    chunks = [-(-len(each) // chunk) for each in found]
    assert max(chunks) - min(chunks) <= 1
    assert all(each.start % chunk == 0 for each in found)


def test_pairs_need_shards_that_follow_each_other() -> None:
    cloud = torch.ones(4, 2)
    with pytest.raises(pt.ParameterError, match=r"overlap or leave gaps.*particles 0 to 3 of 8"):
        pt.Partition(reduce=lambda x: 2 * x).everyone(cloud)


def test_what_shards_cannot_do_is_said() -> None:
    cloud = PROBLEM["start"](range(4))
    sharded = pt.Partition(reduce=lambda x: x)
    calls: list[tuple[Callable[[], object], str]] = [
        (lambda: pt.spans(103, 8, 14), "14 shards for 103 particles in 13 chunks of 8.*at most 13 shards"),
        (lambda: pt.spans(103, 8, 0), "each is at least 1"),
        (lambda: pt.ShardGroup(2, 2, "file:///nowhere"), "found rank 2 of 2"),
        (lambda: pt.ShardGroup(0, 2, "http://nowhere"), "expected file://PATH or tcp://HOST:PORT"),
        (lambda: pt.couple(PROBLEM["RISK"], cloud, [2], step_size=0.1, steps=1, partition=sharded), "use one shard"),
        (lambda: sharded.minimum(cloud[:, 0]), "both reduce and least"),
        (lambda: pt.wasserstein(cloud, cloud, shards=(sharded, None)), "found method 'auto' for clouds on shards"),
    ]
    for make, message in calls:
        with pytest.raises(pt.ParameterError, match=message):
            make()


def test_a_sliced_distance_asks_for_places_and_not_for_clouds() -> None:
    """Nine numbers a particle at a time, places along eight axes and a count, whatever the dimension; the same bits."""
    first, second = (pt.gaussian_cloud(seed, 50, 40) for seed in (1, 2))
    sizes: list[int] = []

    def alone(found: torch.Tensor) -> torch.Tensor:
        sizes.append(len(found))
        return found

    partition = pt.Partition(reduce=alone)
    found = pt.wasserstein(first, second, method="sliced", directions=20, shards=(partition, partition))
    assert found == pt.wasserstein(first, second, method="sliced", directions=20)
    assert max(sizes) == 50 * 9
    assert sum(sizes) == 2 * (50 * (20 + 3) + 3 + 1)  # and the count with each, and whether all are finite


def test_what_one_shard_cannot_measure_none_measures() -> None:
    cloud = PROBLEM["start"](range(4))
    other = pt.Partition(reduce=lambda found: found + 1)  # the other shard says that it has found a NaN
    with pytest.raises(pt.ShapeError, match="found NaN or infinity"):
        pt.wasserstein(cloud, cloud, method="sliced", shards=(other, None))


def test_a_rank_that_leaves_by_an_exception_is_seen_at_once() -> None:
    """Not after the timeout, although its object lives on."""
    store, kept = TCPStore("127.0.0.1", 0, 2, is_master=True, wait_for_workers=False), []

    def rank(number: int) -> str:
        try:
            with pt.ShardGroup(number, 2, f"tcp://127.0.0.1:{store.port}" if number else store, timeout=60.0) as group:
                kept.append(group)
                first = group.total(torch.ones(3))
                first.reshape(2 + number)  # an error of rank 0's own
                group.total(first)
        except RuntimeError as error:
            return str(error)
        return "the sum came back"

    with ThreadPoolExecutor(2) as pool:
        mine, other = pool.map(rank, range(2))
    assert "shape '[2]' is invalid" in mine
    assert "rank 1 of 2 lost the others in a sum of 3 numbers" in other
    assert "Timed out" not in other


def test_ranks_that_nobody_joins_give_up(tmp_path: Path) -> None:
    with pytest.raises(pt.ShardError, match=r"rank 1 of 2 did not meet the others.*within 0\.2 s"):
        pt.ShardGroup(1, 2, f"file://{tmp_path}/meet", timeout=0.2)
