"""The missing runs of one chunk: computed in turns, and committed."""

from __future__ import annotations

import json
import time
import traceback
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from sweepengine.execute._device import GPU_RUNS_PER_TURN
from sweepengine.execute._events import Event, Failure
from sweepengine.execute._make_turn import make_turn
from sweepengine.execute._memory import PeakMemory, is_out_of_memory
from sweepengine.execute._pace import pace
from sweepengine.execute._scope import matmul_of, within
from sweepengine.execute._shards import Order, Shards
from sweepengine.execute._signals import LeavingError
from sweepengine.particles import StepLimitError
from sweepengine.spec import run_from_json
from sweepengine.store import (
    ChunkWriter,
    Status,
    StoredRuns,
    TaskBeat,
    bind_code,
    read_start,
    write_failure,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from numpy.typing import NDArray
    from zarr.abc.store import Store

    from sweepengine.execute._data import Data, Turn
    from sweepengine.execute._task import PackTask
    from sweepengine.spec import AnyRun
    from sweepengine.store import Start

    Events = Generator[Event, None, Event]


_BESIDE_BYTES = 100_000_000
"""Bytes that a chunk may take which is held until it is written, beside the chunk that is computed meanwhile."""


class ChunkJob:
    """Computes the missing runs of one chunk, in turns, and commits them."""

    def __init__(
        self,
        writer: ChunkWriter,
        store: Store,
        runs: dict[int, AnyRun],
        data: Data,
        task: PackTask,
        memory: PeakMemory,
        shards: Shards,
        beat: TaskBeat,
        is_leaving: Callable[[], bool],
    ) -> None:
        self._beat, self._is_leaving = beat, is_leaving
        self._writer, self._store, self._data, self._task, self._memory = writer, store, data, task, memory
        self._runs, self._shards, self._options = runs, shards, task.options
        self._stored = StoredRuns(store, task.nodes, task.beside)
        self._tried: set[int] = set()
        self._is_bound = False
        self._untold, self._size = 0, 1
        self._last_commit = time.monotonic()

    def events(self) -> Generator[Event, None, None]:
        """Compute the chunk: first the runs that a saved state continues, then the others in turns."""
        for position, names in self._writer.damaged.items():
            yield self._damaged((position,), f"stored {', '.join(names)}")
        for positions in tuple(self._writer.state_refs()):
            refs = self._writer.state_refs().get(positions)
            if refs is None or (self._task.takes_runs_singly and len(positions) > 1):
                continue  # the state is no longer needed, or it holds several runs and the task takes them singly
            self._shards.order(Order.STATE, positions[0])
            state = self._writer.read_state(refs)
            if state is None:
                yield self._damaged(positions, "state")
            elif self._fits(positions, state):
                yield from self._turn(positions, state)
        for position in self._runs.keys() & self._task.starts.keys() - self._tried:
            if not self._writer.run(position).records_done:
                yield from self._go_on(position, self._task.starts[position])
        waiting = [p for p in sorted(self._runs) if not (p in self._tried or self._writer.run(p).status.is_final)]
        # Users' code sees one network at a time.
        shared = not self._task.code.used
        alone = self._task.takes_runs_singly or self._task.keep_states
        together = shared and not alone and all(run.shares_turns for run in self._runs.values())
        usual = 1 if self._data.x_train.device.type == "cpu" else GPU_RUNS_PER_TURN
        self._size = (self._options.runs_per_turn or usual) if together else 1
        yield from self._turns(waiting)
        if self._task.names_runs:
            yield Event(advancing=())
        yield from self._commit_last()
        self._beat.committed()

    def _commit_last(self) -> Iterator[Event]:
        """Commit for the last time; while a far store takes its time, the executor may advance another task."""
        if self._shards.size > 1 or self._task.shape.held_bytes() > _BESIDE_BYTES:
            self._writer.commit(last=True)
            return
        commit = self._writer.begin_last_commit()
        try:
            if not commit.done():
                yield Event(committing=True)
        finally:
            commit.result()

    def _commit(self, positions: tuple[int, ...] = (), state: Mapping[str, NDArray[np.generic]] | None = None) -> None:
        self._writer.commit(positions, state)
        self._beat.committed()
        self._last_commit = time.monotonic()

    def _damaged(self, positions: tuple[int, ...], what: str) -> Event:
        """Return an event that names those of the damaged runs that this task has; the driver finds the others."""
        named = ", ".join(self._runs[position].id for position in positions if position in self._runs)
        message = f"damaged: the {what} of run {named} does not match its mark; computed again from t = 0"
        return Event(message=message if named else "")

    def _fits(self, positions: tuple[int, ...], state: Mapping[str, NDArray[np.generic]]) -> bool:
        """Return whether a state fits: the task has its undiverged runs, each with as many committed records."""
        if "code" in state and not self._task.code.has_made(str(state["code"])):
            return False  # users' code has changed since
        alive = [p for p, step in zip(positions, state["diverged_step"], strict=True) if step < 0]
        return bool(alive) and all(
            p in self._runs and self._writer.run(p).records_done == int(state["due"]) for p in alive
        )

    def _go_on(self, position: int, start: Start) -> Iterator[Event]:
        """Compute a run from the end of a shorter one: its records are taken over, as if it stopped there."""
        read, run = read_start(self._store, self._task.nodes, start), self._runs[position]
        if read is None:
            yield Event(message=f"damaged: what was kept of run {run.id}; computed again from t = 0")
            return
        state, records = read
        self._writer.restart(position)
        for index, values in enumerate(records):
            self._writer.record(position, index, values)
        yield from self._turn((position,), state | {"due": np.array(start.records)} | self._maker([run]))

    def _turns(self, positions: list[int]) -> Iterator[Event]:
        """Compute runs from t = 0, as many in a turn as the size of turns then allows: it shrinks on the way."""
        while positions:
            now, positions = positions[: self._size], positions[self._size :]
            yield from self._turn(tuple(now), None)
            if self._task.careful:
                self._commit()  # the next run may stop this worker

    def _turn(self, positions: tuple[int, ...], state: Mapping[str, NDArray[np.generic]] | None) -> Iterator[Event]:
        if self._is_leaving():
            self._commit()
            raise LeavingError("asked to end between two turns")
        self._tried |= set(positions)
        if self._task.names_runs:
            yield Event(advancing=positions)
        if state is None:
            runs = [self._runs[position] for position in positions]
            for position in positions:
                self._writer.restart(position)
            self._shards.order(Order.BEGIN, positions[0])
        else:
            self._shards.order(Order.RESUME, positions[0])
            # The runs are those of the state: a run that has diverged is among them, and the task has it no longer.
            runs = [run_from_json(content) for content in json.loads(str(state["runs"]))]
        short: list[int] = []
        try:
            yield from within(partial(matmul_of, runs[0], self._data), self._train(positions, runs, state))
        except (ArithmeticError, ValueError, RuntimeError, MemoryError) as error:
            # A run's own failure is data. A store that cannot be written (OSError) or a takeover is no run's failure.
            if self._shards.size > 1 and not isinstance(error, StepLimitError):
                raise  # this worker alone has failed, and the others cannot go on without it
            left = [p for p in positions if not self._writer.run(p).status.is_final]
            if len(left) > 1 and is_out_of_memory(error):
                short = left
            else:
                yield self._told() + self._failed(left, error)
        if short:  # out of the handler, whose error holds on to the arrays of the turn
            yield from self._in_smaller_turns(short)

    def _failed(self, positions: list[int], error: Exception) -> Event:
        """Record runs as failed, by the error that is being handled."""
        text = traceback.format_exc()
        for position in positions:
            self._writer.finish(position, Status.FAILED)
            write_failure(self._store, self._task.block, position, text, self._writer.attempt)
        reason = f"{type(error).__name__}: {error}"
        return Event(failures=tuple(Failure(1, f"run {self._runs[p].id}", reason) for p in positions))

    def _in_smaller_turns(self, positions: list[int]) -> Iterator[Event]:
        """Advance the runs of a turn that found too little memory again from t = 0, half of them at a time."""
        import torch  # imported here, so that a driver need not wait for it

        self._size = half = (len(positions) + 1) // 2
        torch.cuda.empty_cache()  # nothing where CUDA is not in use
        message = f"out of memory with {len(positions)} runs in a turn; they start again, at most {half} in a turn"
        yield self._told() + Event(message=message)
        yield from self._turns(positions)

    def _train(
        self, positions: tuple[int, ...], runs: list[AnyRun], state: Mapping[str, NDArray[np.generic]] | None
    ) -> Events:
        """Train a turn and take its records; return the last event."""
        graphs = self._options.cuda_graphs
        turn = make_turn(runs, self._data, state, self._task.shape, self._shards, cuda_graphs=graphs)
        told = {position for position, step in zip(positions, turn.diverged_step, strict=True) if step >= 0}
        steps, yielded, beat = 0, time.monotonic(), pace(self._options.run_timeout)
        for record in turn.advance():
            steps += record is None
            if record is not None:
                yield from self._tell_diverged(positions, turn, told)
                written = [
                    (p, values) for p, values in zip(positions, record.values, strict=True) if values is not None
                ]
                for position, values in written:
                    self._stored.compare(position, record.index, values)
                    self._writer.record(position, record.index, values)
                self._untold += len(written)
                self._beat.records += len(written)
            now = time.monotonic()
            if now >= self._beat.due:
                self._beat.put(self._writer.chunk, self._writer.attempt, positions)
            # To yield takes as long as a step of a small network.
            if now - yielded >= beat and (self._untold or self._options.run_timeout is not None):
                yield self._told()
                yielded = now
            is_leaving = self._is_leaving()
            if is_leaving or now - self._last_commit >= self._options.commit_seconds:
                state = turn.state() | self._maker(runs)
                yield from self._tell_diverged(positions, turn, told)  # turn.state() may have detected a divergence
                if len(told) == len(positions):
                    break  # no run would continue from the state
                self._commit(positions, state)
                if is_leaving:
                    yield self._told()
                    raise LeavingError("asked to end in a turn")
            else:
                self._shards.order(Order.STEP)
        yield from self._tell_diverged(positions, turn, told)
        last: Mapping[str, NDArray[np.generic]] = {}
        if self._task.keep_states and len(told) < len(positions):
            last = turn.state() | self._maker(runs)
            yield from self._tell_diverged(positions, turn, told)  # turn.state() may have detected a divergence
        alive = [position for position in positions if position not in told]
        self._bind_code()
        for position in alive:
            self._finish(position, Status.DONE)
            if self._task.keep_states:
                self._writer.keep(position, last)
        return self._told() + Event(done=len(alive), message=self._shards.report(steps))

    def _told(self) -> Event:
        """The records that no event has told yet."""
        records, self._untold = self._untold, 0
        return Event(records=records)

    def _maker(self, runs: list[AnyRun]) -> dict[str, NDArray[np.generic]]:
        """Arrays of a state that say which runs it continues, and which users' code has made it."""
        code = {"code": np.array(self._task.code.tag())} if self._task.code.used else {}
        return {"runs": np.array(json.dumps([run.to_json() for run in runs])), **code}

    def _bind_code(self) -> None:
        """Bind the store to users' code, once, before the first run that this code has finished is committed."""
        if not self._is_bound:
            bind_code(self._store, self._task.code)
            self._is_bound = True

    def _finish(self, position: int, status: Status, diverged_step: int = -1) -> None:
        """Say how a run ended; an addition must end as its run did."""
        beside = self._stored.end(position, status, self._writer.run(position).records_done, diverged_step)
        peak = self._memory.bytes()
        self._writer.finish(position, status, diverged_step=diverged_step, peak_memory=peak, beside=beside)

    def _tell_diverged(self, positions: tuple[int, ...], turn: Turn, told: set[int]) -> Iterator[Event]:
        for position, step in zip(positions, turn.diverged_step, strict=True):
            if step >= 0 and position not in told:
                told.add(position)
                self._bind_code()
                self._finish(position, Status.DIVERGED, int(step))
                run = self._runs[position]
                where = f"run {run.id} ({run.scaling}, width {run.width}, seed {run.seed}) at step {step}"
                yield Event(diverged=1, message=f"diverged: {where}")
