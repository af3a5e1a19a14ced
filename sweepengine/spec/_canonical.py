"""Hashes of plain values: equal contents have the same canonical text, and so the same hash, on every machine."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def digest(content: dict[str, Any]) -> str:
    """The first sixteen hexadecimal digits of the SHA-256 of the canonical text of plain values."""
    text = json.dumps(_canonical(content), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def without_neutral(content: Mapping[str, Any], neutral: Mapping[str, Any]) -> dict[str, Any]:
    """The content that an id hashes: the fields that differ from their neutral values.

    Parameters
    ----------
    content : mapping
        All fields by name.
    neutral : mapping
        Field → its neutral value. A field that the format gains later has its default here, so that the ids of
        earlier runs stay as they are.
    """
    return {key: value for key, value in content.items() if key not in neutral or value != neutral[key]}


def _canonical(value: Any) -> Any:
    """The value with floats as exact hexadecimal texts, so that equal numbers give equal JSON on every machine."""
    if isinstance(value, (str, int)):
        return value
    if isinstance(value, dict):
        return {key: _canonical(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(entry) for entry in value]
    if isinstance(value, float):
        return {"float": value.hex()}
    return value
