"""The content of a store as one digest, by which a report knows whether it is up to date."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from sweepengine.store._address import normalise_address, open_address
from sweepengine.store._digests import DIGEST_BYTES
from sweepengine.store._objects import get_object, list_objects
from sweepengine.store._zarr import sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zarr.abc.store import Store

_UNSEEN = ("drivers/", "driver.json", "tokens/", "state/", "workers/")
"""Beginnings of the keys of objects of which :func:`open_sweep` shows nothing."""


@runtime_checkable
class _Tagged(Protocol):
    """A store that lists with each object a tag that every write of it changes, and that guards its bytes itself."""

    async def tags(self) -> dict[str, str]: ...


def content_digest(url: str | Path) -> str:
    """Digest of every byte that a reader of a store can see. Damage changes it as every commit does.

    In an object store, which guards its bytes itself, it is that of the tags that the store lists with its objects.

    Parameters
    ----------
    url : str or Path
        Local path or URL of a store.

    Returns
    -------
    str
        32 hexadecimal digits.

    Raises
    ------
    OSError
        An object cannot be read.
    """
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for key, content in _contents(open_address(normalise_address(url), read_only=True)):
        digest.update(f"{len(key)} {key} {len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()


def _contents(objects: Store) -> Iterator[tuple[str, bytes]]:
    """Key and content, or tag, of every object that a reader can see, in order."""
    if isinstance(objects, _Tagged):
        tags = sync(objects.tags())
        yield from ((key, tags[key].encode()) for key in sorted(tags) if not key.startswith(_UNSEEN))
        return
    for key in list_objects(objects, ""):
        if not key.startswith(_UNSEEN):
            yield key, get_object(objects, key) or b""  # a file that is gone meanwhile is as good as none
