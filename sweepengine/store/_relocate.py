"""Moving the runs of a chunk to a new block, away from an attempt that may still write where they were.

The new block holds the runs of the chunk in their order, with the records that the mark's digests confirm. It has a
name that nobody else knows, and readers find the runs there once the driver has published its table.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from sweepengine.errors import StoreError
from sweepengine.observe import SNAPSHOT
from sweepengine.store._arrays import ChunkPlace
from sweepengine.store._attempts import check_attempt
from sweepengine.store._create import create_block
from sweepengine.store._digests import digest
from sweepengine.store._failures import copy_failures
from sweepengine.store._layout import SCHEDULES, block_path
from sweepengine.store._marks import (
    DamagedMarkError,
    Mark,
    RunMark,
    StateRef,
    read_mark,
    state_prefix,
    write_mark,
)
from sweepengine.store._objects import get_object, put_object
from sweepengine.store._part import ALONE, ChunkPart
from sweepengine.store._process import Process

if TYPE_CHECKING:
    from sweepengine.store._metadata import Metadata

_STEM = re.compile(r"w\d+-d\d+-[0-9a-f]+")
_NAME = re.compile(rf"{_STEM.pattern}(-\d+){{0,2}}")
"""A stem, then what made the block: nothing in layout version 2, a driver's epoch, or the publication of a move."""


def is_block_name(text: str) -> bool:
    """Whether a text is a name that this package gives a block."""
    return _NAME.fullmatch(text) is not None


def stem_of(block: str) -> str:
    """The part of a block's id that describes its runs, without the part that names the driver."""
    stem = _STEM.match(block)
    if stem is None:
        raise StoreError(f"store: found the block {block!r}, which is no name of a block")
    return stem[0]


def move_chunk(metadata: Metadata, old: ChunkPlace, block: str, attempt: int, copying: int) -> ChunkPlace:
    """Copy a chunk to a new block of its own; no reader sees the block before ``metadata`` is published.

    Parameters
    ----------
    metadata : Metadata
        The next publication, which receives the new block.
    old : ChunkPlace
        The chunk.
    block : str
        Id of the new block.
    attempt : int
        Number of an attempt at the old place that is the driver's own: no worker has it.
    copying : int
        Number of the attempt under which the copy is committed.

    Returns
    -------
    ChunkPlace
        The only chunk of the new block.

    Raises
    ------
    SupersededError
        A later driver's attempt has the chunk.
    """
    # This mark stops the attempt that holds the chunk at its next commit; otherwise it would compute for nobody.
    write_mark(old.store, old.block, old.chunk, Mark(attempt, released=True))
    check_attempt(old.store, old.block, old.chunk, attempt)
    first, stop = old.span
    attributes = old.nodes.attributes(block_path(old.block))
    shape = replace(old.shape, runs=stop - first, chunk_runs=stop - first)
    instants = [SCHEDULES[dim] for dim in ("record", SNAPSHOT) if dim in shape.sizes]
    names = [*(name for pair in instants for name in pair), *shape.labels]
    coordinates = {name: old.nodes.values(old.store, block_path(old.block, name)) for name in names}
    create_block(metadata, block, shape, {k: v for k, v in attributes.items() if k != "shape"}, coordinates)
    new = ChunkPlace.of(old.store, metadata.nodes, block, shape)
    copy_failures(old.store, old.block, old.span, block)
    write_mark(new.store, block, 0, _copied(old, new, Mark(copying, (Process.current(),), released=True)))
    return new


def _copied(old: ChunkPlace, new: ChunkPlace, blank: Mark) -> Mark:
    """Copy the records and states that match the old mark; return ``blank`` with what was copied."""
    try:
        mark = read_mark(old.store, old.block, old.chunk)
    except DamagedMarkError:
        mark = None
    first, stop = old.span
    if mark is None:
        return replace(blank, runs=(RunMark(),) * (stop - first))
    runs = mark.runs
    tails: dict[str, str] = {}
    names = [variable.name for variable in old.shape.variables]
    for name in names:  # one at a time: a chunk may hold much
        loaded = ChunkPart(old, ALONE, only=(name,)).load(runs)
        runs = tuple(
            run if all(run.digests.get(key, "") == value for key, value in digests.items()) else RunMark()
            for run, digests in zip(runs, loaded, strict=True)
        )
    for name in names:
        source, target = (ChunkPart(place, ALONE, only=(name,)) for place in (old, new))
        source.load(runs)
        target.take(source, [run.records_done for run in runs])
        tails |= target.write()
    ChunkPart(new, ALONE, only=()).write(runs)
    states = tuple(moved for ref in mark.states if (moved := _moved_state(old, new, ref)) is not None)
    return replace(blank, runs=runs, states=states, tails=tails)


def _moved_state(old: ChunkPlace, new: ChunkPlace, ref: StateRef) -> StateRef | None:
    content = get_object(old.store, ref.key)
    if content is None or digest(content) != ref.digest:
        return None
    first, _ = old.span
    key = state_prefix(new.block, 0) + ref.key.removeprefix(state_prefix(old.block, old.chunk))
    put_object(new.store, key, content)
    return replace(ref, key=key, positions=tuple(position - first for position in ref.positions))
