"""A folder or a bucket that holds something, and no store of this package: whose it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweepengine.errors import DamagedError, StoreError
from sweepengine.store._objects import get_object, list_objects

if TYPE_CHECKING:
    from zarr.abc.store import Store

_OURS = {
    "blocks",
    "code",
    "data",
    "driver.json",
    "drivers",
    "failures",
    "grid",
    "marks",
    "publications",
    "reference",
    "runs",
    "state",
    "theory",
    "tokens",
    "weights",
    "workers",
    "zarr.json",
}
"""Names at the root of a store."""


def refuse_strangers(store: Store) -> None:
    """Raise if a place without a publication holds others' files or committed records.

    Files that an interrupted creation of a store has left are no reason to raise.

    Raises
    ------
    StoreError
        There are others' files.
    DamagedError
        There are records, whose publication is lost.
    """
    keys = list_objects(store, "")
    strange = [key for key in keys if key.split("/")[0] not in _OURS and not key.endswith(".partial")]
    if strange or any(_has_commits(store, key) for key in keys if key.startswith("marks/")):
        named, kind = (strange or keys)[0], StoreError if strange else DamagedError
        raise kind(
            f"it holds {len(keys)} files, such as {named}, but no zarr.json of sweepengine; "
            "restore it, or name another --store"
        )


def _has_commits(store: Store, key: str) -> bool:
    """Whether a mark speaks of records."""
    content = get_object(store, key) or b""
    return b'"digests": {"' in content
