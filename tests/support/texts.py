"""What a program printed, looked at without taking a part of a number or of a word for the whole."""

from __future__ import annotations

import re


def says(text: str, part: str) -> bool:
    """Whether a text has a part that no letter or digit goes on with: "150 passed" does not say "50 passed"."""
    return re.search(rf"(?<![\w.]){re.escape(part)}(?!\.?\w)", text) is not None
