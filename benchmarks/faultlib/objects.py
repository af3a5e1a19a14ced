"""A store as a tree of files, whatever its layout: kinds by the first folder and the look of the name."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, order=True)
class StoredObject:
    """One file of a store.

    Attributes
    ----------
    path : Path
        Within the store.
    """

    path: Path

    @property
    def kind(self) -> str:
        """First folder, then what it is: metadata of zarr, a chunk, other JSON, a state."""
        *folders, name = self.path.parts
        first = folders[0] if folders else "root"
        if name == "zarr.json":
            return f"{first}: zarr.json"
        if "c" in folders:
            return f"{first}: chunk"
        return f"{first}: {self.path.suffix.removeprefix('.') or 'other'}"


def objects(store: Path) -> list[StoredObject]:
    """Every file of a store, sorted."""
    found = (Path(folder, name) for folder, _, names in os.walk(store) for name in names)
    return sorted(StoredObject(each.relative_to(store)) for each in found)


def by_kind(store: Path) -> dict[str, list[StoredObject]]:
    """Kind → its files."""
    kinds: dict[str, list[StoredObject]] = {}
    for each in objects(store):
        kinds.setdefault(each.kind, []).append(each)
    return dict(sorted(kinds.items()))


def fingerprint(folder: Path) -> str:
    """Changes with any name or content below a folder."""
    sums = hashlib.blake2b(digest_size=16)
    for each in objects(folder):
        sums.update(f"{each.path}\0".encode())
        sums.update((folder / each.path).read_bytes())
    return sums.hexdigest()
