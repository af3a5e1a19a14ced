"""Moving the runs of a chunk to a new block, away from an attempt that may still write where they were.

The new block holds the runs of the chunk in their order, and of each run what the mark's digests confirm. It has a name
that nobody else knows, and the runs are there once the driver has published its table.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from sweepengine.errors import StoreError
from sweepengine.observe import SNAPSHOT
from sweepengine.store._attempts import check_attempt
from sweepengine.store._chunk import write_run_arrays
from sweepengine.store._create import create_block
from sweepengine.store._digests import digest
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
from sweepengine.store._part import ALONE, ChunkPart, ChunkPlace
from sweepengine.store._process import Process

if TYPE_CHECKING:
    from sweepengine.store._metadata import Metadata

_STEM = re.compile(r"w\d+-d\d+-[0-9a-f]+")


def stem_of(block: str) -> str:
    """What a block's id says of its runs, without who has made it."""
    found = _STEM.match(block)
    if found is None:
        raise StoreError(f"store: found the block {block!r}, which is no name of a block")
    return found[0]


def move_chunk(metadata: Metadata, old: ChunkPlace, block: str, attempt: int, copying: int) -> ChunkPlace:
    """Copy a chunk to a new block of its own; nothing shows it before ``metadata`` is published.

    Parameters
    ----------
    metadata : Metadata
    old : ChunkPlace
    block : str
        Id of the new block.
    attempt : int
        Number of an attempt of the driver's own at the old place, which no worker has.
    copying : int
        Number of the attempt that the copy counts as.

    Raises
    ------
    SupersededError
        A later driver's attempt has the chunk.

    Returns
    -------
    ChunkPlace
        The only chunk of the new block.
    """
    # So that the attempt that holds it stops at its next commit instead of computing for nobody.
    write_mark(old.store, old.block, old.chunk, Mark(attempt, released=True))
    check_attempt(old.store, old.block, old.chunk, attempt)
    first, stop = old.span
    attributes = old.nodes.attributes(block_path(old.block))
    shape = replace(old.shape, runs=stop - first)
    instants = [SCHEDULES[dim] for dim in ("record", SNAPSHOT) if dim in shape.sizes]
    names = [*(name for pair in instants for name in pair), *shape.labels]
    coordinates = {name: old.nodes.values(old.store, block_path(old.block, name)) for name in names}
    create_block(metadata, block, shape, {k: v for k, v in attributes.items() if k != "shape"}, coordinates)
    new = ChunkPlace(old.store, metadata.nodes, block, shape, 0)
    write_mark(new.store, block, 0, _copied(old, new, Mark(copying, (Process.current(),), released=True)))
    return new


def _copied(old: ChunkPlace, new: ChunkPlace, made: Mark) -> Mark:
    """Copy records and states, and say so in a mark; what is not as the old mark says is left out."""
    try:
        mark = read_mark(old.store, old.block, old.chunk)
    except DamagedMarkError:
        mark = None
    first, stop = old.span
    if mark is None:
        return replace(made, runs=(RunMark(),) * (stop - first))
    runs = mark.runs
    tails: dict[str, str] = {}
    names = [variable.name for variable in old.shape.variables]
    for name in names:  # one at a time: a chunk may hold much
        found = ChunkPart(old, ALONE, only=(name,)).load(runs)
        runs = tuple(
            run if all(run.digests.get(each) == value for each, value in digests.items()) else RunMark()
            for run, digests in zip(runs, found, strict=True)
        )
    for name in names:
        source, target = (ChunkPart(place, ALONE, only=(name,)) for place in (old, new))
        source.load(runs)
        target.take(source, [run.records_done for run in runs])
        target.write()
        tails |= target.tails
    write_run_arrays(new, runs)
    states = tuple(moved for ref in mark.states if (moved := _moved_state(old, new, ref)) is not None)
    return replace(made, runs=runs, states=states, tails=tails)


def _moved_state(old: ChunkPlace, new: ChunkPlace, ref: StateRef) -> StateRef | None:
    content = get_object(old.store, ref.key)
    if content is None or digest(content) != ref.digest:
        return None
    first, _ = old.span
    key = state_prefix(new.block, 0) + ref.key.removeprefix(state_prefix(old.block, old.chunk))
    put_object(new.store, key, content)
    return replace(ref, key=key, positions=tuple(position - first for position in ref.positions))
