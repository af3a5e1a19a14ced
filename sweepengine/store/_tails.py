"""Tails: the checksums with which stored chunks end. Writers note them in the mark, and readers compare them with it.

Every chunk of numbers ends with the CRC32C of the bytes before it, and zarr raises if the two do not agree. So a chunk
with the tail that the mark names is the chunk that the mark speaks of, and no older chunk or other chunk in its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zarr.storage import WrapperStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zarr.abc.buffer import Buffer, BufferPrototype
    from zarr.abc.store import ByteRequest, Store

_TAIL_BYTES = 4


class UnconfirmedError(Exception):
    """A stored chunk does not have the tail that the mark names; its records may still be what the mark vouches for."""


def _tail(value: Buffer) -> str:
    return value[-_TAIL_BYTES:].to_bytes().hex()


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
            self.tails[key.removeprefix(self._prefix)] = _tail(value)


class ConfirmingStore(WrapperStore["Store"]):
    """A store that raises for an object that is lost, or has another tail than expected.

    Parameters
    ----------
    store : Store
    prefix : str
        Beginning of the keys of a block.
    tails : mapping
        Key without the prefix → expected tail. Objects that are not named here must only be there.
    """

    def __init__(self, store: Store, prefix: str = "", tails: Mapping[str, str] | None = None) -> None:
        super().__init__(store)
        self._prefix, self._tails = prefix, dict(tails or {})

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        buffer = await super().get(key, prototype, byte_range)
        if buffer is None:  # zarr would take it for a chunk of fill values
            raise FileNotFoundError(f"{key} is lost")
        expected = self._tails.get(key.removeprefix(self._prefix))
        if expected is not None and _tail(buffer) != expected:
            raise UnconfirmedError(key)
        return buffer
