"""``ds.sweep`` for every Dataset: xarray is told once, when the first sweep is opened."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Final

import xarray as xr

if TYPE_CHECKING:
    from collections.abc import Callable

NAME: Final = "sweep"
_ACCESSOR: Final = "sweepengine.analysis._accessor:SweepAccessor"
"""A reference, because the analysis lies above the store; it is loaded when it is first used."""


def _made(dataset: xr.Dataset) -> Any:
    accessor: Callable[[xr.Dataset], Any] = resolve_name(_ACCESSOR)
    return accessor(dataset)


xr.register_dataset_accessor(NAME)(_made)  # type: ignore[no-untyped-call]
