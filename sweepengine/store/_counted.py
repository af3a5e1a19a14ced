"""The marks of a block as they count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweepengine.store._layout import block_path
from sweepengine.store._marks import DamagedMarkError, Mark, read_mark
from sweepengine.store._objects import list_objects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zarr.abc.store import Store

    from sweepengine.store._layout import BlockShape


def counted(
    store: Store, block: str, shape: BlockShape, used: set[int], marks: list[Mark | DamagedMarkError | None]
) -> Iterator[Mark | DamagedMarkError | None]:
    """Yield the mark of each chunk: None if its runs have been moved, an error if it is lost.

    Parameters
    ----------
    store, block, shape
    used : set of int
        The chunks that hold runs by the table of runs.
    marks : list
        The marks as they were read a moment ago.
    """
    if any(marks[chunk] is None for chunk in used):
        for chunk in (chunk for chunk in _written_chunks(store, block) & used if marks[chunk] is None):
            # A worker may have begun since the marks were read; it writes its mark before anything else.
            marks[chunk] = read_mark(store, block, chunk) or DamagedMarkError(
                f"the mark of {block} chunk {chunk} is lost; `sweepengine repair` has its runs computed again"
            )
    for chunk, mark in enumerate(marks):
        first, stop = shape.chunk_span(chunk)
        if chunk not in used:  # whatever is still written there does not count
            yield None
        elif isinstance(mark, Mark) and len(mark.runs) != stop - first:  # layout version 2 did not seal its marks
            yield DamagedMarkError(f"the mark of {block} chunk {chunk} speaks of {len(mark.runs)} runs")
        else:
            yield mark


def _written_chunks(store: Store, block: str) -> set[int]:
    """The chunks of a block whose status has been written, so that they must have a mark."""
    prefix = f"{block_path(block, 'status')}/c/"
    names = (key.removeprefix(prefix) for key in list_objects(store, prefix))
    return {int(name) for name in names if name.isdigit()}
