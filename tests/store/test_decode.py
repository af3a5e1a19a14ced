"""Chunks decoded by the thread that reads them, against zarr's own reading of the same arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, TransposeCodec
from zarr.storage import MemoryStore

from sweepengine.store._decode import ChunkFormat, in_c_order
from sweepengine.store._objects import get_object

if TYPE_CHECKING:
    from collections.abc import Sequence

ORDERS: list[tuple[int, ...]] = [(0, 1, 2, 3), (0, 2, 3, 1), (3, 1, 0, 2)]


def stored(
    shape: tuple[int, ...], chunks: tuple[int, ...], dtype: str, order: tuple[int, ...], codecs: Sequence[Any]
) -> tuple[zarr.Array[Any], dict[str, Any], MemoryStore]:
    """An array with numbers in it, its metadata, and its store."""
    store = MemoryStore()
    array = zarr.create_array(
        store, name="a", shape=shape, chunks=chunks, dtype=dtype, filters=[TransposeCodec(order=order)],
        compressors=codecs,
    )  # fmt: skip
    array[...] = np.random.default_rng(1).standard_normal(shape).astype(dtype)
    return array, array.metadata.to_dict(), store


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("compressor", ["lz4", "zstd", None])
def test_a_chunk_is_what_zarr_reads(dtype: str, order: tuple[int, ...], compressor: Any) -> None:
    """Whole chunks, some runs of them, and the last chunks, which reach beyond the array."""
    compressors = [BloscCodec(cname=compressor)] if compressor else []
    shape, chunks = (5, 21, 9, 70), (2, 21, 4, 70)
    array, node, store = stored(shape, chunks, dtype, order, [*compressors, Crc32cCodec()])
    form = ChunkFormat.of(node)
    assert (form.shape, form.dtype) == (chunks, np.dtype(dtype))
    for run, row in [(0, 0), (1, 1), (2, 2)]:
        content = get_object(store, f"a/c/{run}/0/{row}/0")
        assert content is not None
        for first in (0, 1):
            low, high = 2 * run + first, min(2 * run + 2, 5)
            rows = slice(4 * row, min(4 * row + 4, 9))
            within = (slice(first, high - 2 * run), slice(0, 21), slice(0, rows.stop - rows.start), slice(0, 70))
            values = in_c_order(form.decode(content)[within])
            assert values.flags.c_contiguous
            assert values.flags.writeable
            np.testing.assert_array_equal(values, np.asarray(array[low:high, :, rows]))


def test_a_long_chunk_is_copied_piece_by_piece() -> None:
    array, node, store = stored((2, 21, 200, 50), (2, 21, 200, 50), "float32", (0, 2, 3, 1), [Crc32cCodec()])
    content = get_object(store, "a/c/0/0/0/0")
    assert content is not None
    values = in_c_order(ChunkFormat.of(node).decode(content)[tuple(map(slice, array.shape))])
    np.testing.assert_array_equal(values, np.asarray(array[...]))


def test_bytes_that_are_not_what_was_written_raise() -> None:
    _, node, store = stored((2, 3, 4, 5), (2, 3, 4, 5), "float32", (0, 2, 3, 1), [BloscCodec(), Crc32cCodec()])
    form, content = ChunkFormat.of(node), get_object(store, "a/c/0/0/0/0")
    assert content is not None
    for place in (0, len(content) // 2, len(content) - 1):
        changed = bytearray(content)
        changed[place] ^= 1
        with pytest.raises(ValueError, match="a chunk has the checksum"):
            form.decode(bytes(changed))
    for length in (0, 3, 4, len(content) - 1):
        with pytest.raises(ValueError, match="checksum"):
            form.decode(content[:length])
    _, _, other = stored((1, 3, 4, 5), (1, 3, 4, 5), "float32", (0, 2, 3, 1), [BloscCodec(), Crc32cCodec()])
    smaller = get_object(other, "a/c/0/0/0/0")
    assert smaller is not None
    with pytest.raises(ValueError, match="cannot reshape"):
        form.decode(smaller)


def test_codecs_of_others_are_refused() -> None:
    _, node, _ = stored((2, 3, 4), (2, 3, 4), "float32", (0, 2, 1), [GzipCodec(), Crc32cCodec()])
    with pytest.raises(ValueError, match=r"found the codecs \['bytes', 'gzip', 'crc32c'\]; expected bytes, then"):
        ChunkFormat.of(node)
    big = zarr.create_array(
        MemoryStore(), shape=(4,), chunks=(4,), dtype="float32", compressors=None, serializer=BytesCodec(endian="big")
    )
    with pytest.raises(ValueError, match="big"):
        ChunkFormat.of(big.metadata.to_dict())
