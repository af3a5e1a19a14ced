"""Where numbers come from: versions and machine, kept with every spec that wrote to a store."""

from __future__ import annotations

import datetime as dt
import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_PACKAGES = ("sweepengine", "torch", "numpy", "scipy", "scikit-learn", "ray", "zarr", "xarray", "dask")


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def provenance() -> dict[str, Any]:
    """Versions, machine and time, as plain values."""
    return {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "versions": {package: _version(package) for package in _PACKAGES},
    }
