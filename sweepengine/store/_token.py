"""Tokens in a store: a process that can read a token sees the same store as the process that wrote it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sweepengine.store._address import open_address
from sweepengine.store._objects import delete_object, get_object, put_object

if TYPE_CHECKING:
    from zarr.abc.store import Store


TOKENS = "tokens/"


def _key(token: str) -> str:
    return f"{TOKENS}{token}"


def write_token(store: Store) -> str:
    """Put a new token into a store and return it."""
    token = secrets.token_hex(16)
    put_object(store, _key(token), token.encode())
    return token


def read_token(address: str, token: str) -> bool:
    """Whether the store at an address, seen from here, holds a token."""
    try:
        return get_object(open_address(address, read_only=True), _key(token)) == token.encode()
    except OSError:
        return False


def delete_token(store: Store, token: str) -> None:
    """Remove a token from a store."""
    delete_object(store, _key(token))
