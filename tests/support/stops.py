"""Sweeps that are stopped in this process, as a kill would stop them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sweepengine.store import ChunkWriter
from sweepengine.store._marks import write_mark

if TYPE_CHECKING:
    import pytest


def stop_after_commits(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """End the process' work, as a kill would, after some commits."""
    done = 0
    commit = ChunkWriter.commit

    def counted(self: ChunkWriter, *args: Any) -> None:
        nonlocal done
        commit(self, *args)
        done += 1
        if done == count:
            raise KeyboardInterrupt

    monkeypatch.setattr(ChunkWriter, "commit", counted)


def stop_in_commit(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Interrupt this process in the given commit, between arrays-and-state and mark."""
    seen: list[int] = []
    seen_states: list[Any] = []

    def interrupted(*arguments: Any) -> None:
        if arguments[-1].states and arguments[-1].states not in seen_states:
            seen_states.append(arguments[-1].states)
            seen.append(1)
            if len(seen) == count:
                raise KeyboardInterrupt
        write_mark(*arguments)

    monkeypatch.setattr("sweepengine.store._chunk.write_mark", interrupted)
