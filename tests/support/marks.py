"""Marks as tests change them, and the moment at which a chunk's mark is written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweepengine.store import SweepStore, read_mark
from sweepengine.store._marks import write_mark

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from zarr.abc.store import Store

    from sweepengine.store import Mark


def instead_of_marks(monkeypatch: pytest.MonkeyPatch, act: Callable[[Mark, Callable[[], None]], None]) -> None:
    """Have ``act`` called in place of each writing of a mark, with the mark and with what writes it."""

    def acted(store: Store, block: str, chunk: int, mark: Mark) -> None:
        act(mark, lambda: write_mark(store, block, chunk, mark))

    monkeypatch.setattr("sweepengine.store._chunk.write_mark", acted)


def put_mark(objects: Store, block: str, mark: Mark) -> None:
    """Write a mark of a block's first chunk."""
    write_mark(objects, block, 0, mark)


def change_mark(store: str | Path, block: str, **changes: Any) -> None:
    """Write the mark of a block's first chunk again with other fields, whole and sealed."""
    objects = SweepStore(store).objects.with_read_only(read_only=False)
    mark = read_mark(objects, block, 0)
    assert mark is not None
    write_mark(objects, block, 0, replace(mark, **changes))


def marks_at(store: str | Path, block: str) -> dict[int, dict[str, Any]]:
    """Attempt → content of its mark of a block's first chunk, as they lie in a store."""
    paths = sorted((Path(store) / "marks" / block / "0").glob("*.json"))
    return {int(path.stem): json.loads(path.read_text()) for path in paths}
