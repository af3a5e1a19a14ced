"""The content of a store as one digest, by which a report knows whether it is up to date."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sweepengine.store._address import normalise_address, open_address
from sweepengine.store._digests import DIGEST_BYTES
from sweepengine.store._objects import get_object, list_objects

if TYPE_CHECKING:
    from pathlib import Path

_UNSEEN = ("drivers/", "driver.json", "tokens/", "state/")
"""Beginnings of the keys of objects of which :func:`open_sweep` shows nothing."""


def content_digest(url: str | Path) -> str:
    """Digest of every byte that a reader of a store can see. Damage changes it as every commit does.

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
    objects = open_address(normalise_address(url), read_only=True)
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for key in list_objects(objects, ""):
        if not key.startswith(_UNSEEN):
            content = get_object(objects, key) or b""  # a file that is gone meanwhile is as good as none
            digest.update(f"{len(key)} {key} {len(content)} ".encode())
            digest.update(content)
    return digest.hexdigest()
