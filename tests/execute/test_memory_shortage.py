"""Too little memory: of a device, the host, or a machine that ends its workers; a pack goes on in smaller turns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import sweepengine
from sweepengine.execute._executor import LowMemoryError
from sweepengine.execute._make_turn import make_turn
from sweepengine.execute._memory import is_out_of_memory
from sweepengine.execute._tasks import MOST_ATTEMPTS, Tasks
from sweepengine.options import RunOptions
from sweepengine.plan import MachineRate, make_plan
from sweepengine.spec import make_spec
from sweepengine.store import SweepStore
from tests.support.progress import Said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Tiny = Callable[..., dict[str, Any]]


def short_of_memory(monkeypatch: pytest.MonkeyPatch, most: int, error: Exception, steps: int) -> list[int]:
    """Have turns of more runs than `most` fail after some steps; return the sizes of turns as they begin."""
    sizes: list[int] = []

    def limited(runs: list[Any], *args: Any, **options: Any) -> Any:
        turn: Any = make_turn(runs, *args, **options)
        sizes.append(len(runs))
        advance = turn.advance

        def failing() -> Iterator[Any]:
            for number, record in enumerate(advance()):
                if len(runs) > most and number >= steps:
                    raise error
                yield record

        turn.advance = failing
        return turn

    monkeypatch.setattr("sweepengine.execute._chunk_job.make_turn", limited)
    return sizes


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        MemoryError("Unable to allocate 2 GiB for an array"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory"),
    ],
)
@pytest.mark.parametrize("steps", [0, 7])
def test_a_turn_that_finds_too_little_memory_is_halved(
    tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch, error: Exception, steps: int
) -> None:
    spec = tiny(axes={"width": [8], "scaling": ["ntk"], "seed": 8})
    sweepengine.run(spec, tmp_path / "whole.zarr", executor="inline")
    sizes = short_of_memory(monkeypatch, 2, error, steps)
    said = Said()
    outcome = sweepengine.run(spec, tmp_path / "short.zarr", executor="inline", runs_per_turn=8, progress=said)
    assert (outcome.done, outcome.failed) == (8, 0)
    assert sizes == [8, 4, 2, 2, 2, 2]
    assert [line for line in "\n".join(said.lines).splitlines() if "out of memory" in line] == [
        "out of memory with 8 runs in a turn; they start again, at most 4 in a turn",
        "out of memory with 4 runs in a turn; they start again, at most 2 in a turn",
    ]
    found, expected = (sweepengine.open_sweep(tmp_path / f"{name}.zarr").load() for name in ("short", "whole"))
    np.testing.assert_allclose(found.kernel, expected.kernel, rtol=1e-10, atol=1e-12)


def test_later_turns_of_a_chunk_are_as_small(tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = tiny(axes={"width": [8], "scaling": ["ntk"], "seed": 8})
    sizes = short_of_memory(monkeypatch, 2, MemoryError(), 0)
    sweepengine.run(spec, tmp_path / "short.zarr", executor="inline", runs_per_turn=4)
    assert sizes == [4, 2, 2, 2, 2]


def test_one_run_that_finds_too_little_memory_has_failed(
    tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tiny(axes={"width": [8], "scaling": ["ntk"], "seed": 2})
    sizes = short_of_memory(monkeypatch, 0, torch.OutOfMemoryError("CUDA out of memory"), 3)
    outcome = sweepengine.run(spec, tmp_path / "short.zarr", executor="inline", runs_per_turn=2)
    assert (outcome.done, outcome.failed) == (0, 2)
    assert sizes == [2, 1, 1]


def test_other_errors_do_not_make_turns_smaller(tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    sizes = short_of_memory(monkeypatch, 0, RuntimeError("a fault of the run"), 3)
    spec = tiny(axes={"width": [8], "scaling": ["ntk"], "seed": 2})
    outcome = sweepengine.run(spec, tmp_path / "short.zarr", executor="inline", runs_per_turn=2)
    assert (outcome.failed, sizes) == (2, [2])


def test_a_pack_whose_machine_was_short_goes_on_one_run_at_a_time(tmp_path: Path, tiny: Tiny) -> None:
    store = SweepStore(tmp_path / "tiny.zarr")
    store.claim()
    plan = make_plan(make_spec(tiny(axes={"width": [8], "scaling": ["ntk"], "seed": 4})), store)
    store.extend(plan.spec, plan.data, plan.new_blocks, plan.predictions(), plan.code, plan.given, plan.references, "")
    plan = plan.refreshed(store)
    tasks = Tasks(plan, store, RunOptions(runs_per_turn=4), lambda _: None)
    [pack] = plan.packs(MachineRate.measure("float64"))
    [second] = tasks.after(tasks.of(pack), LowMemoryError("1 worker(s) were killed"))
    assert (second.is_short, second.careful, second.takes_runs_singly) == (True, False, True)
    [third] = tasks.after(second, RuntimeError("the worker died"))
    assert (third.is_short, third.careful) == (True, True)
    assert tasks.after(third, LowMemoryError("1 worker(s) were killed")) == []  # no more than any other fault
    store.release()
    assert not replace(third, is_short=False, careful=False).takes_runs_singly


WITHOUT_MEMORY = """
import json, os, sys
# Ray takes the memory of the machine to be used up, whatever is used.
os.environ |= {"RAY_memory_usage_threshold": "0.0", "RAY_memory_monitor_refresh_ms": "100"}
import sweepengine
from tests.support.progress import Said

said = Said()
outcome = sweepengine.run(json.loads(sys.argv[1]), "short.zarr", workers=1, progress=said)
print(json.dumps([outcome.failed, said.lines]))
"""


def test_a_machine_without_memory_ends_a_sweep_and_not_its_patience(tmp_path: Path, tiny: Tiny) -> None:
    """Ray itself would start such a task again for ever."""
    spec = tiny(axes={"width": [8], "scaling": ["ntk"], "seed": 1})
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))}
    found = subprocess.run(
        [sys.executable, "-c", WITHOUT_MEMORY, json.dumps(spec)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    failed, said = json.loads(found.stdout.splitlines()[-1])
    assert failed == 1
    attempts = [line for line in said if "attempt" in line]
    assert len(attempts) == MOST_ATTEMPTS - 1
    assert all(
        "LowMemoryError: 1 worker(s) were killed due to the node running low on memory" in line for line in attempts
    )
