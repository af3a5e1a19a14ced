"""Packs: the missing runs of a block, cut into tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sweepengine.spec import AnyRun
    from sweepengine.store import BlockShape, RunPlace, Start

SHORTEST_PACK = 2.0
"""Chunks of a block are joined into one task until it is estimated to take this many seconds."""


@dataclass(frozen=True)
class Pack:
    """The content of one task: whole chunks of one block.

    Attributes
    ----------
    block : str
    shape : BlockShape
    chunks : tuple of int
    runs : dict
        Position in the block → run, for the runs of the sweep that are missing in the store.
    seconds : float
        Estimated time of the task.
    beside : dict
        Position of an addition → the places of what the store has of its run, with which it is compared.
    starts : dict
        Position of a run that goes on from the end of a shorter one → from where.
    """

    block: str
    shape: BlockShape
    chunks: tuple[int, ...]
    runs: dict[int, AnyRun]
    seconds: float
    beside: dict[int, tuple[RunPlace, ...]]
    starts: dict[int, Start]


def packs_of(
    block: str,
    shape: BlockShape,
    runs: Mapping[int, AnyRun],
    seconds: float,
    beside: Mapping[int, tuple[RunPlace, ...]],
    starts: Mapping[int, Start],
) -> Iterator[Pack]:
    """Cut runs of a block into packs of whole chunks.

    Parameters
    ----------
    block, shape
    runs : mapping
        Position in the block → run.
    seconds : float
        Estimated seconds of each run.
    beside, starts : mapping
        As :class:`Pack` has them.
    """
    by_chunk: dict[int, dict[int, AnyRun]] = {}
    for position in sorted(runs):
        by_chunk.setdefault(position // shape.chunk_runs, {})[position] = runs[position]

    def pack(chunks: list[int], held: dict[int, AnyRun]) -> Pack:
        places = {position: beside[position] for position in held if position in beside}
        begun = {position: starts[position] for position in held if position in starts}
        return Pack(block, shape, tuple(chunks), held, len(held) * seconds, places, begun)

    chunks: list[int] = []
    held: dict[int, AnyRun] = {}
    for chunk, here in by_chunk.items():
        chunks.append(chunk)
        held |= here
        if len(held) * seconds >= SHORTEST_PACK:
            yield pack(chunks, held)
            chunks, held = [], {}
    if held:
        yield pack(chunks, held)
