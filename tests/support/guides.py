"""What the README and the guides show their readers to type."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
GUIDES = ("getting-started", "running", "stores", "claims-report", "clusters", "particles")
"""Pages of docs/ whose commands are run by tests/house/test_quickstart.py. plugins.md has tests of its own."""


def shown_commands() -> list[str]:
    """Each line behind ``$ sweepengine``, without its comment."""
    pages = [ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in GUIDES)]
    pattern = r"^\$ sweepengine (.*?)(?:#.*)?$"
    return [line for page in pages for line in re.findall(pattern, page.read_text(), flags=re.MULTILINE)]
