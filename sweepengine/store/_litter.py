"""Litter: what killed writers have left in a store, and nothing refers to.

Only objects are litter whose names no later writer uses: they carry the number of a driver or an attempt, or a random
word. So a collection that is suspended and wakes late deletes nothing of a driver that has come meanwhile. What lies at
a name that follows from its content (data, predictions) stays, because the next driver may be writing it; so do users'
code and whatever has a name that this package does not give.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sweepengine.store._beats import WORKERS
from sweepengine.store._claim import claimed_epochs, read_claims, refuse_if_held
from sweepengine.store._marks import DamagedMarkError, Mark, attempt_of_mark, read_attempt
from sweepengine.store._nodes import is_of_runs
from sweepengine.store._objects import delete_objects, list_objects, remove_empty_folders, sizes_of
from sweepengine.store._publication import PUBLICATIONS
from sweepengine.store._relocate import is_block_name
from sweepengine.store._token import TOKENS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sweepengine.store._sweep_store import SweepStore
    from sweepengine.store._view import StoreView

_PARTIAL = re.compile(r"\.[0-9a-f]+\.partial$")
_TABLE = re.compile(r"runs/\d+-\d+/")
_LEGACY_TABLE = re.compile(r"runs/\w+/(zarr\.json|c/.*)")
_IN_BLOCKS = {
    "blocks": re.compile(r"(\w+/)?zarr\.json|\w+/c(/\d+)+"),
    "marks": re.compile(r"\d+/\d+\.json|\d+\.json"),
    "state": re.compile(r"\d+/\d+-\d+-[abk](-\d+)?\.npz"),
    "failures": re.compile(r"\d+\.json"),
}
"""First part of a key → what follows the name of a block there."""
_TOGETHER = 64
"""Objects that are deleted between two looks whether this process still holds the store."""

PUBLISHED = "earlier publications"
TABLES = "tables of runs of other publications"
BLOCKS = "blocks without runs: never published, or all moved away"
MOVED = "chunks whose runs have moved to another block"
MARKS = "marks of attempts that have ended, beside those that count"
STATES = "states that no mark names"
SIGNS = "claims, signs of life and tokens of processes that are gone"
HALVES = "halves of files"
KINDS = (PUBLISHED, TABLES, BLOCKS, MOVED, MARKS, STATES, SIGNS, HALVES)


@dataclass(frozen=True)
class Litter:
    """Objects of one kind that nothing refers to.

    Attributes
    ----------
    kind : str
        One of :data:`KINDS`.
    keys : tuple of str
    nbytes : int
    folders : frozenset of str
        Folders in which nothing will be written again.
    """

    kind: str
    keys: tuple[str, ...]
    nbytes: int
    folders: frozenset[str]


@dataclass
class _Chunk:
    """The objects of one chunk of runs beside its arrays."""

    marks: list[str] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    halves: list[str] = field(default_factory=list)


def find_litter(store: StoreView) -> list[Litter]:
    """Find what nothing refers to: not the newest publication, nor a mark that counts, nor an attempt that may write.

    Parameters
    ----------
    store : StoreView
        A store that exists. Nothing is changed.

    Returns
    -------
    list of Litter
        One for each kind of which there is any.
    """
    return _Search(store).litter()


def collect_litter(store: SweepStore, *, take_over: bool = False, told: Callable[[Litter], None] | None = None) -> None:
    """Delete what nothing refers to. Whenever this is killed, the store is whole, and the rest is litter as before.

    Parameters
    ----------
    store : SweepStore
        A store that exists; it is claimed, and published once more: without the blocks that hold no run, and so that no
        earlier driver that wakes can publish what is deleted here.
    take_over : bool
        Whether to take the store from a driver that still holds it.
    told : callable, optional
        Hears of each kind when it is deleted.

    Raises
    ------
    StoreError, RunError
        The store cannot be written, or another driver holds it or has taken it over.
    """
    try:
        store.claim(take_over=take_over)
        used = set() if store.table is None else set(store.table.blocks())
        store.mend(without=[name for name in store.nodes.names("blocks") if name not in used])
        for litter in find_litter(store):
            for start in range(0, len(litter.keys), _TOGETHER):
                # Whatever was listed was written under an earlier claim, as long as there is no later one.
                store.must_be_held()
                delete_objects(store.objects, litter.keys[start : start + _TOGETHER])
            for folder in sorted(litter.folders):
                remove_empty_folders(store.objects, folder)
            if told is not None:
                told(litter)
    finally:
        store.release()


def refuse_litter_of_the_living(store: StoreView) -> None:
    """Raise :class:`RunError` where a driver seems to be at work, whose objects would look like litter."""
    refuse_if_held([claim for claim in read_claims(store.objects) if claim.is_recent])


class _Search:
    """One pass over all keys of a store."""

    def __init__(self, store: StoreView) -> None:
        if store.publication is None:
            raise AssertionError("litter is looked for in a store that exists")
        self._store, self._publication = store, store.publication
        self._keys: dict[str, list[str]] = defaultdict(list)
        self._folders: dict[str, set[str]] = defaultdict(set)
        self._chunks: dict[tuple[str, int], _Chunk] = defaultdict(_Chunk)
        self._shapes = store.block_shapes()
        self._used = {block: store.used_chunks(block, shape) for block, shape in self._shapes.items()}
        nodes = store.nodes.content.items()
        self._arrays = {path for path, node in nodes if node["node_type"] == "array" and is_of_runs(path, node)}

    def litter(self) -> list[Litter]:
        """Everything that nothing refers to, by kind."""
        claims = claimed_epochs(self._store.objects)
        newest = max(claims, key=lambda key: claims[key], default="-")
        for key in list_objects(self._store.objects, ""):
            first = key.partition("/")[0]
            if first in _IN_BLOCKS and key.count("/") > 1:
                self._of_block(key)
            elif _PARTIAL.search(key):
                if not key.startswith(newest.removesuffix("json")):
                    self._add(HALVES, key)
            elif key.startswith(PUBLICATIONS) and key.endswith(".json"):
                if key != self._publication.generation.key:
                    self._add(PUBLISHED, key)
            elif first == "runs":
                self._of_table(key)
            elif key.startswith((WORKERS, TOKENS)) or (key in claims and key != newest):
                self._add(SIGNS, key)
        for (block, chunk), found in self._chunks.items():
            self._of_chunk(block, chunk, found)
        return [self._made(kind) for kind in KINDS if self._keys[kind]]

    def _made(self, kind: str) -> Litter:
        sizes = sizes_of(self._store.objects, self._keys[kind])
        return Litter(kind, tuple(sizes), sum(sizes.values()), frozenset(self._folders[kind]))

    def _add(self, kind: str, key: str, folder: str = "") -> None:
        self._keys[kind].append(key)
        if folder:
            self._folders[kind].add(folder)

    def _of_table(self, key: str) -> None:
        table = self._publication.table
        if key.startswith(f"{table}/") or key == "runs/zarr.json":
            return
        if _TABLE.match(key) or (table != "runs" and _LEGACY_TABLE.fullmatch(key)):
            self._add(TABLES, key, "/".join(key.split("/")[:2]))

    def _of_block(self, key: str) -> None:
        """Look at a key of a block: of its arrays, marks, states or failures."""
        first, block, rest = key.split("/", 2)
        is_half = _PARTIAL.search(key) is not None
        if not is_block_name(block) or not (is_half or _IN_BLOCKS[first].fullmatch(rest)):
            return
        chunk, used = self._chunk_of(first, block, rest), self._used.get(block)
        if is_half and chunk is None:
            self._add(HALVES, key)
        elif chunk is not None and (is_half or first == "marks" or (first == "state" and used and chunk in used)):
            # All marks of the chunk together say what becomes of it.
            self._note(key, first, block, chunk, is_half=is_half)
        elif used is None:
            self._add(BLOCKS, key, f"{first}/{block}")
        elif chunk is not None and chunk not in used:
            folder = {"blocks": f"blocks/{block}/{rest.partition('/')[0]}/c/{chunk}", "state": f"state/{block}/{chunk}"}
            self._add(MOVED, key, folder.get(first, ""))

    def _chunk_of(self, first: str, block: str, rest: str) -> int | None:
        """The chunk of runs that a key belongs to; None for what belongs to the whole block."""
        parts = rest.split("/")
        if first == "blocks":
            is_chunk = len(parts) > 2 and (block not in self._used or f"blocks/{block}/{parts[0]}" in self._arrays)
            parts = parts[2:] if is_chunk else [""]
        number = parts[0].partition(".")[0]
        if not number.isdigit():
            return None
        shape = self._shapes.get(block)
        return int(number) // shape.chunk_runs if first == "failures" and shape is not None else int(number)

    def _note(self, key: str, first: str, block: str, chunk: int, *, is_half: bool) -> None:
        found = self._chunks[block, chunk]
        if is_half:
            found.halves.append(key)
        elif first == "state":
            found.states.append(key)
        else:
            found.marks.append(key)

    def _of_chunk(self, block: str, chunk: int, found: _Chunk) -> None:
        """Look at the marks and states of a chunk. Where an attempt may still write, all of them stay."""
        is_used = chunk in self._used.get(block, ())
        if is_used and len(found.marks) < 2 and not (found.states or found.halves):
            return
        marks = self._marks(block, chunk, found.marks)
        if marks is None or any(mark.is_held for mark in marks.values()):
            return
        self._keys[HALVES] += found.halves
        if not is_used:
            kind, folder = (MOVED, f"marks/{block}/{chunk}") if block in self._used else (BLOCKS, f"marks/{block}")
            for key in found.marks:
                self._add(kind, key, folder)
            return
        counts = max(
            (key for key, mark in marks.items() if mark.runs), key=lambda key: marks[key].attempt, default=None
        )
        if counts is None:
            return  # a mark of layout version 2 may count
        named = {ref.key for ref in marks[counts].states}
        self._keys[MARKS] += [key for key in found.marks if key != counts]
        self._keys[STATES] += [key for key in found.states if key not in named]

    def _marks(self, block: str, chunk: int, keys: Iterable[str]) -> dict[str, Mark] | None:
        """The marks of a chunk's attempts by key; None if one is damaged, or has been deleted meanwhile."""
        marks: dict[str, Mark] = {}
        for key in keys:
            attempt = attempt_of_mark(key)
            if attempt is None:
                continue  # of layout version 2
            try:
                mark = read_attempt(self._store.objects, block, chunk, attempt)
            except DamagedMarkError:
                return None
            if mark is None:
                return None
            marks[key] = mark
        return marks
