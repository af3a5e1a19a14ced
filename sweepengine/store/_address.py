"""Where a store is: a folder, a bucket of an object store, or this process's memory; its name ends in ``.zarr``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sweepengine.errors import RunError, StoreError
from sweepengine.store._digests import digest

if TYPE_CHECKING:
    from zarr.abc.buffer import Buffer
    from zarr.abc.store import Store

EXTRAS = {"s3": "s3", "gs": "gcs"}
"""Scheme of a URL of an object store → the extra of this package that installs what it needs."""
_MEMORY = "memory"
_MEMORIES: dict[str, dict[str, Buffer]] = {}
"""Address → the objects of a store in the memory of this process."""


def is_address(text: str) -> bool:
    """Whether a text can be the address of a store, by which readers know one; else it may be the id of a job."""
    return text.rstrip("/").endswith(".zarr")


def normalise_address(address: str | Path) -> str:
    """The address in the one form that is used everywhere: an absolute path, or the URL as it was given.

    Raises
    ------
    StoreError
        The address does not end in ``.zarr``.
    """
    text = str(address).rstrip("/")
    if not is_address(text):
        raise StoreError(f"store: found {text!r}; its name must end in .zarr, because readers know a store by it")
    folder = local_folder(text)
    return text if folder is None else str(folder.expanduser().absolute())


def local_folder(address: str) -> Path | None:
    """The folder of an address on the disks of this machine; None for a URL of another place."""
    text = address.removeprefix("file://").removeprefix("local://")
    return None if "://" in text else Path(text)


def name_of_url(url: str) -> str:
    """Eight hexadecimal digits that tell a URL from others, for names of what is made of it on this machine."""
    return digest(url.rstrip("/").encode())[:8]


def is_of_this_process(address: str) -> bool:
    """Whether a store lives in the memory of this process, so that no other process sees it."""
    return address.startswith(f"{_MEMORY}://")


def open_address(address: str, *, read_only: bool, durability: str = "rename") -> Store:
    """The zarr store at a normalised address. Nothing is created by opening it.

    Parameters
    ----------
    address : str
    read_only : bool
    durability : {"rename", "fsync"}
        What a write to a local store survives: a killed process, or a power cut too. Object stores are always durable
        and stores in memory never are, so it changes nothing for them.

    Raises
    ------
    StoreError
        The URL's scheme is unknown, or the package for its object store is not installed.
    """
    from zarr.storage import LocalStore, MemoryStore

    from sweepengine.store._durable import DurableStore

    folder = local_folder(address)
    if folder is not None:
        return {"rename": LocalStore, "fsync": DurableStore}[durability](folder, read_only=read_only)
    if is_of_this_process(address):
        return MemoryStore(_MEMORIES.setdefault(address, {}), read_only=read_only)
    scheme = address.partition("://")[0]
    if scheme not in EXTRAS:
        known = ", ".join(f"{each}://" for each in ("file", *EXTRAS, _MEMORY))
        raise StoreError(f"store: {address}: found {scheme}://; expected a path, or a URL that begins with {known}")
    try:
        from sweepengine.store._object_store import ObjectStore
    except ImportError as error:
        raise StoreError(
            f"store: {address}: {error}; pip install 'sweepengine[{EXTRAS[scheme]}]' installs what {scheme}:// needs"
        ) from error
    return ObjectStore(address, read_only=read_only)


def unwritable(address: str, error: OSError) -> RunError:
    """The error for a store that could be written a moment ago, and cannot now."""
    cure = "see that it answers" if local_folder(address) is None else "make room or mend the disk"
    return RunError(
        f"store: {address} cannot be written any more: {error}; {cure}, then run the same command again: what was "
        "committed is kept"
    )
