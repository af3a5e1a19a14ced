"""Power cuts without a plug: a recorder of what a store asks of its disk, and the disks that a cut may leave.

The model is what POSIX promises and no more. Of a file that was not synced the content may be lost, whole or in part,
whatever its name; of a folder that was not synced any of the changes may be missing, each by itself. What was synced
stays. Real file systems lose less, and in some order.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from sweepengine.store import _durable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pytest

Change = dict[str, "File | Folder | None"]
"""Names of a folder → what they name from now on; None: nothing."""
Operation = tuple[str, Path, Path | None, bytes]
"""Kind, path, second path of a rename or link, content of a write."""


class Recorder(_durable.Disk):
    """A disk that writes down what is done to it, in the order in which it is done."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.operations)

    def _note(self, kind: str, path: Path, other: Path | None = None, content: bytes = b"") -> None:
        self.operations.append((kind, path, other, content))

    def make_folders(self, folder: Path) -> None:
        with self._lock:
            missing = [each for each in (folder, *folder.parents) if not each.exists()]
            super().make_folders(folder)
            for each in reversed(missing):
                self._note("mkdir", each)

    def write(self, file: BinaryIO, content: bytes | bytearray | memoryview) -> None:
        with self._lock:
            super().write(file, content)
            self._note("write", Path(file.name), content=bytes(content))

    def sync(self, file: BinaryIO) -> None:
        with self._lock:
            file.flush()  # and no more: nobody pulls a plug here
            self._note("sync", Path(file.name))

    def sync_folder(self, folder: Path) -> None:
        with self._lock:
            self._note("sync_folder", folder)

    def replace(self, source: Path, target: Path) -> None:
        with self._lock:
            super().replace(source, target)
            self._note("rename", source, target)

    def link(self, source: Path, target: Path) -> None:
        with self._lock:
            super().link(source, target)
            self._note("link", source, target)

    def unlink(self, path: Path) -> None:
        with self._lock:
            super().unlink(path)
            self._note("unlink", path)

    def remove_tree(self, folder: Path) -> None:
        with self._lock:
            below = sorted(folder.rglob("*"), reverse=True)  # what lies in a folder before the folder
            kinds = ["rmdir" if each.is_dir() else "unlink" for each in below]
            super().remove_tree(folder)
            for kind, each in zip([*kinds, "rmdir"], [*below, folder], strict=True):
                self._note(kind, each)


def recording_disk(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """What durable stores of this process write to from now on."""
    recorder = Recorder()
    monkeypatch.setattr(_durable, "DISK", recorder)
    return recorder


def flushes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Descriptors that the real disk flushes from now on."""
    flushed: list[int] = []
    flush = _durable._flush

    def counted(descriptor: int) -> None:
        flushed.append(descriptor)
        flush(descriptor)

    monkeypatch.setattr(_durable, "_flush", counted)
    return flushed


@dataclass(eq=False)
class File:
    """Content as readers see it, and whether it is on the disk."""

    content: bytes
    synced: bool = False


@dataclass(eq=False)
class Folder:
    """Entries as readers see them, those on the disk, and the changes between, each of one operation."""

    entries: dict[str, File | Folder] = field(default_factory=dict)
    synced: dict[str, File | Folder] = field(default_factory=dict)
    pending: list[Change] = field(default_factory=list)

    def change(self, entries: Change) -> None:
        _apply(self.entries, entries)
        self.pending.append(entries)

    def sync(self) -> None:
        self.synced, self.pending = dict(self.entries), []


def _apply(entries: dict[str, File | Folder], change: Change) -> None:
    for name, entry in change.items():
        if entry is None:
            entries.pop(name, None)
        else:
            entries[name] = entry


class PowerCut:
    """A folder as recorded operations make it, to be cut off after any of them.

    Parameters
    ----------
    base : Path
        The folder, there before the first operation; what is done outside of it is passed over.
    operations : sequence of Operation
    without : sequence of str
        Kinds of operations that are passed over, of ``sync`` and ``sync_folder``: as if nobody had asked for them.
    """

    def __init__(self, base: Path, operations: Sequence[Operation], without: Sequence[str] = ()) -> None:
        self._base, self._operations, self._without = base, operations, without
        self._root, self._done = Folder(), 0
        # A store's own folder is made by zarr, which nobody records, before anything else.
        inside = [path.relative_to(base).parts for _, path, *_ in operations if path.is_relative_to(base)]
        for name in {parts[0] for parts in inside if parts}:
            self._root.change({name: Folder()})

    def at(self, cut: int) -> None:
        """Go on to just before operation ``cut``, which is not below that of the last call."""
        if cut < self._done:
            raise ValueError(f"found {cut} after {self._done}; cuts go forward")
        for kind, path, other, content in self._operations[self._done : cut]:
            if path.is_relative_to(self._base) and kind not in self._without:
                self._do(kind, path, other, content)
        self._done = cut

    def _folder(self, path: Path) -> Folder:
        found: File | Folder = self._root
        for name in path.relative_to(self._base).parts:
            assert isinstance(found, Folder)
            found = found.entries[name]
        assert isinstance(found, Folder)
        return found

    def _do(self, kind: str, path: Path, other: Path | None, content: bytes) -> None:
        if kind == "sync_folder":
            self._folder(path).sync()
            return
        parent = self._folder(path.parent)
        match kind:
            case "mkdir":
                parent.change({path.name: Folder()})
            case "write":
                parent.change({path.name: File(content)})
            case "sync":
                file = parent.entries[path.name]
                assert isinstance(file, File)
                file.synced = True
            case "rename" | "link":
                assert other is not None
                assert other.parent == path.parent  # all that the model knows
                change: Change = {other.name: parent.entries[path.name]}
                if kind == "rename":
                    change[path.name] = None
                parent.change(change)
            case "unlink" | "rmdir":
                parent.change({path.name: None})
            case _:
                raise ValueError(f"found {kind!r}")

    def leave(self, target: Path, luck: Luck) -> None:
        """Write what the cut leaves into a new folder."""
        _leave(self._root, target, luck)


@dataclass(frozen=True)
class Luck:
    """What becomes of that which was not synced.

    Attributes
    ----------
    happened : callable
        () → whether a change of a folder is on the disk.
    kept : callable
        Content of a file that was not synced → what is left of it.
    """

    happened: Callable[[], bool]
    kept: Callable[[bytes], bytes]


WORST = Luck(lambda: False, lambda _: b"")
"""Only what was synced."""
BEST = Luck(lambda: True, lambda content: content)
"""All of it, as after a killed process."""


def chance(seed: int) -> Luck:
    """Each change with a probability that is drawn first; files whole, empty, cut off, or zeros.

    With the probability 1 it is the end of a killed process, but for what files hold.
    """
    drawn = np.random.default_rng(seed)
    probability = drawn.choice([0.1, 0.5, 0.9, 1.0])

    def kept(content: bytes) -> bytes:
        length = int(drawn.integers(len(content) + 1))
        return [content, b"", content[:length], bytes(len(content))][int(drawn.integers(4))]

    return Luck(lambda: bool(drawn.random() < probability), kept)


def _leave(folder: Folder, target: Path, luck: Luck) -> None:
    target.mkdir()
    entries = dict(folder.synced)
    for change in folder.pending:
        if luck.happened():
            _apply(entries, change)
    for name, entry in entries.items():
        if isinstance(entry, Folder):
            _leave(entry, target / name, luck)
        else:
            (target / name).write_bytes(entry.content if entry.synced else luck.kept(entry.content))
