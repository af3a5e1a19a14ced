"""Installations with and without Triton."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pretend_triton(monkeypatch: pytest.MonkeyPatch, *, installed: bool) -> None:
    """Let Triton be found by who looks for it, or not; it can do nothing."""
    triton = ModuleType("triton")
    triton.__spec__ = ModuleSpec("triton", None)
    monkeypatch.setitem(sys.modules, "triton", triton if installed else None)
