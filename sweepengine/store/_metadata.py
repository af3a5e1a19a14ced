"""Zarr metadata that the driver writes: nodes first, the consolidated root last.

The root's ``zarr.json`` is one object, so replacing it shows readers every new node at once or none of them. The
inlined copy is built from the nodes at hand instead of walking the store, which would cost a listing of every chunk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import zarr
from zarr.codecs import BloscCodec, Crc32cCodec, TransposeCodec

from sweepengine.store._objects import get_json, put_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from zarr.abc.store import Store

ROOT_KEY = "zarr.json"


class Metadata:
    """The nodes of one store, gathered and then published in one step.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        root = get_json(store, ROOT_KEY) or {"zarr_format": 3, "node_type": "group", "attributes": {}}
        self.attributes: dict[str, Any] = root["attributes"]
        self._nodes: dict[str, Any] = root.get("consolidated_metadata", {}).get("metadata", {})

    def __contains__(self, path: str) -> bool:
        return path in self._nodes

    def below(self, path: str) -> list[str]:
        """Paths of the published nodes below a group."""
        return [each for each in self._nodes if each.startswith(f"{path}/")]

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
            put_json(self._store, f"{part}/{ROOT_KEY}", node)
            self._nodes[part] = node

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
        """Create an array whole, checksummed; text arrays keep zarr's own text codec."""
        codecs: dict[str, Any] = {}
        if dtype is not str:
            codecs["compressors"] = [BloscCodec(cname="zstd", clevel=5, shuffle="bitshuffle"), Crc32cCodec()]
            if len(shape) > 2 and "record" in dims:
                # The record axis last: neighbouring records are alike, and compress half again as well (measured).
                codecs["filters"] = [TransposeCodec(order=(0, *range(2, len(shape)), 1))]
        array = zarr.create_array(
            self._store,
            name=path,
            shape=tuple(shape),
            chunks=tuple(chunks),
            dtype=dtype,
            fill_value=fill_value,
            dimension_names=list(dims),
            attributes=dict(attributes),
            config={"write_empty_chunks": True},
            overwrite=True,
            **codecs,
        )
        if data is not None:
            array[...] = data
        self.adopt(path, array)

    def adopt(self, path: str, array: zarr.Array[Any]) -> None:
        """Publish an array as it is now."""
        self._nodes[path] = array.metadata.to_dict()

    def publish(self) -> None:
        """Replace the root, as the last step of every change."""
        put_json(
            self._store,
            ROOT_KEY,
            {
                "attributes": self.attributes,
                "zarr_format": 3,
                "node_type": "group",
                "consolidated_metadata": {
                    "kind": "inline",
                    "must_understand": False,
                    "metadata": dict(sorted(self._nodes.items())),
                },
            },
        )
