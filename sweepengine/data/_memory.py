"""How much memory there is for arrays that a spec or a file claims to have."""

from __future__ import annotations

import math
import os
from pathlib import Path

from sweepengine.errors import DataError

_SYSTEM = Path("/proc/meminfo")
_CONTAINER = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def available_memory() -> float:
    """Bytes that this process could still take, as far as the system tells; infinite where it does not."""
    limits = [math.inf]
    if _SYSTEM.exists():
        fields = dict(line.split(":", 1) for line in _SYSTEM.read_text().splitlines())
        limits.append(1024 * int(fields["MemAvailable"].split()[0]))
    elif "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    limits += [int(text) for path in _CONTAINER if path.exists() and (text := path.read_text().strip()).isdigit()]
    return min(limits)


def refuse_more_than_memory(what: str, need: int, remedy: str) -> None:
    """Raise :class:`DataError` for arrays of ``need`` bytes where there is less memory, before any is taken."""
    free = available_memory()
    if need > free:
        raise DataError(f"{what} takes {need / 1e9:.3g} GB, and {free / 1e9:.3g} GB of memory are free; {remedy}")
