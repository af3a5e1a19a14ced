"""Small whole objects beside the arrays: marks, states, failures. Each is replaced atomically."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zarr.abc.store import Store


def get_object(store: Store, key: str) -> bytes | None:
    """The object's bytes, or None where there is none."""
    buffer = sync(store.get(key, default_buffer_prototype()))
    return None if buffer is None else buffer.to_bytes()


def put_object(store: Store, key: str, content: bytes) -> None:
    """Write an object whole; readers see the old one or the new one, never a part."""
    sync(store.set(key, default_buffer_prototype().buffer.from_bytes(content)))


def delete_object(store: Store, key: str) -> None:
    """Remove an object; one that is not there is no error."""
    sync(store.delete(key))


def list_objects(store: Store, prefix: str) -> list[str]:
    """Keys below a prefix, sorted."""

    async def collect() -> list[str]:
        return sorted([key async for key in store.list_prefix(prefix)])

    return sync(collect())


def get_json(store: Store, key: str) -> dict[str, Any] | None:
    """A JSON object, or None where there is none."""
    content = get_object(store, key)
    return None if content is None else json.loads(content)


def put_json(store: Store, key: str, content: Mapping[str, Any]) -> None:
    """Write a JSON object whole."""
    put_object(store, key, json.dumps(content, allow_nan=False).encode())
