"""The driver: from a spec to a finished store."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sweepengine.errors import SpecError, StoreError
from sweepengine.execute._device import pick_device
from sweepengine.execute._executor import InlineExecutor
from sweepengine.execute._failures import Failures
from sweepengine.execute._progress import SilentProgress, ToldProgress
from sweepengine.execute._signals import interruptible, uninterrupted
from sweepengine.execute._tasks import Tasks
from sweepengine.execute._trial import try_users_code
from sweepengine.options import RunOptions
from sweepengine.plan import Machine, MachineRate, available_cpus, make_plan
from sweepengine.spec import as_spec
from sweepengine.store import Status, SweepStore, is_of_this_process, unwritable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any, Self

    from sweepengine.execute._events import Event
    from sweepengine.execute._executor import Executor
    from sweepengine.execute._progress import Progress
    from sweepengine.plan import Pack, Plan
    from sweepengine.spec import AnySpec


RESULTS = "results"
"""Folder of stores that the user gives no place."""


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
        Runs that were done or diverged in the store before this call.
    done, diverged, failed : int
        Runs of the sweep that are done, diverged or failed now, whichever call computed them.
    """

    store: str
    runs: int
    skipped: int
    done: int
    diverged: int
    failed: int


def store_address(spec: AnySpec, store: str | Path | None = None, folder: str | None = None) -> str | Path:
    """Return where a sweep's store is: at the address that the user names, or in a folder under the sweep's name.

    Parameters
    ----------
    spec : AnySpec
    store : str or Path, optional
        The address, which ends in ``.zarr``.
    folder : str, optional
        The folder of ``<name>.zarr``, a path or URL; :data:`RESULTS` where not given.

    Raises
    ------
    StoreError
        Both are given.
    """
    if store and folder:
        raise StoreError(f"store: found both --store {store} and --store-dir {folder}; leave one of them out")
    folder = folder or RESULTS
    return store or f"{folder}{'' if folder.endswith('/') else '/'}{spec.name}.zarr"


class Session:
    """Sweeps that are run one after the other on one executor, which the first sweep with missing runs starts.

    Use it as a context manager, which ends the executor.

    Parameters
    ----------
    **options
        How to run: the attributes of :class:`sweepengine.options.RunOptions` by name.

    Raises
    ------
    SpecError
        An option is unknown, or has a value that is not allowed.
    """

    def __init__(self, **options: Any) -> None:
        self._options = RunOptions.of(options)
        self._executor: Executor | None = None
        self._shards = 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def run(
        self,
        spec: AnySpec | Mapping[str, Any] | str | Path,
        store: str | Path | None = None,
        *,
        progress: Progress | None = None,
        reason: str = "",
    ) -> Outcome:
        """Compute the missing runs of a spec's axes; see :func:`sweepengine.run`.

        The store keeps the reason, where there is one, beside the spec.
        """
        spec, how = as_spec(spec), self._options
        if how.cuda_graphs and (unlike := spec.unlike_steps()):
            raise SpecError(f"cuda_graphs: found {unlike}, whose steps are not recorded; leave cuda_graphs out")
        sweep_store = SweepStore(store_address(spec, store), durability=how.durability)
        if is_of_this_process(sweep_store.address) and how.executor == "ray":
            raise StoreError(
                f"store: {sweep_store.address} lives in this process only; use executor 'inline' or a path"
            )
        shown = progress or SilentProgress()
        try:
            with interruptible():
                plan = self.plan_of(spec, sweep_store)
                self._say_failed(plan, shown)
                return _Driver(plan, sweep_store, how, shown, self).run(reason)
        finally:
            shown.stop()

    def plan_of(self, spec: AnySpec, store: SweepStore) -> Plan:
        """The plan of what the options ask for: all runs of a spec, or those that have failed before."""
        # Of a cluster the memory is not known before it is joined.
        machine = Machine.here() if self._options.address is None else Machine(available_cpus(), memory=None)
        plan = make_plan(spec, store, machine)
        return plan.of_failed() if self._options.retry_failed else plan

    def _say_failed(self, plan: Plan, progress: Progress) -> None:
        """Say what happens to the runs that have failed before."""
        count = f"{len(plan.failed)} runs" if len(plan.failed) != 1 else "1 run"
        if self._options.retry_failed:
            progress.say(f"failed before: {count}; nothing else is computed")
        elif plan.failed:
            progress.say(f"failed before: {count}, tried again with all that is missing; --retry-failed tries no other")

    def executor_for(self, spec: AnySpec) -> Executor:
        """The executor, started if needed. Raises if this machine or cluster cannot do what the spec asks for."""
        if spec.matmul != "full" and self._options.address is None:
            from sweepengine.networks import matmul_precision  # imports torch, which a driver of Ray needs only here

            with matmul_precision(spec.matmul, pick_device(self._options.device)):
                pass
        if self._executor is not None and self._shards != spec.workers_of_a_run:
            self.close()
        if self._executor is None:
            self._shards = spec.workers_of_a_run
            self._executor = self._start()
        return self._executor

    def _start(self) -> Executor:
        if self._options.executor == "inline":
            if self._options.device == "cuda":
                pick_device("cuda")
            return InlineExecutor()
        from sweepengine.execute._ray import RayExecutor

        return RayExecutor(self._options.address, self._options.workers, self._options.device, self._shards)

    def close(self) -> None:
        """End the executor and what still runs on it; a later sweep starts another one."""
        if self._executor is not None:
            with uninterrupted():
                self._executor.close()
                self._executor = None


