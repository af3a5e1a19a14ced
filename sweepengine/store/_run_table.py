"""The table of runs: where each run lies, and every axis. Written by the driver alone.

Every publication that changes the table writes all of it anew, below the publication's own name, so a reader sees the
old table or the new one, and no driver can touch the table of another.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from sweepengine.spec import Column, further_columns, kind_of
from sweepengine.store._layout import ADDS_TO, LONGER_THAN

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from numpy.typing import NDArray
    from zarr.abc.store import Store

    from sweepengine.spec import AnySpec
    from sweepengine.store._layout import Block
    from sweepengine.store._metadata import Metadata
    from sweepengine.store._publication import Publication

_CHUNK_ROWS = 4096
COLUMNS: dict[str, Column] = {
    "id": Column(str, "", "run id: hash of the run's canonical content"),
    "block": Column(str, "", "block that holds the run"),
    "position": Column("int64", -1, "position along the run dim of its block"),
    "scaling": Column(str, "", "label of the scaling"),
    "gamma": Column("float64", np.nan, "exponent of the output scaling m^-gamma"),
    "alpha": Column("float64", np.nan, "lazy output scale"),
    "width": Column("int64", -1, "hidden width m"),
    "depth": Column("int64", -1, "hidden layers L"),
    "activation": Column(str, "", "activation function, or name and version of a user's own model"),
    "seed": Column("int64", -1, "seed of all random numbers of the run"),
    "limit": Column(str, "", "id of the infinite-width prediction for the run's architecture, data and schedule"),
    "step_size": Column(
        "float64", np.nan, "step eta in units of training time; for an adaptive method the grid of the records"
    ),
}
"""Columns that the tables of all kinds of sweeps have."""
_EXTENSIONS = {
    ADDS_TO: Column(str, "", "id of the run to which these further observables belong; empty for a run"),
    LONGER_THAN: Column(str, "", "id of the run that this one is at an earlier time; empty where there is none"),
}

DATA_FILES = 1 + 2 * 4
"""Number of files of a set of data: its group, and two for each of four arrays."""
STORE_FILES = 8 + DATA_FILES + 2 * len(COLUMNS)
"""Number of files of a store beside its blocks: the root, its publication, the claim and five groups; one set of data;
two for each of the table's columns."""


@dataclass(frozen=True)
class RunTable:
    """The table of runs, in memory.

    Attributes
    ----------
    columns : dict of ndarray, shapes (runs,)
        Keyed by :data:`COLUMNS` and the columns of the kind of sweep; text columns have dtype object.
    """

    columns: dict[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.columns["id"])

    @cached_property
    def bases(self) -> NDArray[Any]:
        """For each row the id of the run to which an addition belongs; empty for the row of a run."""
        return self.columns.get(ADDS_TO, np.full(len(self), "", dtype=object))

    @cached_property
    def adds_to(self) -> dict[str, str]:
        """Id of each addition → id of the run to which it belongs."""
        return self._links(ADDS_TO)

    @cached_property
    def longer_than(self) -> dict[str, str]:
        """Run id → id of the run that it is at an earlier time."""
        return self._links(LONGER_THAN)

    def _links(self, column: str) -> dict[str, str]:
        rows = zip(self.columns["id"], self.columns.get(column, ()), strict=column in self.columns)
        return {str(run): str(other) for run, other in rows if other}

    def without(self, hidden: Collection[str]) -> RunTable:
        """The table without some runs and their additions, and without the column :data:`LONGER_THAN`."""
        pairs = zip(self.columns["id"], self.bases, strict=True)
        shown = np.array([run not in hidden and base not in hidden for run, base in pairs], dtype=bool)
        return RunTable({name: column[shown] for name, column in self.columns.items() if name != LONGER_THAN})

    def of_runs(self) -> RunTable:
        """The table of the runs alone, without the rows of additions."""
        own = self.bases == ""
        return RunTable({name: column[own] for name, column in self.columns.items() if name != ADDS_TO})

    def additions(self) -> dict[str, list[tuple[str, int]]]:
        """Run id → (block, position) of each of its additions, the oldest first; empty if there are none."""
        places: dict[str, list[tuple[str, int]]] = {}
        for base, block, position in zip(self.bases, self.columns["block"], self.columns["position"], strict=True):
            if base:
                places.setdefault(str(base), []).append((str(block), int(position)))
        return places

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

    def labels(self, specs: Iterable[Mapping[str, Any]]) -> dict[tuple[str, int], tuple[str, dict[str, Any]]]:
        """(block, position) → the run's id, and its values along the axes that one of some specs sweeps.

        The specs are plain values. A NaN, which stands for no value, is None.
        """
        listed = [spec.get("axes") or {} for spec in specs]
        names = {name for axes in listed for name, values in axes.items() if values is not None}
        axes = [name for name in self.columns if name in names]
        rows = zip(*(self.columns[name].tolist() for name in ("id", "block", "position", *axes)), strict=True)
        return {
            (block, position): (
                run,
                {axis: None if value != value else value for axis, value in zip(axes, values, strict=True)},
            )
            for run, block, position, *values in rows
        }

    def moved(self, block: str, span: tuple[int, int], to: str) -> RunTable:
        """The table after the runs of a block's span have moved to the beginning of another block; rows keep order."""
        columns = {name: column.copy() for name, column in self.columns.items()}
        position = self.columns["position"]
        rows = (self.columns["block"] == block) & (span[0] <= position) & (position < span[1])
        columns["block"] = np.array(
            [to if here else name for here, name in zip(rows, columns["block"], strict=True)], dtype=object
        )
        columns["position"][rows] -= span[0]
        return RunTable(columns)

    def segments(self) -> list[tuple[str, int, int]]:
        """Stretches of rows that lie together in a block: block, first position, first position after the stretch."""
        return stretches(zip(self.columns["block"].tolist(), self.columns["position"].tolist(), strict=True))

    @cached_property
    def positions(self) -> dict[str, list[int]]:
        """Block → positions of the runs that lie in it."""
        positions: dict[str, list[int]] = {}
        for block, position in zip(self.columns["block"].tolist(), self.columns["position"].tolist(), strict=True):
            positions.setdefault(block, []).append(position)
        return positions

    def blocks(self) -> list[str]:
        """Blocks in the order of the table."""
        return list(self.positions)


