"""The arrays of a block, opened once and written side by side, and the place of a chunk of runs in them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sweepengine.store._layout import CHUNK_LIMIT, RUN_ARRAYS, block_path
from sweepengine.store._tails import TailRecorder
from sweepengine.store._zarr import sync

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import zarr
    from numpy.typing import NDArray
    from zarr.abc.store import Store

    from sweepengine.store._layout import BlockShape
    from sweepengine.store._nodes import Nodes

Part = tuple[str, tuple[slice, ...], "NDArray[Any]"]
"""Name of an array, the place in it, and the values for the place."""


class BlockArrays:
    """The arrays of a block, each opened when it is first used.

    Parameters
    ----------
    store : Store
    nodes : Nodes
        The published nodes, those of the block at least.
    block : str
        Id of the block.
    """

    def __init__(self, store: Store, nodes: Nodes, block: str) -> None:
        self.store, self.nodes, self.block = store, nodes, block
        self._recorder = TailRecorder(store, block_path(block) + "/")
        self._opened: dict[str, zarr.Array[Any]] = {}

    def __getitem__(self, name: str) -> zarr.Array[Any]:
        if name not in self._opened:
            self._opened[name] = self.nodes.array(self._recorder, block_path(self.block, name))
        return self._opened[name]

    def write(self, parts: Sequence[Part]) -> dict[str, str]:
        """Write parts of arrays; no two of them may touch one stored chunk.

        Small parts are written side by side, since each waits for the disk or the network; together they are no larger
        than one large chunk, because a copy is made of what is written.

        Returns
        -------
        dict of str
            Tails of the stored chunks of variables that were written, as :class:`Mark` has them.
        """

        async def together(some: Sequence[Part]) -> list[BaseException | None]:
            writes = (self[name].async_array.setitem(place, values) for name, place, values in some)
            return await asyncio.gather(*writes, return_exceptions=True)  # an error must not leave others at work

        self._recorder.tails.clear()
        for some in _in_groups(parts):
            for error in sync(together(some)):
                if error is not None:
                    raise error
        tails = self._recorder.tails.items()
        return {key: tail for key, tail in tails if key.partition("/")[0] not in RUN_ARRAYS}


@dataclass(frozen=True)
class ChunkPlace:
    """One chunk of runs of a published block.

    Attributes
    ----------
    arrays : BlockArrays
        The arrays of the block.
    shape : BlockShape
        Shape of the block.
    chunk : int
        Index of the chunk along ``run``.
    """

    arrays: BlockArrays
    shape: BlockShape
    chunk: int

    @classmethod
    def of(cls, store: Store, nodes: Nodes, block: str, shape: BlockShape, chunk: int = 0) -> ChunkPlace:
        """A chunk of a block whose arrays are not open yet."""
        return cls(BlockArrays(store, nodes, block), shape, chunk)

    def at(self, chunk: int) -> ChunkPlace:
        """Another chunk of the block, with the arrays that are open already."""
        return replace(self, chunk=chunk)

    @property
    def store(self) -> Store:
        """The store that holds the block."""
        return self.arrays.store

    @property
    def nodes(self) -> Nodes:
        """The published nodes, those of the block at least."""
        return self.arrays.nodes

    @property
    def block(self) -> str:
        """Id of the block."""
        return self.arrays.block

    @property
    def span(self) -> tuple[int, int]:
        """Position of its first run in the block, and the first position after it."""
        return self.shape.chunk_span(self.chunk)


def _in_groups(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """The parts in their order, in groups of at most :data:`CHUNK_LIMIT` bytes or of one part."""
    group, held = list[Any](), 0
    for part in parts:
        if group and held + part[2].nbytes > CHUNK_LIMIT:
            yield group
            group, held = [], 0
        group.append(part)
        held += part[2].nbytes
    if group:
        yield group
