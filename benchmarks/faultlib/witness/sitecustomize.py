"""What every Python process of a stage imports at its start: workers tell what they compute and what they commit.

Lines of JSON go to the file that `FAULTS_WITNESS` names; `faultlib/recomputed.py` reads them. Nothing else is changed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib.abc import MetaPathFinder
from importlib.util import find_spec
from itertools import count
from typing import Any

_TASKS = "sweepengine.execute._pack"
"""The module that makes a task's writers, which alone take records and commit."""
_numbers = count()


def _tell(**what: Any) -> None:
    opened = os.open(os.environ["FAULTS_WITNESS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(opened, (json.dumps(what) + "\n").encode())  # one write: whole, whoever else writes
    finally:
        os.close(opened)


def watch(tasks: Any) -> None:
    """Have the writers of a task tell."""

    class Writer(tasks.ChunkWriter):  # type: ignore[misc]  # of the product under test
        def __init__(self, *arguments: Any) -> None:
            self.ids: dict[int, str] = {}
            self.task, self.begun = f"{os.getpid()}-{next(_numbers)}", time.monotonic()
            super().__init__(*arguments)

        def record(self, position: int, record: int, values: Any) -> None:
            super().record(position, record, values)
            _tell(task=self.task, begun=self.begun, run=self.ids[position], record=record)

        def commit(self, *arguments: Any, **options: Any) -> None:
            super().commit(*arguments, **options)
            done = {name: self.run(position).records_done for position, name in self.ids.items()}
            _tell(task=self.task, committed=time.monotonic(), runs=done)

    class Job(tasks.ChunkJob):  # type: ignore[misc]
        def __init__(self, writer: Writer, store: Any, runs: Any, *others: Any) -> None:
            super().__init__(writer, store, runs, *others)
            writer.ids = {position: run.id for position, run in runs.items()}

    tasks.ChunkWriter, tasks.ChunkJob = Writer, Job


class _Witness(MetaPathFinder):
    def find_spec(self, name: str, *_: Any) -> Any:
        if name != _TASKS:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_watched(module: Any) -> None:
                execute(module)
                watch(module)

            spec.loader.exec_module = execute_watched  # type: ignore[method-assign]
        return spec


if "FAULTS_WITNESS" in os.environ:
    sys.meta_path.insert(0, _Witness())