def stretches(places: Iterable[tuple[str, int]]) -> list[tuple[str, int, int]]:
    """Places that follow each other in a block, as block, first position, first position after the stretch."""
    found: list[tuple[str, int, int]] = []
    for block, position in places:
        if found and found[-1][0] == block and found[-1][2] == position:
            found[-1] = (block, found[-1][1], position + 1)
        else:
            found.append((block, position, position + 1))
    return found


def column_of(name: str) -> Column:
    """The column of a name, of any table."""
    return (COLUMNS | further_columns() | _EXTENSIONS)[name]


def rows_of(block: Block, names: Collection[str]) -> dict[str, list[Any]]:
    """The named columns of the table for the runs of one block."""
    rows: dict[str, list[Any]] = {name: [] for name in names}
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
            ADDS_TO: block.adds_to[position] if block.adds_to else "",
            LONGER_THAN: block.longer_than[position] if block.longer_than else "",
        } | run.further_columns
        for name, column in rows.items():
            column.append(values[name] if name in values else block.axes[name])
    return rows


def _names(block: Block) -> tuple[str, ...]:
    """Names of the table's columns for a block's kind of sweep."""
    return (*COLUMNS, *kind_of(block.runs[0]).columns)


def read_table(store: Store, publication: Publication) -> RunTable:
    """Read the table of a publication.

    Raises
    ------
    StoreError
        The table is not what was written.
    """
    nodes, path = publication.nodes, publication.table
    extra = [name for name in (*further_columns(), *_EXTENSIONS) if f"{path}/{name}" in nodes]
    names = (*COLUMNS, *extra)
    return RunTable(dict(zip(names, nodes.values_of_each(store, [f"{path}/{name}" for name in names]), strict=True)))


def new_columns(table: RunTable | None, spec: AnySpec, before: Sequence[AnySpec]) -> dict[str, Any]:
    """The columns that a table lacks for what a spec sweeps.

    Parameters
    ----------
    table : RunTable or None
    spec : AnySpec
    before : sequence of AnySpec
        The newest spec that has written to the store, if there is one.

    Returns
    -------
    dict
        Axis → value of its setting in the rows that the table has. No spec has swept it, so they all have one value.
    """
    have = COLUMNS.keys() if table is None else table.columns.keys()
    new = [axis for axis in spec.swept if axis in kind_of(spec).swept_columns and axis not in have]
    values = before[-1].values_of_axes() if before else {}
    return {axis: values.get(axis) for axis in new}


def extended(table: RunTable | None, blocks: Sequence[Block], swept: Mapping[str, Any]) -> RunTable:
    """A table with the runs of new blocks at its end.

    Parameters
    ----------
    table : RunTable or None
    blocks : sequence of Block
    swept : mapping
        As :func:`new_columns` gives them.
    """
    columns = {} if table is None else table.columns
    asked = {
        ADDS_TO: any(block.adds_to for block in blocks),
        LONGER_THAN: any(block.longer_than for block in blocks),
    }
    new = [name for name, is_asked in asked.items() if is_asked]
    names = dict.fromkeys((*(columns or _names(blocks[0])), *swept, *new))
    added = [rows_of(block, names) for block in blocks]
    joined = {}
    for name in names:
        values = _column(name, [value for rows in added for value in rows[name]])
        before = columns.get(name)
        if before is None and table is not None:
            before = _column(name, [swept.get(name)] * len(table))
        joined[name] = values if before is None else np.concatenate([before, values])
    return RunTable(joined)


def _column(name: str, values: Sequence[Any]) -> NDArray[Any]:
    """A column of the table; None stands for the column's fill value."""
    dtype, fill, _ = column_of(name)
    return np.array([fill if value is None else value for value in values], dtype=object if dtype is str else dtype)


def write_table(metadata: Metadata, path: str, table: RunTable) -> None:
    """Write a whole table at a path of its own; the tables of other publications are not touched."""
    metadata.group(path, {"title": "runs of this sweep, with the place of each run"})
    for name, values in table.columns.items():
        dtype, fill, long_name = column_of(name)
        attributes = {"long_name": long_name}
        metadata.array(
            f"{path}/{name}",
            values.shape,
            (_CHUNK_ROWS,),
            dtype,
            fill,
            dims=("run",),
            attributes=attributes,
            data=values,
        )
