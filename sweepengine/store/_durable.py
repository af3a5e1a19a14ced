"""A local store whose writes survive a power cut: a write returns when its content and its name are on the disk.

Renaming alone protects from a killed process, because the system still writes later what it holds in memory. After a
power cut a renamed file may be empty, or have its old name, unless its content was synced before the rename and its
folder after it. Since every write is durable before it returns, writes are durable in the order in which they are made.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import uuid
from typing import TYPE_CHECKING, BinaryIO

from zarr.storage import LocalStore

if TYPE_CHECKING:
    from pathlib import Path

    from zarr.abc.buffer import Buffer

if sys.platform == "darwin":
    import fcntl

    def _flush(descriptor: int) -> None:
        # fsync of macOS stops at the drive's own cache, which loses power too.
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
else:
    _flush = os.fsync


class Disk:
    """What a durable write asks of the operating system; tests put a recorder in its place."""

    def make_folders(self, folder: Path) -> None:
        """Create a folder and those above it, where they are missing."""
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, file: BinaryIO, content: bytes | bytearray | memoryview) -> None:
        """Write into a new file."""
        file.write(content)

    def sync(self, file: BinaryIO) -> None:
        """Return when the content of a file is on the disk."""
        file.flush()
        _flush(file.fileno())

    def sync_folder(self, folder: Path) -> None:
        """Return when the entries of a folder are on the disk."""
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            _flush(descriptor)
        finally:
            os.close(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        """Rename a file, over another if there is one."""
        source.replace(target)

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name; raise :class:`FileExistsError` where the name is taken."""
        target.hardlink_to(source)

    def unlink(self, path: Path) -> None:
        """Remove a file's name."""
        path.unlink()

    def remove_tree(self, folder: Path) -> None:
        """Remove a folder and all below it."""
        shutil.rmtree(folder)


DISK = Disk()


class DurableStore(LocalStore):
    """zarr's local store, with every change on the disk before the call returns. POSIX only.

    Deletions are synced too: after a power cut no deleted object may be back beside what was written later.

    Parameters
    ----------
    root : Path or str
        The store's folder.
    read_only : bool
    """

    def __init__(self, root: Path | str, *, read_only: bool = False) -> None:
        super().__init__(root, read_only=read_only)
        self._settled: set[Path] = set()

    async def set(self, key: str, value: Buffer) -> None:
        """Write an object."""
        await asyncio.to_thread(self.set_sync, key, value)

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        """Write an object unless it exists; an object that exists is made durable."""
        await asyncio.to_thread(self._put, key, value, exclusive=True)

    def set_sync(self, key: str, value: Buffer) -> None:
        """Write an object."""
        self._put(key, value, exclusive=False)

    async def delete(self, key: str) -> None:
        """Remove an object if it is there."""
        await asyncio.to_thread(self.delete_sync, key)

    def delete_sync(self, key: str) -> None:
        """Remove an object if it is there."""
        self._refuse_if_read_only()
        path = self.root / key
        if path.is_dir():
            self._delete_folder(path)
        elif path.exists():
            DISK.unlink(path)
            DISK.sync_folder(path.parent)

    async def delete_dir(self, prefix: str) -> None:
        """Remove all objects below a prefix."""
        self._refuse_if_read_only()
        path = self.root / prefix
        if path.exists():
            await asyncio.to_thread(self._delete_folder, path)

    def _refuse_if_read_only(self) -> None:
        if self.read_only:
            raise ValueError(f"{self.root} was opened read-only; open it with read_only=False to change it")

    def _delete_folder(self, folder: Path) -> None:
        DISK.remove_tree(folder)
        self._settled = {each for each in self._settled if not each.is_relative_to(folder)}
        DISK.sync_folder(folder.parent)

    def _put(self, key: str, value: Buffer, *, exclusive: bool) -> None:
        self._refuse_if_read_only()
        path = self.root / key
        DISK.make_folders(path.parent)
        self._settle(path.parent)
        if not (exclusive and path.exists()):
            _write(path, value.as_buffer_like(), exclusive=exclusive)
        DISK.sync_folder(path.parent)

    def _settle(self, folder: Path) -> None:
        """Sync the folders above a folder, from the top down and each only once, so that its path is durable.

        Folders that were there before are synced too: the process that made them may have been killed before it synced
        them, or may not have done so yet. Above a folder that this user cannot write into, nothing is new.
        """
        above = folder.parent
        if folder in self._settled or above == folder or not os.access(above, os.W_OK):
            return
        self._settle(above)
        DISK.sync_folder(above)
        self._settled.add(folder)


def _write(path: Path, content: bytes | bytearray | memoryview, *, exclusive: bool) -> None:
    """Write a file under a temporary name, sync it, and give it its own name."""
    partial = path.with_suffix(f".{uuid.uuid4().hex}.partial")
    try:
        with partial.open("xb") as file:
            DISK.write(file, content)
            DISK.sync(file)
        if exclusive:
            with contextlib.suppress(FileExistsError):  # another writer came first
                DISK.link(partial, path)
        else:
            DISK.replace(partial, path)
    finally:
        if partial.exists():
            DISK.unlink(partial)
