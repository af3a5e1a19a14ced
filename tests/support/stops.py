"""Sweeps that are stopped in this process, as a kill would stop them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sweepengine.store import ChunkWriter
from tests.support.marks import instead_of_marks

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from sweepengine.store import Mark


def stop_after_commits(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """End the process' work, as a kill would, after some commits."""
    done = 0
    commit = ChunkWriter.commit

    def counted(self: ChunkWriter, *args: Any, **options: Any) -> None:
        nonlocal done
        commit(self, *args, **options)
        done += 1
        if done == count:
            raise KeyboardInterrupt

    monkeypatch.setattr(ChunkWriter, "commit", counted)


def stop_in_commit(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Interrupt this process in the given commit, between arrays-and-state and mark."""
    seen: list[Any] = []

    def interrupted(mark: Mark, write: Callable[[], None]) -> None:
        if mark.states and mark.states not in seen:
            seen.append(mark.states)
            if len(seen) == count:
                raise KeyboardInterrupt
        write()

    instead_of_marks(monkeypatch, interrupted)
