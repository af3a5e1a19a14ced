"""The driver: from a spec to a finished store."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

from sweepengine.errors import RunError, SpecError, StoreError
from sweepengine.execute._device import DeviceName, pick_device
from sweepengine.execute._events import Event, Failure
from sweepengine.execute._executor import HungError, InlineExecutor
from sweepengine.execute._failures import Failures
from sweepengine.execute._progress import SilentProgress
from sweepengine.execute._signals import interruptible, uninterrupted
from sweepengine.execute._task import PackTask
from sweepengine.execute._trial import try_users_code
from sweepengine.plan import MachineRate, make_plan
from sweepengine.plugins import install, read_plugin
from sweepengine.spec import ParticleSpec, SweepSpec, make_spec, read_spec, run_from_json
from sweepengine.store import (
    BlockShape,
    HeldError,
    Status,
    SupersededError,
    SweepStore,
    fail_chunk,
    unwritable,
    write_failure,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from sweepengine.execute._executor import Executor
    from sweepengine.execute._progress import Progress
    from sweepengine.plan import Pack, Plan
    from sweepengine.spec import AnySpec
    from sweepengine.store import Nodes

MOST_ATTEMPTS = 3
"""How often a pack is tried whose worker dies for no run in particular, before its runs are recorded as failed. In the last
attempt the driver knows the run that is advanced, so that this run alone is recorded as failed."""
MOST_TRIES = 300
"""Attempts at a pack, with those after a run of it was recorded as failed."""

ExecutorName = Literal["ray", "inline"]
Durability = Literal["rename", "fsync"]


@dataclass(frozen=True)
class Outcome:
    """How a sweep ended.

    Attributes
    ----------
    store : str
        Address of the store.
    runs : int
        Runs of the sweep.
    skipped : int
        Those that the store had already.
    done, diverged, failed : int
        How the sweep's runs stand now, whichever call computed them.
    """

    store: str
    runs: int
    skipped: int
    done: int
    diverged: int
    failed: int


@dataclass(frozen=True)
class RunOptions:
    """How to run, none of which changes a result beyond rounding.

    Attributes
    ----------
    executor : {"ray", "inline"}
    address : str or None
        A running Ray cluster; None starts a private one.
    workers : int or None
        Tasks at the same time on a private cluster; None takes every CPU.
    runs_per_turn : int or None
        Runs advanced together in batched products; 1 keeps a run's bits whatever pack it is in. None: 1 on a CPU.
    commit_seconds : float
        Longest time between two commits.
    device : {"auto", "cpu", "cuda"}
        Where tasks compute.
    cuda_graphs : bool
        Whether steps of networks are recorded as CUDA graphs and replayed; with device ``cuda``.
    take_over : bool
        Whether this driver takes the store from a driver that still holds it.
    run_timeout : float or None
        Seconds after which a run that has said nothing is recorded as failed, with the executor ``ray``; None: never.
    durability : {"rename", "fsync"}
        What a commit survives: any killed process, or a power cut too.

    Raises
    ------
    SpecError
        An option has a value that it cannot have, or two options exclude each other.
    """

    executor: ExecutorName = "ray"
    address: str | None = None
    workers: int | None = None
    runs_per_turn: int | None = None
    commit_seconds: float = 10.0
    device: DeviceName = "auto"
    cuda_graphs: bool = False
    take_over: bool = False
    run_timeout: float | None = None
    durability: Durability = "rename"

    def __post_init__(self) -> None:
        for name, found, allowed in (
            ("executor", self.executor, get_args(ExecutorName)),
            ("device", self.device, get_args(DeviceName)),
            ("durability", self.durability, get_args(Durability)),
        ):
            if found not in allowed:
                raise SpecError(f"{name}: found {found!r}; allowed: {', '.join(map(repr, allowed))}")
        for name, for_ray in (
            ("workers", self.workers),
            ("address", self.address),
            ("run_timeout", self.run_timeout),
        ):
            if for_ray is not None and self.executor != "ray":
                raise SpecError(f"{name}: goes with the executor 'ray' only; leave one of them out")
        for name, number in (("workers", self.workers), ("runs_per_turn", self.runs_per_turn)):
            if number is not None and not (isinstance(number, int) and number > 0):
                raise SpecError(f"{name}: found {number}; expected a whole number from 1 on")
        for name, seconds in (("commit_seconds", self.commit_seconds), ("run_timeout", self.run_timeout)):
            if seconds is not None and not seconds > 0:
                raise SpecError(f"{name}: found {seconds}; expected a number of seconds above 0")
        if self.cuda_graphs and self.device != "cuda":
            raise SpecError(f"cuda_graphs: found device {self.device!r}; set device 'cuda', or leave cuda_graphs out")


def refuse_unlike_steps(spec: AnySpec) -> None:
    """Raise for a sweep whose steps cannot be recorded once and replayed.

    Raises
    ------
    SpecError
    """
    if not isinstance(spec, SweepSpec):
        found = "particles"
    elif spec.network.model is not None:
        found = f"network.model {spec.network.model!r}"
    elif not spec.training.method.method().shares_steps:
        found = f"training.method {spec.method_label}"
    else:
        return
    raise SpecError(f"cuda_graphs: found {found}, whose steps are not recorded; leave cuda_graphs out")


def default_store(spec: AnySpec) -> str:
    """Where a sweep goes when nobody says: ``results/<name>.zarr``."""
    return f"results/{spec.name}.zarr"


def run(
    spec: AnySpec | Mapping[str, Any] | str | Path,
    store: str | Path | None = None,
    *,
    executor: ExecutorName = "ray",
    address: str | None = None,
    workers: int | None = None,
    runs_per_turn: int | None = None,
    commit_seconds: float = 10.0,
    device: DeviceName = "auto",
    cuda_graphs: bool = False,
    take_over: bool = False,
    run_timeout: float | None = None,
    durability: Durability = "rename",
    plugins: Sequence[str | Path] = (),
    progress: Progress | None = None,
) -> Outcome:
    """Run a sweep, or what is missing of it.

    Parameters
    ----------
    spec : SweepSpec, ParticleSpec, mapping, or path of a YAML file
    store : str or Path, optional
        Local path or URL ending in ``.zarr``; ``results/<name>.zarr`` where not given.
    executor : {"ray", "inline"}
        Ray, or this process (for debugging); the numbers are the same to the bit.
    address : str, optional
        A running Ray cluster. Without it a private one is started and stopped.
    workers : int, optional
        Tasks at the same time on a private cluster; every CPU where not given.
    runs_per_turn : int, optional
        Runs advanced together in batched products. 1, the fastest and the default on a CPU, keeps a run's bits whatever
        pack it is in; more gives the same numbers to rounding.
    commit_seconds : float
        Longest time between two commits: what a killed sweep loses at most.
    device : {"auto", "cpu", "cuda"}
        Where tasks compute; auto takes GPUs where there are some. Another device gives the same numbers to rounding.
    cuda_graphs : bool
        With device ``cuda``: record a step of networks once as a CUDA graph and replay it between records, where all steps
        are alike (gd, momentum on all points, heun, rk4; no models of one's own). What is replayed is compared with the
        step itself first. Never run on a GPU so far.
    take_over : bool
        Take the store from a driver that still holds it; that driver stops.
    run_timeout : float, optional
        With the executor ``ray``: seconds after which a run that has said nothing is stopped and recorded as failed.
    durability : {"rename", "fsync"}
        ``rename``: a commit survives any killed process. ``fsync``: it survives a power cut too, and takes longer.
    plugins : sequence of str or Path
        Files of user code, executed here and on the workers before anything else; their top level registers models and
        observables, which the spec may then name. What was registered in this process before needs no file.
    progress : Progress, optional
        Shows how it goes; nothing is shown where not given.

    Returns
    -------
    Outcome

    Raises
    ------
    SpecError, DataError, StoreError
        The sweep cannot be run as asked, or a plugin raised; nothing has been created.
    RunError
        There is no such device or cluster, it does not multiply as asked, or another driver has taken over.
    """
    for path in plugins:
        install(read_plugin(path))
    if not isinstance(spec, SweepSpec | ParticleSpec):
        spec = read_spec(spec) if not hasattr(spec, "keys") else make_spec(spec)  # type: ignore[arg-type]
    options = RunOptions(
        executor,
        address,
        workers,
        runs_per_turn,
        commit_seconds,
        device,
        cuda_graphs,
        take_over,
        run_timeout,
        durability,
    )
    if cuda_graphs:
        refuse_unlike_steps(spec)
    sweep_store = SweepStore(store or default_store(spec), durability=durability)
    if sweep_store.address.startswith("memory://") and executor == "ray":
        raise StoreError(f"store: {sweep_store.address} lives in this process only; use executor 'inline' or a path")
    shown = progress or SilentProgress()
    try:
        with interruptible():
            return _Driver(make_plan(spec, sweep_store), sweep_store, options, shown).run()
    finally:
        shown.stop()


class _Driver:
    """One call of :func:`run`."""

    def __init__(self, plan: Plan, store: SweepStore, options: RunOptions, progress: Progress) -> None:
        self._plan, self._store, self._options, self._progress = plan, store, options, progress
        self._before = {run.id for run in plan.runs} - {run.id for run in plan.missing()}
        self._tries: dict[tuple[str, int], int] = {}
        self._packs: dict[tuple[str, int], _PackHistory] = {}
        self._failures = Failures(progress)

    def run(self) -> Outcome:
        """Do what is missing; a store that lacks nothing is only read."""
        if self._plan.missing() or self._store.troubles:
            try_users_code(self._plan)
            executor = self._start_executor()  # before anything is written: a cluster that is not there leaves no trace
            try:
                if self._store.claim(take_over=self._options.take_over):
                    self._plan = make_plan(self._plan.spec, self._store)
                self._store.mend()
                plan = self._plan
                self._store.extend(plan.spec, plan.data, plan.new_blocks, plan.predictions(), plan.code, plan.given)
                executor.check_shared(self._store)
                self._work(executor)
            except (StoreError, RunError):
                raise
            except OSError as error:
                raise unwritable(self._store.address, error) from error
            finally:
                with uninterrupted():
                    executor.close()
                    self._store.release()
        return self._outcome()

    def _outcome(self) -> Outcome:
        """How the runs stand, read from what is committed."""
        statuses = self._plan.refreshed(self._store).statuses()
        return Outcome(
            store=self._store.address,
            runs=len(statuses),
            skipped=len(self._before),
            done=statuses.count(Status.DONE),
            diverged=statuses.count(Status.DIVERGED),
            failed=statuses.count(Status.FAILED),
        )

    def _start_executor(self) -> Executor:
        """The executor; what this machine cannot do is said before anything is written."""
        if self._plan.spec.matmul != "full" and self._options.address is None:
            from sweepengine.networks import matmul_precision  # with torch, which a driver of Ray has no other need of

            with matmul_precision(self._plan.spec.matmul, pick_device(self._options.device)):
                pass
        if self._options.executor == "inline":
            if self._options.device == "cuda":
                pick_device("cuda")
            return InlineExecutor()
        from sweepengine.execute._ray import RayExecutor

        return RayExecutor(self._options.address, self._options.workers, self._options.device, self._shards)

    def _work(self, executor: Executor) -> None:
        rate = MachineRate.measure(self._plan.spec.precision)
        self._advance(executor, list(self._plan.packs(rate)))
        # A run whose chunk was found damaged on the way starts again; its own pack is made here.
        found = self._plan.refreshed(self._store)
        damaged = {run.id for run in found.missing()} - {run.id for run in self._plan.missing()}
        if damaged:
            self._progress.say(f"damaged: {len(damaged)} runs did not match their marks and are computed again")
            self._advance(executor, list(found.packs(rate, only=damaged)))

    def _advance(self, executor: Executor, packs: list[Pack]) -> None:
        records = sum(len(run.record_steps) for pack in packs for run in pack.runs.values())
        self._progress.start(sum(len(pack.runs) for pack in packs), records, len(packs))
        waiting = iter(packs)
        live = 0
        while True:
            # A window of tasks keeps every worker busy and the driver small.
            while live < 2 * executor.workers and (pack := next(waiting, None)) is not None:
                executor.submit(self._task(pack))
                live += 1
            if not live:
                self._failures.say_rest()
                return
            for report in executor.wait():
                self._count(report.event)
                if report.event.advancing is not None:
                    self._history(report.task).advancing = report.event.advancing
                if not report.finished:
                    continue
                again = self._after(report.task, report.error)
                live += len(again) - 1
                for task in again:
                    executor.submit(task)
                if not again:
                    self._progress.pack_finished()

    def _count(self, event: Event) -> None:
        self._progress.update(event)
        self._failures.add(event.failures)
        if event.message:
            self._progress.say(event.message)

    def _task(self, pack: Pack) -> PackTask:
        return PackTask(
            address=self._store.address,
            block=pack.block,
            shape=pack.shape.to_json(),
            chunks=pack.chunks,
            runs={position: run.to_json() for position, run in pack.runs.items()},
            attempts=self._attempts(pack.block, pack.chunks),
            nodes=self._nodes(pack.block),
            runs_per_turn=self._options.runs_per_turn,
            commit_seconds=self._options.commit_seconds,
            device=self._options.device,
            code=self._plan.code,
            shards=self._shards,
            cuda_graphs=self._options.cuda_graphs,
            durability=self._options.durability,
            run_timeout=self._options.run_timeout,
        )

    def _history(self, task: PackTask) -> _PackHistory:
        return self._packs.setdefault((task.block, task.chunks[0]), _PackHistory())

    @property
    def _shards(self) -> int:
        """Workers of one run; the in-process executor is one worker, and computes the same to rounding."""
        spec = self._plan.spec
        return spec.shards if isinstance(spec, ParticleSpec) else 1

    def _nodes(self, block: str) -> Nodes:
        """What the runs of a block read and write of the store."""
        return self._store.nodes_of(block, self._plan.data.id, self._plan.given)

    def _attempts(self, block: str, chunks: tuple[int, ...]) -> dict[int, int]:
        """Attempt numbers for the next try of some chunks."""
        attempts = {}
        for chunk in chunks:
            self._tries[block, chunk] = self._tries.get((block, chunk), 0) + 1
            attempts[chunk] = self._store.attempt(self._tries[block, chunk])
        return attempts

    def _after(self, task: PackTask, error: Exception | None) -> list[PackTask]:
        """What is to be done once a task is over: the tasks that take over from it."""
        if error is None:
            return []
        if isinstance(error, SupersededError):
            raise RunError(f"store: {error}; let the other driver finish, then run this again") from error
        if isinstance(error, HeldError):
            return self._elsewhere(task, error)
        if isinstance(error, StoreError):
            raise RunError(f"store: {self._store.address}: {str(error).removeprefix('store: ')}") from error
        history = self._history(task)
        suspects, history.advancing = history.advancing, ()
        hung = isinstance(error, HungError)
        if len(suspects) == 1 and (task.careful or hung):
            reason = str(error) if hung else f"its worker stopped while the run was advanced: {_said(error)}"
            return self._without(task, suspects[0], reason, error)
        history.stops += 1
        if history.stops < MOST_ATTEMPTS:
            self._progress.say(
                f"block {task.block}: its worker stopped ({_said(error)}); attempt {history.stops + 1} of {MOST_ATTEMPTS}"
            )
            return [self._again(task, careful=hung or history.stops + 1 == MOST_ATTEMPTS)]
        if isinstance(error, OSError):  # which is no run's fault
            raise error
        self._give_up(task, tuple(task.runs), _said(error), error)
        return []

    def _again(self, task: PackTask, *, careful: bool) -> PackTask:
        return replace(task, attempts=self._attempts(task.block, task.chunks), careful=careful)

    def _elsewhere(self, task: PackTask, error: HeldError) -> list[PackTask]:
        """Move the runs of a chunk that somebody may still write into, and go on with them and with the other chunks."""
        self._progress.say(f"{error}; its runs go on in a new block")
        first, stop = BlockShape.from_json(task.shape).chunk_span(error.chunk)
        place = self._store.relocate(error.block, error.chunk)
        moved = replace(
            task,
            block=place.block,
            shape=place.shape.to_json(),
            chunks=(0,),
            runs={position - first: run for position, run in task.runs.items() if first <= position < stop},
            attempts=self._attempts(place.block, (0,)),
            nodes=self._nodes(place.block),
        )
        others = tuple(chunk for chunk in task.chunks if chunk != error.chunk)
        if not others:
            return [moved]
        runs = {position: run for position, run in task.runs.items() if not first <= position < stop}
        return [moved, replace(task, chunks=others, runs=runs, attempts=self._attempts(task.block, others))]

    def _without(self, task: PackTask, position: int, reason: str, error: Exception) -> list[PackTask]:
        """Record the run that stopped its worker as failed; the other runs of its pack go on."""
        others = self._give_up(task, (position,), reason, error)
        if self._tries[task.block, task.chunks[0]] < MOST_TRIES:
            return [self._again(other, careful=task.careful) for other in others]
        for other in others:
            self._give_up(other, tuple(other.runs), f"{MOST_TRIES} attempts at the pack, the last: {reason}", error)
        return []

    def _give_up(self, task: PackTask, positions: tuple[int, ...], reason: str, error: Exception) -> list[PackTask]:
        """Record those of some runs of a pack that are unfinished as failed; give the tasks of the pack's other runs."""
        shape, failed, left = BlockShape.from_json(task.shape), 0, list(positions)
        for chunk in task.chunks:
            first, stop = shape.chunk_span(chunk)
            here = [position for position in left if first <= position < stop]
            if not here:
                continue
            try:
                (attempt,) = self._attempts(task.block, (chunk,)).values()
                failed += fail_chunk(self._store.place(task.block, shape, chunk), attempt, here)
            except HeldError as held:
                moved, *rest = self._elsewhere(task, held)
                others = tuple(position for position in left if position not in here)
                tasks = self._give_up(moved, tuple(position - first for position in here), reason, error)
                return [*tasks, *(each for other in rest for each in self._give_up(other, others, reason, error))]
            for position in here:
                text = "".join(traceback.format_exception(error)) + reason
                write_failure(self._store.objects, task.block, position, text)
                left.remove(position)
        if failed:
            one = len(positions) == 1
            named = (
                f"run {run_from_json(task.runs[positions[0]]).id}" if one else f"{failed} runs of block {task.block}"
            )
            self._count(Event(failures=(Failure(failed, named, reason),)))
        runs = {position: run for position, run in task.runs.items() if position not in positions}
        return [replace(task, runs=runs)] if runs else []


@dataclass
class _PackHistory:
    """What the driver knows of a pack.

    Attributes
    ----------
    stops : int
        How often its worker stopped and nobody knows for which run.
    advancing : tuple of int
        Positions of the runs that are advanced at present, where the task names them.
    """

    stops: int = 0
    advancing: tuple[int, ...] = ()


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