class _Driver:
    """One call of :meth:`Session.run`."""

    def __init__(
        self, plan: Plan, store: SweepStore, options: RunOptions, progress: Progress, session: Session
    ) -> None:
        self._plan, self._store, self._options, self._session = plan, store, options, session
        self._progress = ToldProgress(progress, store.tell)
        self._before = {run.id for run in plan.runs} - {run.id for run in plan.unfinished()}
        self._failures = Failures(progress)

    def run(self, reason: str = "") -> Outcome:
        """Compute the missing runs; a store that lacks none is only read."""
        if self._plan.runs and (self._plan.missing() or self._store.troubles):
            self._complete(reason)
        return self._outcome()

    def _complete(self, reason: str) -> None:
        """Compute the missing runs, and put back what the store has lost of its metadata."""
        self._store.must_be_free(take_over=self._options.take_over)  # before Ray takes its seconds to start
        try_users_code(self._plan)
        # Before anything is written: a missing cluster leaves no trace.
        executor = self._session.executor_for(self._plan.spec)
        try:
            if self._store.claim(take_over=self._options.take_over):
                self._plan = self._session.plan_of(self._plan.spec, self._store)
            self._store.mend()
            if self._plan.runs:  # else another driver has just computed the only runs that were asked for
                self._extend(reason)
                executor.check_shared(self._store)
                self._work(executor)
            self._store.must_be_held()  # raises if the store was removed or taken over
        except BaseException as error:
            self._session.close()  # before the store is released, because tasks may still write
            if isinstance(error, OSError) and not isinstance(error, StoreError):
                raise unwritable(self._store.address, error) from error
            raise
        finally:
            with uninterrupted():
                self._store.release()
                self._store.clear_removed()

    def _extend(self, reason: str) -> None:
        plan = self._plan
        self._store.extend(
            plan.spec,
            plan.data,
            plan.new_blocks,
            plan.predictions(),
            plan.code,
            plan.given,
            plan.references,
            reason,
        )

    def _outcome(self) -> Outcome:
        """Return how the runs stand in the store, from what is committed."""
        statuses = self._plan.statuses()
        return Outcome(
            store=self._store.address,
            runs=len(statuses),
            skipped=len(self._before),
            done=statuses.count(Status.DONE),
            diverged=statuses.count(Status.DIVERGED),
            failed=statuses.count(Status.FAILED),
        )

    def _work(self, executor: Executor) -> None:
        rate = MachineRate.measure(self._plan.spec.precision)
        tasks = Tasks(self._plan, self._store, self._options, self._count)
        missing, tried = {run.id for run in self._plan.missing()}, set[str]()
        # Additions are computed once the runs have ended to which they belong. Runs whose chunk turned out to be
        # damaged on the way start again.
        while ready := {run.id for run in self._plan.ready()} - tried:
            if damaged := ready - missing:
                self._progress.say(f"damaged: {len(damaged)} runs did not match their marks and are computed again")
            self._advance(executor, tasks, list(self._plan.packs(rate, only=ready)))
            self._plan, tried = self._plan.refreshed(self._store), tried | ready

    def _advance(self, executor: Executor, tasks: Tasks, packs: list[Pack]) -> None:
        records = sum(len(run.record_steps) for pack in packs for run in pack.runs.values())
        records -= sum(start.records for pack in packs for start in pack.starts.values())  # these are there already
        self._progress.start(
            sum(len(pack.runs) for pack in packs), records, len(packs), sum(pack.seconds for pack in packs)
        )
        seconds = {pack.block: pack.seconds / (len(pack.runs) * pack.shape.records) for pack in packs}
        waiting = iter(packs)
        live = 0
        while True:
            # A window of tasks keeps every worker busy and the driver small.
            while live < 2 * executor.workers and (pack := next(waiting, None)) is not None:
                executor.submit(tasks.of(pack))
                live += 1
            if not live:
                self._failures.say_rest()
                return
            for report in executor.wait():
                of_record = seconds.get(report.task.block, 0.0)  # of a block to which runs were moved it is not known
                self._count(replace(report.event, seconds=report.event.records * of_record))
                tasks.hear(report.task, report.event)
                if not report.finished:
                    continue
                again = tasks.after(report.task, report.error)
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
