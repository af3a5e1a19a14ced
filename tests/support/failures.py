"""Runs that fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sweepengine.networks import initialise

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def fail_starts(monkeypatch: pytest.MonkeyPatch, message: str, of: Callable[[list[int], int], bool]) -> None:
    """Let the weights of those networks raise of which ``of(widths, seed)`` is true."""

    def start(architecture: Any, widths: list[int], d: int, seed: int, *others: Any, **options: Any) -> Any:
        if of(widths, seed):
            raise RuntimeError(message)
        return initialise(architecture, widths, d, seed, *others, **options)

    monkeypatch.setattr("sweepengine.execute._start.initialise", start)
