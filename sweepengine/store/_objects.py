"""Small whole objects beside the arrays: publications, claims, marks, states, failures. Each is replaced atomically.

A sealed object is JSON that holds the digest of its own content, so that a changed byte cannot pass for what was
written.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zarr.buffer import default_buffer_prototype
from zarr.storage import LocalStore

from sweepengine.store._digests import digest
from sweepengine.store._zarr import sync

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zarr.abc.buffer import Buffer
    from zarr.abc.store import Store

SEAL = "seal"
_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)
"""What file systems without links answer; zarr links a file to its name where no other may have it."""


class BrokenSealError(ValueError):
    """An object is there, but it is not what was written."""


def get_object(store: Store, key: str) -> bytes | None:
    """The bytes of an object, or None if there is no such object."""
    if isinstance(store, LocalStore):  # zarr's loop and its threads take eight times as long for a small file
        try:
            return (store.root / key).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
    buffer = sync(store.get(key, default_buffer_prototype()))
    return None if buffer is None else buffer.to_bytes()


def get_objects(store: Store, keys: Sequence[str]) -> list[bytes | None]:
    """:func:`get_object` of each key; they are read side by side."""
    if len(keys) == 1:
        return [get_object(store, keys[0])]

    async def every() -> list[Any]:
        return await asyncio.gather(*(store.get(key, default_buffer_prototype()) for key in keys))

    return [None if buffer is None else buffer.to_bytes() for buffer in sync(every())]


def put_object(store: Store, key: str, content: bytes) -> None:
    """Write an object whole; readers see the old object or the new one, never a part."""
    sync(store.set(key, default_buffer_prototype().buffer.from_bytes(content)))


def put_buffers(store: Store, buffers: Mapping[str, Buffer]) -> None:
    """Write objects whole, side by side; it returns, or raises, when no write is under way any more."""

    async def every() -> list[BaseException | None]:
        writes = (store.set(key, buffer) for key, buffer in buffers.items())
        return await asyncio.gather(*writes, return_exceptions=True)  # an error must not leave others at work

    for error in sync(every()):
        if error is not None:
            raise error


def create_object(store: Store, key: str, content: bytes) -> bool:
    """Write an object unless there is one; return whether what is there is this content, which no other writer has.

    One of several writers at the same moment succeeds, and it succeeds too where its connection was cut before it heard
    so. No store says more than that an object is there, so it is read.
    """
    buffer = default_buffer_prototype().buffer.from_bytes(content)
    try:
        sync(store.set_if_not_exists(key, buffer))
    except OSError as error:
        if isinstance(store, LocalStore) and error.errno in _NO_LINKS:
            with suppress(FileExistsError):
                (store.root / key).open("xb").close()
                put_object(store, key, content)
        elif get_object(store, key) != content:
            raise
    return get_object(store, key) == content


def delete_object(store: Store, key: str) -> None:
    """Remove an object if it is there; an object behind a symbolic link is left alone."""
    if not _is_behind_link(store, key):
        sync(store.delete(key))


def delete_objects(store: Store, keys: Sequence[str]) -> None:
    """:func:`delete_object` of each key, side by side."""

    async def every() -> None:
        await asyncio.gather(*(store.delete(key) for key in keys if not _is_behind_link(store, key)))

    sync(every())


def sizes_of(store: Store, keys: Sequence[str]) -> dict[str, int]:
    """Key → bytes of each object that is still there."""

    async def size(key: str) -> int | None:
        try:
            return await store.getsize(key)
        except FileNotFoundError:
            return None

    async def every() -> list[int | None]:
        return await asyncio.gather(*(size(key) for key in keys))

    return {key: size for key, size in zip(keys, sync(every()), strict=True) if size is not None}


def remove_empty_folders(store: Store, folder: str) -> None:
    """Remove the empty folders at and below a folder of a local store; other stores have no folders."""
    if not isinstance(store, LocalStore) or _is_behind_link(store, f"{folder}/object"):
        return
    for path, _, _ in os.walk(store.root / folder, topdown=False):
        with suppress(OSError):  # it is not empty
            Path(path).rmdir()


def _is_behind_link(store: Store, key: str) -> bool:
    """Whether a folder on the way to an object is a link, which may lead out of the store."""
    if not isinstance(store, LocalStore):
        return False
    folders = (store.root / key).relative_to(store.root).parents
    return any((store.root / folder).is_symlink() for folder in list(folders)[:-1])


def list_objects(store: Store, prefix: str) -> list[str]:
    """Keys below a prefix, sorted."""

    async def collect() -> list[str]:
        return sorted([key async for key in store.list_prefix(prefix)])

    return sync(collect())


def to_json(content: Mapping[str, Any]) -> bytes:
    """JSON in the form in which it is stored; the same content gives the same bytes."""
    return json.dumps(content, allow_nan=False, sort_keys=True).encode()


def get_json(store: Store, key: str) -> dict[str, Any] | None:
    """A JSON object, or None if there is no such object."""
    content = get_object(store, key)
    return None if content is None else json.loads(content)


def put_json(store: Store, key: str, content: Mapping[str, Any]) -> None:
    """Write a JSON object whole."""
    put_object(store, key, to_json(content))


def put_sealed(store: Store, key: str, content: Mapping[str, Any]) -> None:
    """Write a JSON object with the digest of its content."""
    put_object(store, key, sealed(content))


def sealed(content: Mapping[str, Any]) -> bytes:
    """The bytes of a JSON object with the digest of its content."""
    return to_json({**content, SEAL: digest(to_json(content))})


def get_sealed(store: Store, key: str, *, or_unsealed: bool = False) -> dict[str, Any] | None:
    """A sealed JSON object without its seal, or None if there is no such object.

    Parameters
    ----------
    store, key
    or_unsealed : bool
        Whether an object that has no seal is taken as it is: layout version 2 wrote none.

    Raises
    ------
    BrokenSealError
        The object is not what was written.
    """
    stored = get_object(store, key)
    return None if stored is None else unsealed(stored, or_unsealed=or_unsealed)


def unsealed(stored: bytes, *, or_unsealed: bool = False) -> dict[str, Any]:
    """The content of a sealed JSON object from its bytes; raises as :func:`get_sealed` does."""
    try:
        content = json.loads(stored)
        if or_unsealed and SEAL not in content:
            return dict(content)
        seal = content.pop(SEAL)
        is_whole = seal == digest(to_json(content))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BrokenSealError(f"it is no sealed JSON object ({type(error).__name__}: {error})") from error
    if not is_whole:
        raise BrokenSealError("the content does not have the digest that it was sealed with")
    return dict(content)
