"""What a plan refuses: more runs, memory or disk than there may be."""

from __future__ import annotations

import math
import shutil
from typing import TYPE_CHECKING

from sweepengine.amounts import show_bytes
from sweepengine.errors import SpecError
from sweepengine.store import local_folder

if TYPE_CHECKING:
    from sweepengine.plan._machine import Machine
    from sweepengine.spec import AnySpec

MOST_RUNS = 200_000


def refuse_too_many(spec: AnySpec) -> None:
    count = math.prod(len(values) for values in spec.axes.model_dump(exclude_none=True).values())
    if count > MOST_RUNS:
        raise SpecError(
            f"axes: they give {count} runs, more than the {MOST_RUNS} that one sweep may have; shorten an axis, "
            "or divide the sweep"
        )


def refuse_states_of_shards(spec: AnySpec) -> None:
    """Raise :class:`SpecError` where the last states of runs are to be kept that several workers share."""
    if spec.keep_states and spec.workers_of_a_run > 1:
        raise SpecError(
            "keep_states: found true with shards, whose parts of a state are not kept; leave one of them out"
        )


def refuse_more_than_the_memory(need: int, machine: Machine) -> None:
    """Raise :class:`SpecError` if a worker of the machine has too little memory for a run."""
    if machine.memory is not None and need > machine.memory:
        has = "this machine has" if machine.is_here else "a worker has"
        raise SpecError(
            f"axes.width: the largest run needs {show_bytes(need)}, {has} {show_bytes(machine.memory)}; take smaller "
            "widths, fewer points or fewer records"
        )


def refuse_more_than_the_disk(need: int, address: str) -> None:
    """Raise :class:`SpecError` if a local disk has too little space for the missing runs without compression."""
    place = local_folder(address)
    if place is None:
        return
    folder = next(path for path in place.parents if path.exists())
    free = shutil.disk_usage(folder).free
    if need > free:
        raise SpecError(
            f"axes: the sweep would write up to {need / 1e9:.3g} GB and the disk of {address} has {free / 1e9:.3g} GB "
            "free; take fewer records or snapshots, fewer observables, smaller widths or fewer seeds, or name another "
            "--store"
        )
