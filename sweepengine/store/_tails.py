"""Tails: the checksums with which stored chunks end. Writers note them in the mark, and readers compare them with it.

Every chunk of numbers ends with the CRC32C of the bytes before it, and readers raise if the two do not agree. So a
chunk with the tail that the mark names is the chunk that the mark speaks of, and no older chunk or other chunk in its
place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zarr.storage import WrapperStore

if TYPE_CHECKING:
    from zarr.abc.buffer import Buffer, BufferPrototype
    from zarr.abc.store import ByteRequest, Store

_TAIL_BYTES = 4


def tail_of(content: bytes) -> str:
    """The tail of a stored chunk, in hexadecimal digits."""
    return content[-_TAIL_BYTES:].hex()


class TailRecorder(WrapperStore["Store"]):
    """A store that notes the tails of the chunks written through it.

    Parameters
    ----------
    store : Store
    prefix : str
        Beginning of the keys of the block whose chunks are noted.

    Attributes
    ----------
    tails : dict of str
        Key without the prefix → tail, in hexadecimal digits.
    """

    def __init__(self, store: Store, prefix: str) -> None:
        super().__init__(store)
        self._prefix = prefix
        self.tails: dict[str, str] = {}

    async def set(self, key: str, value: Buffer) -> None:
        await super().set(key, value)
        if key.startswith(self._prefix):  # states are written through this store too
            self.tails[key.removeprefix(self._prefix)] = tail_of(value[-_TAIL_BYTES:].to_bytes())


class ConfirmingStore(WrapperStore["Store"]):
    """A store that raises for an object that is lost, which zarr would take for a chunk of fill values."""

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        buffer = await super().get(key, prototype, byte_range)
        if buffer is None:
            raise FileNotFoundError(f"{key} is lost")
        return buffer
