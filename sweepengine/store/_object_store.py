"""A store in a bucket of S3 or Google Cloud Storage, as a zarr store over obstore.

obstore's synchronous calls are made in threads of our own, although zarr is asynchronous. The asynchronous calls hand
their results to Python from threads that outlive the interpreter: of 60 processes that ended right after a write, 17
were aborted (obstore 0.12.1, Python 3.11), and none with the synchronous ones.
"""

from __future__ import annotations

import asyncio
import os
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from zarr.abc.store import OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest

from sweepengine.errors import StoreError
from sweepengine.store._credentials import shared_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from obstore.store import ObjectStore as Client
    from zarr.abc.buffer import Buffer, BufferPrototype
    from zarr.abc.store import ByteRequest

PATIENCE = timedelta(seconds=60)
"""How long a request that fails is tried again before the store counts as lost."""
IMPATIENCE = timedelta(seconds=5)
"""How long it is tried again once the store counts as lost, so that the end of a sweep is not a row of long waits."""
_LONGEST_PAUSE = timedelta(seconds=5)
_MOST_TRIES = 1000
_REQUEST = timedelta(seconds=120)
"""How long one try may take; the largest chunks take half a minute on a line of 10 Mbit/s."""
_LOST: set[str] = set()
"""Addresses of which the last request has failed after all patience."""
_SIDE_BY_SIDE = 64
_OF_PROVIDERS = ("AWS_", "GOOGLE_")
"""Beginnings of the names of environment variables that obstore reads."""


class ObjectStore(Store):
    """The objects below one URL.

    Parameters
    ----------
    address : str
        ``s3://BUCKET/…`` or ``gs://BUCKET/…``.
    read_only : bool

    Raises
    ------
    StoreError
        The URL or the settings of its provider cannot be understood.
    """

    supports_writes: bool = True
    supports_deletes: bool = True
    supports_listing: bool = True

    def __init__(self, address: str, *, read_only: bool = False) -> None:
        super().__init__(read_only=read_only)
        self.address = address
        self._client()

    def with_read_only(self, read_only: bool = False) -> ObjectStore:
        """The same store, which may be written or not."""
        return ObjectStore(self.address, read_only=read_only)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectStore) and (self.address, self.read_only) == (other.address, other.read_only)

    def __hash__(self) -> int:
        return hash(self.address)

    def __str__(self) -> str:
        return self.address

    def _client(self) -> Client:
        """The connection, which is no part of the object: stores travel with dask graphs to other processes."""
        settings = {name: value for name, value in os.environ.items() if name.startswith(_OF_PROVIDERS)}
        patience = min(PATIENCE, IMPATIENCE) if self.address in _LOST else PATIENCE
        return _connected(self.address, patience, tuple(sorted(settings.items())))

    def _must_be_writable(self) -> None:
        if self.read_only:
            raise ValueError(f"{self.address} was opened read-only; open it with read_only=False to change it")

    async def _ask(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        asked = partial(call, self._client(), *arguments, **options)
        try:
            answer = await asyncio.get_running_loop().run_in_executor(_threads(), asked)
        except (AlreadyExistsError, FileNotFoundError):
            _LOST.discard(self.address)
            raise
        except BaseError as error:
            _LOST.add(self.address)
            raise OSError(_said(error)) from error
        _LOST.discard(self.address)
        return answer

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        try:
            content = await self._ask(_get, key, _range(byte_range))
        except FileNotFoundError:
            return None
        return prototype.buffer.from_bytes(content)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        return await asyncio.gather(*(self.get(key, prototype, byte_range) for key, byte_range in key_ranges))

    async def exists(self, key: str) -> bool:
        try:
            await self._ask(obstore.head, key)
        except FileNotFoundError:
            return False
        return True

    async def getsize(self, key: str) -> int:
        """Bytes of an object, which is not read."""
        return int((await self._ask(obstore.head, key))["size"])

    async def set(self, key: str, value: Buffer) -> None:
        self._must_be_writable()
        # One request for any size: parts of an upload that was cut off would stay in the bucket, unseen.
        await self._ask(obstore.put, key, value.to_bytes(), use_multipart=False)

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        """Write an object unless it exists: one conditional request, of which the object store admits one writer."""
        self._must_be_writable()
        try:
            await self._ask(obstore.put, key, value.to_bytes(), mode="create", use_multipart=False)
        except AlreadyExistsError:
            return

    async def delete(self, key: str) -> None:
        self._must_be_writable()
        try:
            await self._ask(obstore.delete, key)
        except FileNotFoundError:
            return

    async def list(self) -> AsyncIterator[str]:
        async for key in self.list_prefix(""):
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        for key in await self._ask(_list, prefix):
            yield key

    async def tags(self) -> dict[str, str]:
        """Key → what the object store lists of an object's content; every write changes it."""
        tags: dict[str, str] = await self._ask(_list, "")
        return tags

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        found = await self._ask(obstore.list_with_delimiter, prefix or None)
        for path in (*found["common_prefixes"], *(each["path"] for each in found["objects"])):
            yield path.rstrip("/").rpartition("/")[2]


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="sweepengine-objects")


@cache
def _connected(address: str, patience: timedelta, environment: tuple[tuple[str, str], ...]) -> Client:
    """A connection to an address under the settings that the environment has."""
    options: dict[str, Any] = {
        "client_options": {"allow_http": True, "timeout": _REQUEST},  # an endpoint http:// is the user's own word
        "retry_config": {
            "retry_timeout": patience,
            "max_retries": _MOST_TRIES,
            "backoff": {"max_backoff": min(_LONGEST_PAUSE, patience)},
        },
    }
    if address.startswith("s3://"):
        options["config"] = shared_settings(dict(environment))
    try:
        return obstore.store.from_url(address, **options)
    except (BaseError, ValueError) as error:
        raise StoreError(f"store: {address}: {_said(error)}") from error


def _range(wanted: ByteRequest | None) -> Any:
    match wanted:
        case None:
            return None
        case RangeByteRequest(start, end):
            return (start, end)
        case OffsetByteRequest(offset):
            return {"offset": offset}
        case SuffixByteRequest(suffix):
            return {"suffix": suffix}
    raise ValueError(f"found {wanted!r}; expected a range of bytes")


def _get(client: Client, key: str, wanted: Any) -> bytes:
    return obstore.get(client, key, options={} if wanted is None else {"range": wanted}).bytes().to_bytes()


def _list(client: Client, prefix: str) -> dict[str, str]:
    """Key → tag of every object below a prefix."""
    pages = obstore.list(client, prefix.rstrip("/") or None, chunk_size=1000)
    found = (each for page in pages for each in page if each["path"].startswith(prefix))
    return {each["path"]: f"{each['e_tag']} {each['last_modified'].isoformat()} {each['size']}" for each in found}


def _said(error: Exception) -> str:
    """What an error says, without the XML around it and the Rust values below it, in one line."""
    said, _, answer = str(error).partition("\n\nDebug source")[0].partition("<?xml")
    words = [found[1] for name in ("Code", "Message") if (found := re.search(f"<{name}>(.*?)</{name}>", answer))]
    return " ".join(f"{said}{': '.join(words)}".split())
