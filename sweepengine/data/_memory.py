"""Refusing arrays that do not fit into memory, before any memory is taken."""

from __future__ import annotations

import math
import os
from pathlib import Path

from sweepengine.errors import DataError

_SYSTEM = Path("/proc/meminfo")
_CONTAINER = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def available_memory() -> float:
    """Bytes of memory that this process could still take; infinite where the system does not say."""
    limits = [math.inf]
    if _SYSTEM.exists():
        fields = dict(line.split(":", 1) for line in _SYSTEM.read_text().splitlines())
        limits.append(1024 * int(fields["MemAvailable"].split()[0]))
    elif "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    limits += [int(text) for path in _CONTAINER if path.exists() and (text := path.read_text().strip()).isdigit()]
    return min(limits)


def refuse_more_than_memory(what: str, need: int, remedy: str) -> None:
    """Raise :class:`DataError` where arrays of ``need`` bytes would not fit into memory; none is taken before."""
    free = available_memory()
    if need > free:
        raise DataError(f"{what} takes {need / 1e9:.3g} GB, and {free / 1e9:.3g} GB of memory are free; {remedy}")
