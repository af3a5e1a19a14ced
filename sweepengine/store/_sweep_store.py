"""The driver's view of a store: create it, extend it, ask what is missing."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sweepengine.errors import RunError, StoreError
from sweepengine.spec import make_spec
from sweepengine.store._address import open_address, unwritable
from sweepengine.store._chunk import delete_states
from sweepengine.store._claim import (
    CLAIMS,
    DriverClaim,
    Heartbeat,
    check_claim,
    read_claims,
    refuse_if_held,
    take_claim,
)
from sweepengine.store._compatibility import refuse_other_settings
from sweepengine.store._create import (
    attributes_of,
    coordinates_of,
    create_block,
    describe,
    same_but_for_the_date,
    spec_entry,
    write_limit,
)
from sweepengine.store._data import data_path, given_path, read_data, read_given, write_data, write_given
from sweepengine.store._layout import block_path
from sweepengine.store._metadata import Metadata
from sweepengine.store._objects import delete_object, list_objects
from sweepengine.store._publication import PUBLICATIONS, ROOT_KEY, Generation
from sweepengine.store._relocate import move_chunk, stem_of
from sweepengine.store._run_table import RunTable, extended, new_columns, write_table
from sweepengine.store._view import StoreView

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from sweepengine.data import Dataset, Given
    from sweepengine.plugins import UserCode
    from sweepengine.spec import AnySpec
    from sweepengine.store._arrays import ChunkPlace
    from sweepengine.store._layout import Block, StoredArray

_OF_TASKS = ("blocks/", "code/", "failures/", "marks/", "state/", "workers/")
"""Beginnings of the keys that tasks write."""


class SweepStore(StoreView):
    """One store, as its driver sees it.

    Parameters
    ----------
    address : str or Path
        Local path or URL, ending in ``.zarr``. Nothing is created or changed before :meth:`claim`.
    durability : {"rename", "fsync"}
        What a change survives: any killed process, or a power cut too.

    Raises
    ------
    StoreError
        As for :class:`StoreView`.
    """

    def __init__(self, address: str | Path, durability: str = "rename") -> None:
        self._durability = durability
        self._claim: DriverClaim | None = None
        self._heartbeat: Heartbeat | None = None
        self._is_gone = False  # the claim, or so it may be
        super().__init__(address)

    def new_block(self, stem: str) -> str:
        """Id of a new block: its stem and the driver's epoch, so that no other driver makes a block of this name."""
        return f"{stem}-{self._epoch}"

    @property
    def _epoch(self) -> int:
        return self._last_epoch + 1 if self._claim is None else self._claim.epoch

    def claim(self, *, take_over: bool = False) -> bool:
        """Become the store's driver, creating the store's folder where there is none; to be called before any change.

        Parameters
        ----------
        take_over : bool
            Whether to take the store from a driver that still holds it.

        Returns
        -------
        bool
            Whether the store may have changed since it was read, so that a plan made from it must be made again.

        Raises
        ------
        StoreError
            The store cannot be written.
        RunError
            Another driver holds the store.
        """
        expected = self._last_epoch + 1
        try:
            self.objects = open_address(self.address, read_only=False, durability=self._durability)
            self._claim = take_claim(self.objects, self._last_epoch, take_over=take_over, is_legacy=self.is_legacy)
            self._heartbeat = Heartbeat(self.objects, self._claim)
        except RunError:
            raise
        except OSError as error:
            raise StoreError(f"store: {self.address} cannot be written: {error}; name another --store") from error
        return self.reload_if_changed() or self._claim.epoch != expected

    def must_be_free(self, *, take_over: bool) -> None:
        """Raise :class:`RunError` where another driver holds the store; :meth:`claim` looks again."""
        if self.exists and not take_over:
            refuse_if_held([claim for claim in read_claims(self.objects) if claim.is_fresh])

    def attempts(self, numbers: Mapping[int, int]) -> dict[int, int]:
        """Attempt numbers of this driver's next tries of some chunks.

        Parameters
        ----------
        numbers : mapping
            Chunk → how often the driver has tried it, this time included.

        Returns
        -------
        dict
            Chunk → attempt number.

        Raises
        ------
        RunError
            Another driver has taken over; of a far store it may be said one call later.
        """
        if self._heartbeat is not None:
            self._heartbeat.look()
        return {chunk: self._claimed().attempt(number) for chunk, number in numbers.items()}

    def attempt(self, number: int) -> int:
        """Attempt number of the ``number``-th try of a chunk, as :meth:`attempts` gives it."""
        return self.attempts({0: number})[0]

    def release(self) -> None:
        """Say that this driver has ended; if that cannot be written, the end of its heartbeat says so."""
        if self._heartbeat is not None:
            self._is_gone = True
            with suppress(OSError):
                self._is_gone = not self._heartbeat.end()
            self._heartbeat = None

    def tell(self, progress: Mapping[str, Any]) -> None:
        """Have the claim's next heartbeat say how far the driver is."""
        if self._heartbeat is not None:
            self._heartbeat.tell(progress)

    def must_be_held(self) -> None:
        """Raise :class:`RunError` where the store was removed, or another driver has taken it over."""
        self._held()

    def clear_removed(self) -> None:
        """Delete what tasks have written after their store was removed, so that the store can be made again.

        Nothing is deleted if there is still a publication, a root or a claim.
        """
        if not self._is_gone:
            return
        with suppress(OSError):
            keys = list_objects(self.objects, "")
            if any(key.startswith((ROOT_KEY, PUBLICATIONS, CLAIMS)) for key in keys):
                return
            for key in keys:
                if key.startswith(_OF_TASKS):
                    delete_object(self.objects, key)

    def _claimed(self) -> DriverClaim:
        if self._claim is None:
            raise AssertionError("a store is changed by the driver that has claimed it")
        return self._claim

    def _held(self) -> DriverClaim:
        claim = self._claimed()
        check_claim(self.objects, claim)
        return claim

    def _next(self) -> Metadata:
        """The next publication, which is as yet equal to the last."""
        claim, last = self._claimed(), self._publication
        number = 1
        if last is not None and last.generation.epoch == claim.epoch:
            number += last.generation.number
        return Metadata(self.objects, last, Generation(claim.epoch, number))

    def mend(self, without: Collection[str] = ()) -> None:
        """Publish again what the store holds, but for some blocks; this replaces lost, damaged and older copies.

        To be called before anything is changed: an earlier driver that wakes later cannot then hide this driver's
        commits with its own publication. A store of layout version 2 is carried over.
        """
        if self._publication is not None:
            metadata = self._next()
            for block in without:
                metadata.drop(block_path(block))
            self._publish(metadata, self.table if self.is_legacy else None)

    def relocate(self, block: str, chunk: int, attempt: int) -> ChunkPlace:
        """Move the runs of a chunk to a new block, away from an attempt that may still write where they are.

        Parameters
        ----------
        block, chunk
        attempt : int
            Number of the driver's next attempt at the chunk, as :meth:`attempts` gives it.

        Returns
        -------
        ChunkPlace
            The runs' new place: the only chunk of its block.

        Raises
        ------
        StoreError
            The store cannot be written.
        RunError
            Another driver has taken over.
        """
        metadata = self._next()
        shape = self.block_shapes().get(block)
        if self.table is None or shape is None or chunk not in self.used_chunks(block, shape):
            raise AssertionError(f"{block} chunk {chunk} holds no run that could move")
        old = self.place(block, shape, chunk)
        name = f"{stem_of(block)}-{metadata.generation}"
        move_chunk(metadata, old, name, attempt, self._held().copying)
        self._publish(metadata, self.table.moved(block, old.span, name))
        self._held()
        delete_states(old)
        return self.place(name, self.block_shapes()[name], 0)

    def _publish(self, metadata: Metadata, table: RunTable | None) -> None:
        """Publish; if the table of runs has changed, write ``table`` first. None leaves the table as it is."""
        if table is not None:
            if self._publication is not None:
                metadata.drop(self._publication.table)
            metadata.attributes["table"] = f"runs/{metadata.generation}"
            write_table(metadata, metadata.attributes["table"], table)
        metadata.write(self._held)
        self._publication = metadata.publish()
        self._table = table or self._table

    def check(self, spec: AnySpec, code: UserCode) -> None:
        """Refuse a spec whose fixed settings, or whose users' code, are not those of the store.

        Raises
        ------
        StoreError
            The message names each setting that differs.
        """
        if self.exists:
            refuse_other_settings(self, spec, code)

    def extend(
        self,
        spec: AnySpec,
        data: Sequence[Dataset],
        blocks: Sequence[Block],
        limits: Mapping[str, Mapping[str, StoredArray]],
        code: UserCode,
        given: Sequence[Given] = (),
        references: Mapping[str, float] | None = None,
        reason: str = "",
    ) -> None:
        """Create the store, or add new blocks beside the old; existing arrays are not touched.

        Parameters
        ----------
        spec : AnySpec
        data : sequence of Dataset
            Every set of data that the spec's runs read.
        blocks : sequence of Block
            Blocks of runs that the store does not hold yet; may be empty.
        limits : mapping
            Limit id → name → array: what infinite width predicts for the runs of the new blocks.
        code : UserCode
            The users' code that the spec uses; its versions and hashes go into the provenance.
        given : sequence of Given
            Given weights, reference cloud or grid that the runs need beside the data.
        references : mapping, optional
            Largest eigenvalues of reference kernels, for later plans.
        reason : str
            Why the runs are added, where a refinement has decided it; kept in the provenance.

        Raises
        ------
        StoreError
            The store's data are not what was written.
        RunError
            The store cannot be written any more, or another driver has taken over.
        """
        # What the store had must be what was written; what is written now needs no look.
        had = [each.id for each in data if data_path(each.id) in self.nodes]
        had_given = [each for each in given if given_path(each.kind, each.id) in self.nodes]
        try:
            self._extend(spec, data, blocks, limits, code, given, references or {}, reason)
        except (StoreError, RunError):
            raise
        except OSError as error:
            raise unwritable(self.address, error) from error
        for data_id in had:
            read_data(self.objects, self.nodes, data_id)
        for item in had_given:
            read_given(self.objects, self.nodes, item.kind, item.id)

    def _extend(
        self,
        spec: AnySpec,
        data: Sequence[Dataset],
        blocks: Sequence[Block],
        limits: Mapping[str, Mapping[str, StoredArray]],
        code: UserCode,
        given: Sequence[Given],
        references: Mapping[str, float],
        reason: str,
    ) -> None:
        metadata = self._next()
        entry, specs = spec_entry(spec, code, reason), list(metadata.attributes.get("specs", []))
        swept = new_columns(self.table, spec, [make_spec(older["spec"]) for older in specs[-1:]])
        if not (blocks or swept) and any(same_but_for_the_date(entry, older) for older in specs):
            return
        known = self.datasets()
        new = [{"id": each.id, "settings": dict(each.settings)} for each in data]
        more = f" and {len(data) - 1} more sets of data" if len(data) > 1 else ""
        summary = f"Runs of {spec.kind} on {data[0].description}{more}, written by sweepengine."
        describe(metadata, [*specs, entry], summary, [*known, *(each for each in new if each not in known)])
        if references:
            metadata.attributes["references"] = {**self.references(), **references}
        for each in data:
            if data_path(each.id) not in metadata:
                write_data(metadata, each)
        for item in given:
            metadata.attributes[item.kind] = item.id
            if given_path(item.kind, item.id) not in metadata:
                write_given(metadata, item)
        for limit, arrays in limits.items():
            write_limit(metadata, limit, arrays)
        for block in blocks:
            create_block(metadata, block.id, block.shape, attributes_of(block), coordinates_of(block))
        self._publish(metadata, extended(self.table, blocks, swept) if blocks or swept else None)
