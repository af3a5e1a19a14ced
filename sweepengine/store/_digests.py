"""Digests of what is stored: 32 hexadecimal digits of BLAKE2b."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIGEST_BYTES = 16


def digest(content: bytes) -> str:
    """Digest of some bytes."""
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).hexdigest()


def chain_digest(previous: str, record: NDArray[np.generic]) -> str:
    """Digest of a series of records, from the digest of all records but the last and the last record."""
    chained = hashlib.blake2b(previous.encode(), digest_size=DIGEST_BYTES)
    chained.update(record.tobytes())
    return chained.hexdigest()


def piece_digests(values: NDArray[np.floating], length: int) -> NDArray[np.uint8]:
    """Digests of the pieces of some rows. Shards exchange these instead of the rows of a snapshot.

    Parameters
    ----------
    values : ndarray, shape (rows, …)
    length : int
        Rows of a piece; the last piece may be shorter.

    Returns
    -------
    ndarray of uint8, shape (pieces, 16)
    """
    digests = [
        digest(np.ascontiguousarray(values[low : low + length]).tobytes()) for low in range(0, len(values), length)
    ]
    return np.frombuffer(bytes.fromhex("".join(digests)), dtype=np.uint8).reshape(-1, DIGEST_BYTES)
