"""One text for equal contents, on every machine, and its hash."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def digest(content: dict[str, Any]) -> str:
    """Sixteen hexadecimal digits of the SHA-256 of plain values."""
    text = json.dumps(_canonical(content), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _canonical(value: Any) -> Any:
    """JSON-able form in which a float is written exactly: equal numbers, equal text, on every machine."""
    if isinstance(value, dict):
        return {key: _canonical(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(each) for each in value]
    if isinstance(value, float):
        return {"float": value.hex()}
    return value
