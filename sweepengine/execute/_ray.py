"""Packs on Ray: on a private cluster, or on one that the user names."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sweepengine.execute._events import Event
from sweepengine.execute._executor import HungError, Report, one_thread
from sweepengine.execute._ray_cluster import (
    ClusterError,
    at_a_time,
    blind_nodes,
    cannot_join,
    check_device,
    check_shards,
    divided,
    local_environment,
    reach,
    token,
)
from sweepengine.execute._ray_health import Head, Health, end_leftovers, kill, lost, silence, watched, watched_head
from sweepengine.execute._ray_live import Live, Worker, cause
from sweepengine.execute._ray_shards import advance_sharded, placed, reserve
from sweepengine.execute._signals import LeavingError, asked_to_leave, deferred, interruptible, uninterrupted
from sweepengine.plan import available_cpus
from sweepengine.store import delete_token, write_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sweepengine.execute._task import PackTask
    from sweepengine.options import DeviceName
    from sweepengine.store import SweepStore

_OBJECT_STORE_BYTES = 100 * 2**20
_POLL_SECONDS = 1.0
_END_SECONDS = 10.0
_COUNT_SECONDS = 10.0
_LAST_WORDS_SECONDS = 0.5
"""Time for a worker's last event to reach the driver before the worker ends; Ray sends it beside the program."""


def _advance_pack(task: PackTask) -> Iterator[Event | Worker]:
    ray = importlib.import_module("ray")
    yield Worker(ray.get_runtime_context().get_node_id(), os.getpid())
    from sweepengine.execute._pack import advance

    with one_thread(), interruptible(), asked_to_leave() as is_leaving:
        try:
            yield from (
                advance(task, is_leaving=is_leaving) if task.workers == 1 else advance_sharded(ray, task, is_leaving)
            )
        except LeavingError:
            yield Event(leaving=True)
            time.sleep(_LAST_WORDS_SECONDS)


