"""What stores hold, as tests compare it, and values to write into them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import sweepengine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest
    import xarray as xr

    from sweepengine.store import BlockShape


def finished(tiny: Callable[..., dict[str, Any]], folder: Path, **changes: Any) -> Path:
    store = folder / "tiny.zarr"
    sweepengine.run(tiny(**changes), store, executor="inline")
    return store


def numbers(store: str | Path) -> xr.Dataset:
    """All that must not depend on how often a sweep was stopped; what its tasks took of memory does."""
    return sweepengine.open_sweep(store).load().drop_attrs().drop_vars("peak_memory")


def some_values(shape: BlockShape, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {v.name: rng.standard_normal(shape.array_shape(v)[2:]) for v in shape.variables}


def numbers_wherever(store: str | Path) -> xr.Dataset:
    """What must be the same wherever and whenever a run was computed; a run that was moved lies elsewhere."""
    opened = sweepengine.open_sweep(store).load().drop_attrs()
    return opened.drop_vars(["peak_memory", "block", "position"])


def cut_chunks(monkeypatch: pytest.MonkeyPatch, **limits: int) -> None:
    """Have small sweeps cut into chunks as large ones are, by other limits of the layout."""
    for name, limit in limits.items():
        monkeypatch.setattr(f"sweepengine.store._layout.{name}", limit)
