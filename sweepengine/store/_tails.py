"""Checksums that stored chunks end with: noted where they are written, compared where they are read.

Every chunk of numbers ends with the CRC32C of what stands before it, and zarr raises where the two do not fit. So a chunk
with the tail that its mark names is the chunk that the mark speaks of: not an older one, and not another chunk that
stands in its place.
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
    """A stored chunk is not the one that a mark names; what it holds may still be what the mark vouches for."""


def _tail(value: Buffer) -> str:
    return value[-_TAIL_BYTES:].to_bytes().hex()


class TailRecorder(WrapperStore["Store"]):
    """A store that notes the tails of the chunks written through it.

    Parameters
    ----------
    store : Store
    prefix : str
        What the keys of a block begin with.
    """

    def __init__(self, store: Store, prefix: str) -> None:
        super().__init__(store)
        self._prefix = prefix
        self.tails: dict[str, str] = {}

    async def set(self, key: str, value: Buffer) -> None:
        await super().set(key, value)
        if key.startswith(self._prefix):  # states go the same way
            self.tails[key.removeprefix(self._prefix)] = _tail(value)


class ConfirmingStore(WrapperStore["Store"]):
    """A store in which a lost object, or one with another tail than is named, is an error.

    Parameters
    ----------
    store : Store
    prefix : str
        What the keys of a block begin with.
    tails : mapping
        Key without the prefix → tail; objects that are not named are only looked for.
    """

    def __init__(self, store: Store, prefix: str = "", tails: Mapping[str, str] | None = None) -> None:
        super().__init__(store)
        self._prefix, self._tails = prefix, dict(tails or {})

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        found = await super().get(key, prototype, byte_range)
        if found is None:  # which zarr would take for a chunk of fill values
            raise FileNotFoundError(f"{key} is lost")
        expected = self._tails.get(key.removeprefix(self._prefix))
        if expected is not None and _tail(found) != expected:
            raise UnconfirmedError(key)
        return found
