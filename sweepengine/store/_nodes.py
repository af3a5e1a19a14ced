"""The arrays of a store as they were published: opened from the published metadata, and read against their digests."""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import zarr
from zarr.buffer import default_buffer_prototype
from zarr.storage import MemoryStore, StorePath

from sweepengine.errors import DamagedError
from sweepengine.store._decode import ChunkFormat
from sweepengine.store._digests import digest
from sweepengine.store._objects import get_objects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray
    from zarr.abc.store import Store

Read = TypeVar("Read")
Layout = tuple[tuple[int, ...], ChunkFormat]
"""Shape of an array of numbers, and how its chunks are stored."""
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, IndexError, RuntimeError, FileNotFoundError)
"""Exceptions that zarr and its codecs raise where stored bytes or metadata are damaged."""


def array_of(store: Store, path: str, node: Mapping[str, Any]) -> zarr.Array[Any]:
    """Open an array from published metadata instead of those that lie beside its chunks."""
    metadata: Any = dict(node)
    array: zarr.Array[Any] = zarr.Array(zarr.AsyncArray(metadata, StorePath(store, path)))
    # Chunks of fill values are written too, so that a missing file always means a lost one.
    return array.with_config({"write_empty_chunks": True})


def is_of_runs(path: str, node: Mapping[str, Any]) -> bool:
    """Whether workers write the array: it belongs to a block and has the dim ``run``."""
    return path.startswith("blocks/") and "run" in (node.get("dimension_names") or ())


def values_digest(values: NDArray[Any]) -> str:
    """Digest of an array's values; of texts, the digest of their JSON."""
    if values.dtype.kind in "OTU":
        return digest(json.dumps(values.tolist(), ensure_ascii=False).encode())
    return digest(np.ascontiguousarray(values).tobytes())


def _layout(node: Mapping[str, Any]) -> Layout:
    return tuple(node["shape"]), ChunkFormat.of(node)


def _chunk_keys(path: str, node: Mapping[str, Any]) -> list[str]:
    """Keys of all chunks of an array."""
    chunks = node["chunk_grid"]["configuration"]["chunk_shape"]
    counts = (range(-(-size // length)) for size, length in zip(node["shape"], chunks, strict=True))
    return ["/".join((path, "c", *map(str, place))) for place in itertools.product(*counts)]


@dataclass(frozen=True)
class Nodes:
    """Published nodes of a store.

    Attributes
    ----------
    content : mapping
        Path → the node's zarr metadata.
    """

    content: Mapping[str, Any] = field(default_factory=dict)

    def __contains__(self, path: str) -> bool:
        return path in self.content

    def attributes(self, path: str) -> dict[str, Any]:
        """A node's attributes.

        Raises
        ------
        DamagedError
            There is no such node.
        """
        return dict(self._node(path)["attributes"])

    def _node(self, path: str) -> Mapping[str, Any]:
        try:
            node: Mapping[str, Any] = self.content[path]
        except KeyError as error:
            raise DamagedError(f"store: it has no {path}; restore it, or begin a new store") from error
        return node

    def array(self, store: Store, path: str) -> zarr.Array[Any]:
        """Open one array; no values are read yet.

        Raises
        ------
        DamagedError
            There is no such array, or its metadata cannot be understood.
        """
        return self._understood(path, lambda node: array_of(store, path, node))

    def layout(self, path: str) -> Layout:
        """Shape of an array of numbers, and how its chunks are stored; the array is not opened.

        Raises
        ------
        DamagedError
            There is no such array, or its metadata cannot be understood.
        """
        return self._understood(path, _layout)

    def _understood(self, path: str, read: Callable[[Mapping[str, Any]], Read]) -> Read:
        """What is read from a node; raises :class:`DamagedError` where the node is lost or cannot be understood."""
        node = self._node(path)
        try:
            return read(node)
        except UNREADABLE as error:
            raise DamagedError(f"store: {path} has metadata that cannot be understood: {error}") from error

    def values(self, store: Store, path: str) -> NDArray[Any]:
        """Read an array that was written whole, and compare it with its digest.

        Raises
        ------
        DamagedError
            The values cannot be read, or are not what was written.
        """
        attributes = self._node(path)["attributes"]
        try:
            values = np.asarray(self.array(store, path)[...])
        except UNREADABLE as error:
            raise DamagedError(f"store: {path} cannot be read: {error}; restore it, or begin a new store") from error
        if "digest" in attributes:
            intact = values_digest(values) == attributes["digest"]
        elif "sha256" in attributes:  # of layout version 2
            content = np.ascontiguousarray(values, dtype="<f8").tobytes()
            intact = hashlib.sha256(content).hexdigest() == attributes["sha256"]
        else:
            intact = True  # layout version 2 kept no digest of this array
        if not intact:
            raise DamagedError(f"store: {path} is not what was written; restore it, or begin a new store")
        return values

    def values_of_each(self, store: Store, paths: Sequence[str]) -> list[NDArray[Any]]:
        """:meth:`values` of several arrays, whose chunks are read side by side."""
        keys = [key for path in paths for key in self._understood(path, partial(_chunk_keys, path))]
        make = default_buffer_prototype().buffer.from_bytes
        read = zip(keys, get_objects(store, keys), strict=True)
        near = MemoryStore({key: make(content) for key, content in read if content is not None})
        return [self.values(near, path) for path in paths]

    def names(self, group: str) -> list[str]:
        """Names of the nodes right below a group, sorted."""
        start = f"{group}/"
        below = (path.removeprefix(start) for path in self.content if path.startswith(start))
        return sorted(name for name in below if "/" not in name)

    def arrays(self) -> list[str]:
        """Paths of all arrays."""
        return [path for path, node in self.content.items() if node["node_type"] == "array"]

    def of_blocks(self) -> dict[str, Nodes]:
        """Block → the nodes below it, in one pass over all nodes."""
        blocks: dict[str, dict[str, Any]] = {}
        for path, node in self.content.items():
            first, _, below = path.partition("/")
            block, is_below, _ = below.partition("/")
            if first == "blocks" and is_below:
                blocks.setdefault(block, {})[path] = node
        return {block: Nodes(content) for block, content in blocks.items()}

    def below(self, groups: Iterable[str]) -> Nodes:
        """The nodes below some groups only, such as those that a task needs."""
        starts = tuple(f"{group}/" for group in groups)
        return Nodes({path: node for path, node in self.content.items() if path.startswith(starts)})
