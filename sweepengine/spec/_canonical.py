"""One text for equal contents, on every machine, and its hash."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def digest(content: dict[str, Any]) -> str:
    """Sixteen hexadecimal digits of the SHA-256 of plain values."""
    text = json.dumps(_canonical(content), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def without_neutral(content: Mapping[str, Any], neutral: Mapping[str, Any]) -> dict[str, Any]:
    """The content of an id: fields at their neutral values are left out.

    Parameters
    ----------
    content : mapping
    neutral : mapping
        Values of fields that the format gained later, or that stand for the default, so that earlier ids stay.
    """
    return {key: value for key, value in content.items() if key not in neutral or value != neutral[key]}


def _canonical(value: Any) -> Any:
    """JSON-able form in which a float is written exactly: equal numbers, equal text, on every machine."""
    if isinstance(value, dict):
        return {key: _canonical(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(each) for each in value]
    if isinstance(value, float):
        return {"float": value.hex()}
    return value
