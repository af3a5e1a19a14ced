"""The values of a stored chunk, decoded by the thread that asks for them.

zarr would decode it on threads of its own and copy it in its one loop, for which all threads of a reduction wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import google_crc32c
import numpy as np
from numcodecs import blosc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

_CACHED = 2**18
"""Bytes that are copied at a time, so that what is read across the order of the memory stays in a core's cache."""


def _without_checksum(content: Bytes) -> Bytes:
    stored, bare = content[-4:].tobytes(), content[:-4]
    found = google_crc32c.value(bare).to_bytes(4, "little")
    if found != stored:
        raise ValueError(f"a chunk has the checksum {found.hex()}; it was written with {stored.hex()}")
    return bare


def _decompressed(content: Bytes) -> Bytes:
    return np.frombuffer(blosc.decompress(content), np.uint8)


_DECODERS: dict[str, Callable[[Bytes], Bytes]] = {"blosc": _decompressed, "crc32c": _without_checksum}


@dataclass(frozen=True)
class ChunkFormat:
    """How the chunks of an array are stored.

    Attributes
    ----------
    shape : tuple of int
        Shape of a chunk.
    dtype : dtype
    order : tuple of int
        The axes in the order in which they are stored, the slowest first.
    codecs : tuple of str
        Names of the codecs that made the bytes, in the order of writing.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    order: tuple[int, ...]
    codecs: tuple[str, ...]

    @classmethod
    def of(cls, node: Mapping[str, Any]) -> ChunkFormat:
        """The format that the metadata of an array of numbers name.

        Raises
        ------
        ValueError
            The array was not written by this package.
        """
        shape = tuple(node["chunk_grid"]["configuration"]["chunk_shape"])
        order, names = tuple(range(len(shape))), [codec["name"] for codec in node["codecs"]]
        if names[:1] == ["transpose"]:
            order, names = tuple(node["codecs"][0]["configuration"]["order"]), names[1:]
        if names[:1] != ["bytes"] or not set(names[1:]) <= set(_DECODERS):
            raise ValueError(f"found the codecs {names}; expected bytes, then some of {', '.join(_DECODERS)}")
        endian = node["codecs"][-len(names)].get("configuration", {}).get("endian", "little")
        if endian != "little":
            raise ValueError(f"found numbers in {endian} byte order; expected little")
        return cls(shape, np.dtype(node["data_type"]).newbyteorder("<"), order, tuple(names[1:]))

    def decode(self, content: bytes) -> NDArray[Any]:
        """The values of a chunk, in the order of the memory in which they are stored.

        Raises
        ------
        ValueError, RuntimeError
            The bytes are not what was written.
        """
        left = np.frombuffer(content, np.uint8)
        for name in reversed(self.codecs):
            left = _DECODERS[name](left)
        stored = left.view(self.dtype).reshape([self.shape[axis] for axis in self.order])
        return stored.transpose(np.argsort(self.order))


def in_c_order(values: NDArray[Any]) -> NDArray[Any]:
    """Values in a new array in C order and in the byte order of this machine."""
    copy = np.empty(values.shape, values.dtype.newbyteorder("="))
    if values.ndim < 3:
        copy[...] = values
        return copy
    step = max(1, _CACHED // max(1, values[:1, :, :1].nbytes))
    for low in range(0, values.shape[2], step):
        copy[:, :, low : low + step] = values[:, :, low : low + step]
    return copy
