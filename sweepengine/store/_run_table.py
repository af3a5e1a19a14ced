"""The table of runs: where each lies, and every axis. Written by the driver alone.

It is the one thing that grows. Its arrays have chunks of a fixed number of rows, so longer contents are written into
the same chunks first and the longer shapes are published with the root in one step: a reader sees the old length or
the new, and old rows never change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from sweepengine.spec import ParticleRun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from zarr.abc.store import Store

    from sweepengine.spec import AnyRun
    from sweepengine.store._layout import Block
    from sweepengine.store._metadata import Metadata

_CHUNK_ROWS = 4096
COLUMNS: dict[str, tuple[Any, Any, str]] = {
    "id": (str, "", "run id: hash of the run's canonical content"),
    "block": (str, "", "block that holds the run"),
    "position": ("int64", -1, "position along the run dim of its block"),
    "scaling": (str, "", "label of the scaling"),
    "gamma": ("float64", np.nan, "exponent of the output scaling m^-gamma"),
    "alpha": ("float64", np.nan, "lazy output scale"),
    "width": ("int64", -1, "hidden width m"),
    "depth": ("int64", -1, "hidden layers L"),
    "activation": (str, "", "activation function"),
    "seed": ("int64", -1, "seed of all random numbers of the run"),
    "limit": (str, "", "id of the infinite-width prediction for the run's architecture, data and schedule"),
    "step_size": (
        "float64",
        np.nan,
        "step eta in units of training time; for an adaptive method the grid of the records",
    ),
}
"""Column → dtype, fill value, long name."""
COLUMNS_OF_PARTICLES: dict[str, tuple[Any, Any, str]] = {
    "temperature": ("float64", np.nan, "temperature tau of the noise"),
}
"""What a sweep of particles has beside them."""

STORE_FILES = 7 + 2 * (4 + len(COLUMNS))
"""Files of a store beside its blocks: the root, five groups and the claim; the data's four arrays and the table's columns."""


@dataclass(frozen=True)
class RunTable:
    """The table as eager columns.

    Attributes
    ----------
    columns : dict of ndarray, shapes (runs,)
        Keyed by :data:`COLUMNS`, and :data:`COLUMNS_OF_PARTICLES` in a sweep of particles; text columns have dtype object.
    """

    columns: dict[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.columns["id"])

    def places(self) -> dict[str, tuple[str, int]]:
        """Run id → (block, position)."""
        rows = zip(self.columns["id"], self.columns["block"], self.columns["position"], strict=True)
        return {str(run): (str(block), int(position)) for run, block, position in rows}

    def names(self) -> dict[tuple[str, int], str]:
        """(block, position) → the run's id and axes, for people."""
        shown = ("id", "scaling", "width", "seed", "block", "position")
        rows = zip(*(self.columns[name].tolist() for name in shown), strict=True)
        return {
            (block, position): f"run {run} ({scaling}, width {width}, seed {seed})"
            for run, scaling, width, seed, block, position in rows
        }

    def blocks(self) -> list[str]:
        """Blocks in the order of the table."""
        return list(dict.fromkeys(str(block) for block in self.columns["block"]))


def columns_of(run: AnyRun) -> dict[str, tuple[Any, Any, str]]:
    """The columns that a run's kind of sweep has."""
    return COLUMNS | (COLUMNS_OF_PARTICLES if isinstance(run, ParticleRun) else {})


def rows_of(block: Block) -> dict[str, list[Any]]:
    """The table's columns for the runs of one block."""
    rows: dict[str, list[Any]] = {name: [] for name in columns_of(block.runs[0])}
    for position, run in enumerate(block.runs):
        values = {
            "id": run.id,
            "block": block.id,
            "position": position,
            "scaling": run.scaling,
            "gamma": run.gamma,
            "alpha": run.alpha,
            "width": run.width,
            "depth": run.depth,
            "activation": run.activation,
            "seed": run.seed,
            "limit": run.limit_id,
            "step_size": run.step_size,
        }
        if isinstance(run, ParticleRun):
            values["temperature"] = run.temperature
        for name, value in values.items():
            rows[name].append(value)
    return rows


def read_table(root: zarr.Group) -> RunTable:
    """Read the table of an opened store."""
    columns = {}
    for name in (*COLUMNS, *(name for name in COLUMNS_OF_PARTICLES if f"runs/{name}" in root)):
        array = root[f"runs/{name}"]
        if not isinstance(array, zarr.Array):
            raise TypeError(f"runs/{name} is a group")
        columns[name] = np.asarray(array[...])
    return RunTable(columns)


def extend_table(store: Store, metadata: Metadata, table: RunTable | None, blocks: Sequence[Block]) -> None:
    """Add the runs of new blocks at the table's end; seen by readers once ``metadata`` is published."""
    if not blocks:
        return
    added = [rows_of(block) for block in blocks]
    if table is None:
        metadata.group("runs", {"title": "runs of this sweep, with the place of each"})
    for name, (dtype, fill, long_name) in columns_of(blocks[0].runs[0]).items():
        values = np.array([value for rows in added for value in rows[name]], dtype=object if dtype is str else dtype)
        path = f"runs/{name}"
        if table is None:
            attributes = {"long_name": long_name}
            metadata.array(
                path, values.shape, (_CHUNK_ROWS,), dtype, fill, dims=("run",), attributes=attributes, data=values
            )
        else:
            array = zarr.open_array(store, path=path, mode="r+")
            array.resize((len(table) + len(values),))
            array[len(table) :] = values
            metadata.adopt(path, array)
