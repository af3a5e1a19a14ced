"""The shapes of a block and of its chunks, and where everything lies in a store.

::

    /                        zarr.json: a copy of the newest publication, for readers of zarr
    /runs/<generation>       one table: id, block, position, every axis
    /data/<id>               inputs and targets
    /weights/<id>            parameters at t = 0, where they are given and not drawn
    /reference/<id>          the cloud to which distances are measured
    /grid/<id>               the points of a first variation
    /theory/<id>             what infinite width predicts for an architecture on those data
    /blocks/<block>          arrays over (run, record, …); status, records_done, … over run

Beside the zarr nodes::

    publications/<generation>.json         what a driver has published: specs, provenance, all nodes; the newest counts
    drivers/<epoch>-<owner>.json           a driver's claim, with its heartbeat
    marks/<block>/<chunk>/<attempt>.json   what a chunk of runs has committed; the newest counts
    state/<block>/<chunk>/…                what a resume needs; deleted when the chunk is done
    failures/<block>/<position>.json       why a run failed
    workers/<block>-<chunk>-<attempt>.json signs of life of tasks
    code/<kind>/<name>@<version>/…         which code of users' finished runs come from
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from sweepengine.observe import SNAPSHOT, Variable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from sweepengine.spec import AnyRun

SCHEMA_VERSION = 3
EXTENDED_VERSION = 4
"""The layout version of a store that was extended by observables or time; other programs would show runs twice."""
LEGACY_VERSION = 2
"""The previous layout version. It can be read, and the first driver that writes carries the store over."""
ADDS_TO = "adds_to"
LONGER_THAN = "longer_than"
"""The columns that the tables of stores have which were extended by observables, and by time."""
CHUNK_TARGET = 8_000_000
"""Bytes that a chunk should have, about."""
CHUNK_LIMIT = 32_000_000
"""Bytes that a chunk may have at most."""
CHUNK_RUNS_LIMIT = 256
"""Runs that a chunk has at most."""
CHUNK_SECONDS = 4.0
"""Seconds that the runs of a chunk take together at most, about, so that several workers have something to do."""
PIECE_TARGET = 1_000_000
"""Bytes that a piece of a snapshot should have, about."""
PIECE_ROWS = 2048
"""Particles that are advanced at a time. A piece of a snapshot is a multiple of it, unless that is above the limit."""
MOST_PIECES = 1024
"""Pieces that a snapshot has at most, unless they would be above the limit."""
SCHEDULES = {"record": ("step", "time"), SNAPSHOT: ("snapshot_step", "snapshot_time")}
"""Dim over instants → names of its coordinates: steps and training times."""
RUN_ARRAYS = ("status", "records_done", "diverged_step", "peak_memory")
"""Arrays of a block with one number for each run. A mark has the same numbers under the same names."""
_UNNAMED = (16, 1_000_000)
"""Limits of a chunk in runs and bytes, when shapes did not say yet how many runs a chunk has."""
_COPIES = 3
"""Copies of what is written at a time: transposed, compressed, and what the allocator keeps (measured on Linux)."""
_SCHEDULE_ARRAYS = 2  # step, time; as many again where there are snapshots


@dataclass(frozen=True)
class BlockShape:
    """All that the shapes of a block's arrays depend on. It is stored with each block.

    Attributes
    ----------
    runs, records : int
    extents : mapping
        Dim → size, of every dim of the variables beside run, record and snapshot.
    precision : str
        dtype of the variables.
    variables : tuple of Variable
        What is recorded.
    chunk_runs : int
        Runs in one chunk: the same number for all variables, so that one task owns whole chunks of every array.
    labels : mapping
        Dim → the labels along it, for the dims that have labels.
    snapshots : tuple of int
        Indices of the records that are snapshots too. Variables over ``snapshot`` have values at these records only.
    """

    runs: int
    records: int
    extents: Mapping[str, int]
    precision: str
    variables: tuple[Variable, ...]
    chunk_runs: int
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    snapshots: tuple[int, ...] = ()

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Dim → size, of every dim."""
        snapshots = {SNAPSHOT: len(self.snapshots)} if self.snapshots else {}
        return {"run": self.runs, "record": self.records, **snapshots, **self.extents}

    def held(self, variable: Variable, records: int) -> int:
        """How many values a variable has within the first ``records`` records."""
        return bisect_left(self.snapshots, records) if variable.is_snapshot else records

    def array_shape(self, variable: Variable) -> tuple[int, ...]:
        """Shape of a variable's array."""
        return tuple(self.sizes[dim] for dim in variable.dims)

    def _record_bytes(self, variable: Variable) -> int:
        return math.prod(self.array_shape(variable)[2:]) * np.dtype(self.precision).itemsize

    @property
    def piece(self) -> int:
        """Particles in one chunk of a snapshot; every shard holds whole pieces."""
        return piece_length(self.sizes["particle"], self.sizes["coord"], self.precision)

    @property
    def pieces(self) -> int:
        """Number of pieces of a snapshot."""
        return -(-self.sizes["particle"] // self.piece)

    def cut(self, seconds: float) -> BlockShape:
        """The same block, cut into chunks of as many runs as make about 8 MB and take about 4 seconds.

        Parameters
        ----------
        seconds : float
            Seconds that one run takes, about. They are a guess and may differ between versions; the shape keeps the
            number of runs that came of it.
        """
        return replace(self, chunk_runs=self._fitting_runs(CHUNK_RUNS_LIMIT, CHUNK_TARGET, seconds))

    def _fitting_runs(self, most: int, target: int, seconds: float = 0.0) -> int:
        """Runs in one chunk: doubled while there are fewer than ``most``, and too few bytes and seconds."""
        heaviest, runs = max(self._run_bytes(variable) for variable in self.variables), 1
        while runs < most and runs * heaviest < target and 2 * runs * seconds <= CHUNK_SECONDS:
            runs *= 2
        return min(runs, self.runs)

    @property
    def n_chunks(self) -> int:
        """Number of chunks along ``run``."""
        return -(-self.runs // self.chunk_runs)

    def chunk_shape(self, variable: Variable) -> tuple[int, ...]:
        """Shape of a variable's chunks: as many records as :data:`CHUNK_LIMIT` holds, or a part of one record."""
        _, instants, *own = self.array_shape(variable)
        record_bytes = max(1, self._record_bytes(variable) * self.chunk_runs)
        if variable.is_snapshot:
            own[0] = min(own[0], self.piece)
        elif record_bytes > CHUNK_LIMIT and own:
            own[0] = max(1, own[0] * CHUNK_LIMIT // record_bytes)
        return (self.chunk_runs, max(1, min(instants, CHUNK_LIMIT // record_bytes)), *own)

    def _files(self, variable: Variable) -> int:
        """Number of stored chunks that a variable has for one chunk of runs."""
        lengths = zip(self.array_shape(variable)[1:], self.chunk_shape(variable)[1:], strict=True)
        return math.prod(-(-length // chunk) for length, chunk in lengths)

    def chunk_span(self, chunk: int) -> tuple[int, int]:
        """Position of a chunk's first run, and the first position after the chunk."""
        return chunk * self.chunk_runs, min((chunk + 1) * self.chunk_runs, self.runs)

    def file_count(self) -> int:
        """Number of files of a finished block: metadata of each array and of the group, chunks and marks."""
        chunks = sum(self._files(variable) for variable in self.variables)
        coordinates = _SCHEDULE_ARRAYS * (2 if self.snapshots else 1) + len(self.labels)
        arrays = len(self.variables) + len(RUN_ARRAYS) + coordinates
        return 1 + arrays + self.n_chunks * (chunks + len(RUN_ARRAYS) + 1) + coordinates

    def _run_bytes(self, variable: Variable) -> int:
        return self._record_bytes(variable) * self.sizes[variable.dims[1]]

    def run_bytes(self) -> int:
        """Uncompressed bytes of one run's variables."""
        return sum(self._run_bytes(variable) for variable in self.variables)

    def held_bytes(self) -> int:
        """Bytes that a worker holds of a chunk: its records, and copies of what it writes at a time."""
        records = self.run_bytes() * self.chunk_runs
        return records + _COPIES * min(records, CHUNK_LIMIT)

    def to_json(self) -> dict[str, Any]:
        """Plain values from which :meth:`from_json` makes an equal shape."""
        return {
            "runs": self.runs,
            "records": self.records,
            "extents": dict(self.extents),
            "precision": self.precision,
            "variables": [variable.to_json() for variable in self.variables],
            "chunk_runs": self.chunk_runs,
            "labels": {dim: list(names) for dim, names in self.labels.items()},
            "snapshots": list(self.snapshots),
        }

    @classmethod
    def from_json(cls, content: Any) -> BlockShape:
        """Return the inverse of :meth:`to_json`."""
        variables = tuple(Variable.from_json(each) for each in content["variables"])
        labels = {dim: tuple(names) for dim, names in content["labels"].items()}
        snapshots = tuple(content.get("snapshots", ()))
        shape = cls(**{"chunk_runs": 0} | content | {"variables": variables, "labels": labels, "snapshots": snapshots})
        # A block that was made before shapes said so has other limits.
        return shape if shape.chunk_runs else replace(shape, chunk_runs=shape._fitting_runs(*_UNNAMED))


def piece_length(particles: int, coordinates: int, precision: str) -> int:
    """Particles in one chunk of a snapshot. The number depends on the shape alone, so the layout knows no shards.

    A piece has about :data:`PIECE_TARGET` bytes, more if there would be more than :data:`MOST_PIECES` pieces, and at
    most :data:`CHUNK_LIMIT`.

    Parameters
    ----------
    particles, coordinates : int
        Number m of particles and number p of coordinates of each.
    precision : str
        dtype of the coordinates.

    Returns
    -------
    int
    """
    row = coordinates * np.dtype(precision).itemsize
    wanted = max(PIECE_TARGET / row, particles / MOST_PIECES)
    return max(1, min(PIECE_ROWS * math.ceil(wanted / PIECE_ROWS), CHUNK_LIMIT // row))


@dataclass(frozen=True)
class Block:
    """Runs whose records have equal shapes, laid out together.

    Attributes
    ----------
    id : str
        Width and depth in readable form, then a hash of the ids of the runs.
    shape : BlockShape
    runs : tuple of AnyRun
        In the order of the ``run`` dim.
    axes : mapping
        Axis → value of its setting for these runs, for the axes that may have a column in the table of runs.
    adds_to : tuple of str
        Of an addition, a block of further observables: for each run the id of the run to which they belong. Empty for
        runs of their own.
    longer_than : tuple of str
        For each run the id of the run that it is at an earlier time, empty if the store has none. Empty if it has none
        of any of them.
    """

    id: str
    shape: BlockShape
    runs: tuple[AnyRun, ...]
    axes: Mapping[str, Any] = field(default_factory=dict)
    adds_to: tuple[str, ...] = ()
    longer_than: tuple[str, ...] = ()


@dataclass(frozen=True)
class StoredArray:
    """An array that is written whole, once.

    Attributes
    ----------
    dims : tuple of str
    values : ndarray of float64, at least one-dimensional
    long_name, source : str
    """

    dims: tuple[str, ...]
    values: NDArray[np.floating]
    long_name: str
    source: str

    def chunks(self) -> tuple[int, ...]:
        """Shape of the chunks: whole rows, as many as :data:`CHUNK_LIMIT` holds."""
        rows = max(1, CHUNK_LIMIT // max(1, self.values[:1].nbytes))
        return (min(rows, self.values.shape[0]), *self.values.shape[1:])


def make_block(
    runs: Sequence[AnyRun],
    variables: Sequence[Variable],
    extents: Mapping[str, int],
    labels: Mapping[str, tuple[str, ...]],
    snapshots: tuple[int, ...] = (),
) -> Block:
    """Lay out runs of equal shapes.

    Parameters
    ----------
    runs : sequence of AnyRun
        Runs that are alike in all but seed, γ, α and temperature.
    variables, extents, labels, snapshots
        As for :class:`BlockShape`.

    Returns
    -------
    Block
    """
    first = runs[0]
    digest = hashlib.sha256("".join(run.id for run in runs).encode()).hexdigest()[:10]
    shape = BlockShape(
        len(runs), len(first.record_steps), extents, first.precision, tuple(variables), 1, labels, snapshots
    )
    return Block(id=f"w{first.width:06d}-d{first.depth}-{digest}", shape=shape.cut(0.0), runs=tuple(runs))


def limit_path(limit: str, name: str = "") -> str:
    """Path of a prediction's group or of one of its arrays."""
    return f"theory/{limit}/{name}".rstrip("/")


def block_path(block: str, name: str = "") -> str:
    """Path of a block's group or of one of its arrays."""
    return f"blocks/{block}/{name}".rstrip("/")
