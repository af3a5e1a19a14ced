"""The machine or cluster for which a sweep is planned, and what the sweep takes of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweepengine.amounts import parse_bytes
from sweepengine.errors import SpecError
from sweepengine.plan._cost import available_cpus, machine_memory, sweep_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Machine:
    """What there is to compute with.

    Attributes
    ----------
    cpus : int
        CPUs, one for each task at work or for each shard of one.
    memory : int or None
        Bytes that a worker may take; None where nothing is known, and nothing is refused.
    gpus : int
    is_here : bool
        Whether it is the machine that plans.
    """

    cpus: int
    memory: int | None
    gpus: int = 0
    is_here: bool = False

    @classmethod
    def here(cls) -> Machine:
        """The machine that plans; each of its workers may take all of its memory."""
        return cls(available_cpus(), machine_memory(), is_here=True)


def machine_of(cpus: int | None = None, memory: str | None = None, gpus: int | None = None) -> Machine:
    """The cluster that a user describes; this machine where nothing is said.

    Parameters
    ----------
    cpus : int, optional
        CPUs of the cluster; as many as this machine has where only others are given.
    memory : str, optional
        Memory of each worker with its unit, such as ``8GB``; unknown where only others are given.
    gpus : int, optional
        GPUs of the cluster.

    Raises
    ------
    SpecError
        The memory is no number of bytes.
    """
    if cpus is None and memory is None and gpus is None:
        return Machine.here()
    each = None if memory is None else parse_bytes(memory, "memory")
    return Machine(cpus or available_cpus(), each, gpus or 0)


@dataclass(frozen=True)
class Estimate:
    """What the missing runs of a sweep take on a machine, at the pace of this machine's CPUs.

    Attributes
    ----------
    workers : int
        Tasks that the machine runs at the same time.
    seconds : float
        Time until the last task has ended, with the start-up.
    work_hours : float
        CPU-hours that the tasks compute.
    cpu_hours, gpu_hours : float
        Hours that the machine's CPUs and GPUs are held, at work or not.
    """

    workers: int
    seconds: float
    work_hours: float
    cpu_hours: float
    gpu_hours: float


def estimate(pack_seconds: Sequence[float], machine: Machine, shards: int) -> Estimate:
    """Estimate what packs take on a machine; GPUs count as held, and as no faster than CPUs.

    Parameters
    ----------
    pack_seconds : sequence of float
        Estimated seconds of each pack.
    machine : Machine
    shards : int
        CPUs that advance one run together.

    Raises
    ------
    SpecError
        The machine has fewer CPUs than there are shards.
    """
    if machine.cpus < shards:
        raise SpecError(f"shards: found {shards}, and there are {machine.cpus} CPUs, one for each; take fewer shards")
    workers = machine.cpus // shards
    seconds = sweep_seconds(list(pack_seconds), workers)
    work = math.fsum(pack_seconds) * shards
    return Estimate(workers, seconds, work / 3600, machine.cpus * seconds / 3600, machine.gpus * seconds / 3600)
