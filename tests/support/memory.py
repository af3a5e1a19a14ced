"""Machines of another size, as the refusals of what does not fit see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def free_memory(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Let so many bytes be free for arrays of data."""
    monkeypatch.setattr("sweepengine.data._memory.available_memory", lambda: size)


def machine_of(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Let the machine have so many bytes, as the automatic step size asks."""
    monkeypatch.setattr("sweepengine.plan._step_size.machine_memory", lambda: size)
