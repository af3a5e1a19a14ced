"""Where a store is: a local path or a URL, always ending in ``.zarr``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sweepengine.errors import StoreError

if TYPE_CHECKING:
    from zarr.abc.store import Store


def normalise_address(address: str | Path) -> str:
    """The address in the one form that is used everywhere: an absolute path, or the URL as it was given.

    Raises
    ------
    StoreError
        The address does not end in ``.zarr``.
    """
    text = str(address).rstrip("/")
    if not text.endswith(".zarr"):
        raise StoreError(f"store: found {text!r}; its name must end in .zarr, because readers know a store by it")
    text = text.removeprefix("file://").removeprefix("local://")
    if "://" not in text:
        return str(Path(text).expanduser().absolute())
    return text


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
        The URL's protocol is unknown, or the package for its file system is not installed.
    """
    from zarr.storage import FsspecStore, LocalStore

    from sweepengine.store._durable import DurableStore

    if "://" not in address:
        local = {"rename": LocalStore, "fsync": DurableStore}[durability]
        return local(address, read_only=read_only)
    try:
        return FsspecStore.from_url(address, read_only=read_only)
    except (ImportError, ValueError) as error:
        raise StoreError(f"store: {address}: {error}") from error
