"""The next publication of a store, while its driver makes it: nodes first, the publication last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import zarr
from zarr.codecs import BloscCodec, Crc32cCodec, TransposeCodec
from zarr.storage import MemoryStore

from sweepengine.store._layout import CHUNK_LIMIT
from sweepengine.store._meanwhile import side_by_side
from sweepengine.store._nodes import Nodes, array_of, is_of_runs, values_digest
from sweepengine.store._objects import put_buffers, put_json
from sweepengine.store._publication import (
    LEGACY,
    ROOT_KEY,
    Generation,
    Publication,
    make_publication,
    write_publication,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from zarr.abc.buffer import Buffer
    from zarr.abc.store import Store


class Metadata:
    """The nodes of one store, gathered and then published in one step.

    Objects are made in memory and written side by side, since each waits for the disk or the network.

    Parameters
    ----------
    store : Store
    last : Publication or None
        The newest publication; None for a new store.
    generation : Generation
        Number of the publication that is being made.

    Attributes
    ----------
    attributes : dict
        Attributes of the root.
    generation : Generation
    """

    def __init__(self, store: Store, last: Publication | None, generation: Generation) -> None:
        self._store, self.generation = store, generation
        self._made: dict[str, Buffer] = {}
        self._memory = MemoryStore(self._made)
        self.attributes: dict[str, Any] = {} if last is None else dict(last.attributes)
        self._nodes: dict[str, Any] = {} if last is None else dict(last.nodes.content)
        if last is not None and last.generation == LEGACY:
            self._seal_values()

    def __contains__(self, path: str) -> bool:
        return path in self._nodes

    @property
    def nodes(self) -> Nodes:
        """The nodes so far."""
        return Nodes(self._nodes)

    def group(self, path: str, attributes: Mapping[str, Any] | None = None) -> None:
        """Create a group and those above it."""
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            part = "/".join(parts[:depth])
            if part in self._nodes and depth < len(parts):
                continue
            node = {"attributes": {}, "zarr_format": 3, "node_type": "group"}
            if depth == len(parts):
                node["attributes"] = dict(attributes or {})
            self._put(part, node)

    def array(
        self,
        path: str,
        shape: Sequence[int],
        chunks: Sequence[int],
        dtype: Any,
        fill_value: Any,
        *,
        dims: Sequence[str],
        attributes: Mapping[str, Any],
        data: NDArray[np.generic] | None = None,
    ) -> None:
        """Create an array at its full size, with checksums; with ``data``, write them and their digest too."""
        codecs: dict[str, Any] = {}
        if dtype is not str:
            codecs["compressors"] = [BloscCodec(cname="lz4", clevel=5, shuffle="shuffle"), Crc32cCodec()]
            if len(shape) > 2 and "record" in dims:
                # The record axis comes last: neighbouring records are alike, and compress 1.5 times as well (measured).
                codecs["filters"] = [TransposeCodec(order=(0, *range(2, len(shape)), 1))]
        # The metadata are made in memory: in the store itself zarr would at once make a root of its own above them.
        template = zarr.create_array(
            MemoryStore(),
            name=path,
            shape=tuple(shape),
            chunks=tuple(chunks),
            dtype=dtype,
            fill_value=fill_value,
            dimension_names=list(dims),
            **codecs,
        )
        node = template.metadata.to_dict() | {"attributes": dict(attributes)}
        if data is not None:
            values = data.astype(template.dtype)
            node["attributes"]["digest"] = values_digest(values)
            array_of(self._memory, path, node)[...] = values
        self._put(path, node)
        if sum(len(content) for content in self._made.values()) > CHUNK_LIMIT:
            self._write()

    def _put(self, path: str, node: dict[str, Any]) -> None:
        put_json(self._memory, f"{path}/{ROOT_KEY}", node)
        self._nodes[path] = node

    def write(self, check: Callable[[], object]) -> None:
        """Write what was made, which nobody sees before it is published, unless a check raises.

        The check is the first to be made; a far store is asked for both at the same time.
        """
        side_by_side(self._store, check, self._write)

    def _write(self) -> None:
        put_buffers(self._store, self._made)
        self._made.clear()

    def drop(self, group: str) -> None:
        """Leave a group and what is below it out of the publication."""
        self._nodes = {
            path: node for path, node in self._nodes.items() if path != group and not path.startswith(f"{group}/")
        }

    def _seal_values(self) -> None:
        """Add the digests that layout version 2 does not have to the arrays that were written whole."""
        nodes = self.nodes
        for path in nodes.arrays():
            attributes = nodes.attributes(path)
            if path.startswith(("theory/", "blocks/")) and not is_of_runs(path, nodes.content[path]):
                attributes["digest"] = values_digest(nodes.values(self._store, path))
                self._put(path, {**nodes.content[path], "attributes": attributes})

    def publish(self) -> Publication:
        """Publish the nodes: the last step of every change, after which readers see it.

        Raises
        ------
        RunError
            A later driver has published meanwhile.
        """
        self._write()
        publication = make_publication(self.generation, self.attributes, dict(sorted(self._nodes.items())))
        return write_publication(self._store, publication)