class RayExecutor:
    """Advances packs as Ray tasks of one CPU each, or of one CPU for each shard.

    Parameters
    ----------
    address : str or None
        Address of a running cluster; None starts a private cluster on this machine's loopback, which :meth:`close`
        stops.
    workers : int or None
        CPUs of the private cluster; None takes every CPU of this machine. A named cluster has the CPUs that it has.
    shards : int
        Workers that advance one task together.
    device : {"auto", "cpu", "cuda"}
        With auto or cuda the cluster's GPUs are divided evenly among its workers. Each of several shards has one whole
        GPU; if there are too few, auto gives them none.

    Raises
    ------
    ClusterError
        Ray already runs in this process, or the cluster cannot be started or reached, or it has fewer CPUs than there
        are shards, or too few GPUs for cuda.
    """

    def __init__(
        self, address: str | None, workers: int | None = None, device: DeviceName = "auto", shards: int = 1
    ) -> None:
        if address is not None:
            reach(address)
        else:
            check_shards(shards, workers or available_cpus())
        self._is_private = address is None
        self._live: dict[Any, Live] = {}
        self._shards, self._starved, self._counted = shards, False, time.monotonic()
        self._ray: Any = None
        self._is_whole = True
        self._health: Health | None = None
        self._watch = ExitStack()
        self._saved_environment = dict(os.environ)
        try:
            with deferred():
                self._ray = self._load()
                self._start(address, workers)
            self._health = Health(self._ray, self._head())
            silence(self._ray)
            self._remote = self._ray.remote(_advance_pack)
            resources = self._ray.cluster_resources()
            cpus, gpus = max(1, int(resources.get("CPU", 1))), resources.get("GPU", 0.0)
            check_shards(shards, cpus)
            check_device(device, gpus, shards)
        except BaseException:
            with uninterrupted():
                self.close()
            raise
        self.workers, self._gpus = divided(cpus, 0.0 if device == "cpu" else gpus, shards)

    def _load(self) -> Any:
        """Import Ray's module, with the settings that a private cluster needs, and return it."""
        loaded = "ray" in sys.modules
        if self._is_private:
            os.environ.update(local_environment())
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # the errors of workers that this driver kills
        ray: Any = importlib.import_module("ray")
        if ray.is_initialized():
            raise ClusterError(
                "Ray already runs in this process; sweepengine does not join a cluster by accident. "
                "Call ray.shutdown() first, or pass its address"
            )
        if self._is_private and loaded and ray.util.get_node_ip_address() != "127.0.0.1":
            raise ClusterError(
                "ray was imported before, with settings that let it listen beyond this machine; import ray after "
                "sweepengine.run, set RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0 before importing it, or use executor='inline'"
            )
        return ray

    def _start(self, address: str | None, workers: int | None) -> None:
        quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": True}
        try:
            if address is None:
                cpus = workers or available_cpus()
                self._watch.enter_context(watched(token()))
                self._ray.init(
                    address="local",
                    num_cpus=cpus,
                    include_dashboard=False,
                    object_store_memory=_OBJECT_STORE_BYTES,
                    _node_ip_address="127.0.0.1",
                    **quiet,
                )
            else:
                self._ray.init(address=address, **quiet)
        except (Exception, SystemExit) as error:
            self._is_whole = False
            if address is not None:
                raise cannot_join(address, error) from error
            what = " ".join(f"{type(error).__name__}: {error}".split())
            raise ClusterError(
                f"a local Ray cannot be started ({what}); run the same command again; --executor inline needs no Ray"
            ) from error

    def _head(self) -> Head | None:
        """The head of a joined cluster, watched from now on; None of a private cluster."""
        if self._is_private:
            return None
        head = Head(self._ray.get_runtime_context().gcs_address)
        self._watch.enter_context(watched_head(head))
        return head

    def check_shared(self, store: SweepStore) -> None:
        """Raise unless every node of the cluster reads what this driver writes.

        Raises
        ------
        ClusterError
            A node does not see the store: its address is a path that is not shared. Or a node does not answer.
        """
        if self._is_private:
            return
        token = write_token(store.objects)
        try:
            blind = blind_nodes(self._ray, store.address, token)
        finally:
            delete_token(store.objects, token)
        if blind:
            raise ClusterError(
                f"store: {store.address} is not the same place on {', '.join(blind)}; "
                "name a --store that every node shares"
            )

    def submit(self, task: PackTask) -> None:
        """Send a task to the cluster. Ray itself never retries it: the driver does, with a higher attempt number."""
        options: dict[str, Any] = {"num_cpus": 1, "num_gpus": self._gpus, "max_retries": 0, "num_returns": "streaming"}
        if task.workers > 1 and not self._gpus:
            # No GPUs are reserved: all shards compute on CPUs, even on a machine that has a GPU.
            task = replace(task, options=replace(task.options, device="cpu"))
        group = reserve(self._ray, task.workers, self._gpus) if task.workers > 1 else None
        if group is not None:
            options["scheduling_strategy"] = placed(self._ray, group, 0)
        if task.names_runs:
            # The worker waits until this driver has read its event, so that the driver knows each run before it starts.
            options["_generator_backpressure_num_objects"] = 1
        self._live[self._remote.options(**options).remote(task)] = Live(task, group)

    def wait(self) -> Iterator[Report]:
        """Yield the reports of the tasks that have something to report, after at most about a second."""
        self._refuse_dead()
        ready, _ = self._ray.wait(list(self._live), num_returns=1, timeout=_POLL_SECONDS, fetch_local=False)
        for generator in ready:
            live = self._live[generator]
            task = live.task
            try:
                said = self._ray.get(next(generator))
            except StopIteration:
                self._forget(generator)
                yield Report(task, Event(), finished=True)
            except Exception as error:  # noqa: BLE001 -- handed to the driver, which retries or reports it
                # The task that raised is about to end. If its reservation went first, Ray would kill it and say so.
                self._ray.wait([generator.completed()], timeout=_END_SECONDS, fetch_local=False)
                self._refuse_dead()
                self._forget(generator)
                yield Report(task, Event(), finished=True, error=cause(self._ray, error))
            else:
                live.heard = time.monotonic()
                if isinstance(said, Worker):
                    live.worker = said
                else:
                    if said.advancing is not None:
                        live.advancing = bool(said.advancing)
                    yield Report(task, said, finished=False)
        yield from self._end_silent()
        yield from self._count()

    def _end_silent(self) -> Iterator[Report]:
        """Kill the workers of tasks whose run has been silent for longer than its timeout, and report these tasks."""
        for generator, live in tuple(self._live.items()):
            timeout, worker = live.task.options.run_timeout, live.worker
            if timeout is None or worker is None or not live.advancing or time.monotonic() - live.heard < timeout:
                continue
            if self._ray.wait([generator], timeout=0, fetch_local=False)[0]:
                continue  # the task has said something that this driver has not read yet
            self._end(generator, worker)
            self._forget(generator)
            yield Report(live.task, Event(), finished=True, error=HungError(f"hung: said nothing for {timeout:g} s"))

    def _end(self, generator: Any, worker: Worker) -> None:
        """Kill a task's worker on its machine: Ray would only ask the process, and a suspended one does not answer."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        there = NodeAffinitySchedulingStrategy(worker.node, soft=False)
        killed = (
            self._ray.remote(num_cpus=0, max_retries=0)(kill).options(scheduling_strategy=there).remote(worker.process)
        )
        self._ray.wait([killed], timeout=_END_SECONDS)
        self._ray.wait([generator.completed()], timeout=_END_SECONDS, fetch_local=False)

    def _count(self) -> Iterator[Report]:
        """Count the workers anew, because clusters grow and shrink; say once that there is room for no more tasks."""
        if time.monotonic() - self._counted < _COUNT_SECONDS or not self._live:
            return
        self._counted = time.monotonic()
        resources = self._ray.cluster_resources()
        cpus, gpus = int(resources.get("CPU", 0)), resources.get("GPU", 0.0)
        self.workers = at_a_time(cpus, gpus, self._shards, self._gpus)
        starved, self._starved = self._starved, self.workers == 0
        if self._starved and not starved:
            wanted = f"{self._shards} CPUs" + (f" and {self._shards * self._gpus:g} GPUs" if self._gpus else "")
            message = (
                f"waiting: the cluster has {cpus} CPUs and {gpus:g} GPUs by now, and a run needs {wanted} at the same "
                "time; add machines, or stop, and run the same command again on another cluster"
            )
            yield Report(next(iter(self._live.values())).task, Event(message=message), finished=False)

    def _forget(self, generator: Any) -> None:
        group = self._live.pop(generator).group
        if group is not None:
            self._ray.util.remove_placement_group(group)

    def close(self) -> None:
        """Cancel the tasks that still run; stop a private cluster, leave any other."""
        with self._watch:
            if self._ray is not None:
                self._stop()
        self._restore_environment()

    def _stop(self) -> None:
        if self._is_whole:
            for generator in self._live:
                self._ray.cancel(generator, force=False)
            for generator in tuple(self._live):
                self._forget(generator)
        self._ray.shutdown()
        if self._is_private and not self._is_whole:
            end_leftovers(token())
            if self._health is not None:
                self._health.end_family()

    def _refuse_dead(self) -> None:
        """Raise if Ray itself has died: nothing that it says afterwards is of use.

        Raises
        ------
        ClusterError
        """
        trouble = "" if self._health is None else self._health.trouble()
        if trouble:
            self._is_whole = False
            raise ClusterError(lost(trouble))

    def _restore_environment(self) -> None:
        for name in set(os.environ) - set(self._saved_environment):
            del os.environ[name]
        os.environ.update(self._saved_environment)
