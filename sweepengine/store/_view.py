"""What is in a store, for everybody who reads it: publications, the table of runs, marks."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from sweepengine.data import Given
from sweepengine.errors import DamagedError, StoreError
from sweepengine.spec import make_spec, words_of_targets
from sweepengine.store._address import local_folder, normalise_address, open_address
from sweepengine.store._arrays import ChunkPlace
from sweepengine.store._claim import claimed_epochs, epoch_of
from sweepengine.store._counted import counted
from sweepengine.store._data import GIVEN_KINDS, data_path, given_path, read_given, stored_dataset
from sweepengine.store._layout import BlockShape, block_path
from sweepengine.store._marks import DamagedMarkError, Mark, attempt_of_mark, read_mark, read_marks, runs_of
from sweepengine.store._nodes import Nodes
from sweepengine.store._objects import BrokenSealError, list_objects
from sweepengine.store._publication import LEGACY, Publication, newest_generation, read_publication
from sweepengine.store._run_table import RunTable, read_table
from sweepengine.store._strangers import refuse_strangers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from zarr.abc.store import Store

    from sweepengine.data import Dataset, GivenKind
    from sweepengine.spec import DataSection
    from sweepengine.store._marks import RunMark


class StoreView:
    """One store, as its readers see it.

    Parameters
    ----------
    address : str or Path
        Local path or URL, ending in ``.zarr``. Nothing is created or changed.

    Attributes
    ----------
    address : str
    objects : Store
        All objects, read-only.

    Raises
    ------
    StoreError
        There is something at the address that is not a store of this project, is damaged, or is of another version of
        its layout.
    """

    def __init__(self, address: str | Path) -> None:
        self.address = normalise_address(address)
        folder = local_folder(self.address)
        if folder is not None and folder.exists() and not folder.is_dir():
            raise StoreError(
                f"store: {self.address} is a file, and a store is a folder; name another, or move the file"
            )
        # Opening a local store for writing creates its folder, so that waits until there is something to write.
        self.objects: Store = open_address(self.address, read_only=True)
        self._table: RunTable | None = None
        self._epoch_before: int | None = None
        self._publication: Publication | None = None
        self.reload()

    def reload(self) -> None:
        """Read the newest publication."""
        self._publication, self._table, self._epoch_before = None, None, None
        with self._reading():
            try:
                self._publication = read_publication(self.objects)
            except (FileNotFoundError, NotADirectoryError):
                return
            if self._publication is None:
                refuse_strangers(self.objects)

    def reload_if_changed(self) -> bool:
        """Read the newest publication if it is another one than was read before. Returns whether it is."""
        with self._reading():
            newest = newest_generation(self.objects) or LEGACY
        if newest == (LEGACY if self._publication is None else self._publication.generation):
            return False
        self.reload()
        return True

    @property
    def table(self) -> RunTable | None:
        """The table of runs; None if nothing has been published. It is read when it is first asked for.

        Raises
        ------
        StoreError
            The table is not what was written.
        """
        publication = self._publication
        if self._table is None and publication is not None and f"{publication.table}/id" in publication.nodes:
            with self._reading():
                self._table = read_table(self.objects, publication)
        return self._table

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Name the store in the errors that reading it raises."""
        try:
            yield
        except BrokenSealError as error:
            raise DamagedError(
                f"store: {self.address} has damaged metadata: {error}; restore its zarr.json, or name another --store"
            ) from error
        except StoreError as error:
            raise type(error)(f"store: {self.address}: {str(error).removeprefix('store: ')}") from error
        except OSError as error:
            raise StoreError(f"store: {self.address} cannot be read: {error}") from error

    @property
    def _last_epoch(self) -> int:
        """The highest epoch that the store names, as it was when it was first asked for."""
        if self._epoch_before is None:
            with self._reading():
                self._epoch_before = max([0, *self._epochs()])
        return self._epoch_before

    def _epochs(self) -> list[int]:
        epochs = list(claimed_epochs(self.objects).values())
        if self._publication is not None and not epochs:
            # The claims are lost, but there may be marks of later epochs.
            attempts = (attempt_of_mark(key) for key in list_objects(self.objects, "marks/"))
            epochs += [epoch_of(attempt) for attempt in attempts if attempt is not None]
        return epochs if self._publication is None else [*epochs, self._publication.generation.epoch]

    @property
    def exists(self) -> bool:
        """Whether anything has been published."""
        return self._publication is not None

    @property
    def publication(self) -> Publication | None:
        """The newest publication; None if nothing has been published."""
        return self._publication

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes of the root."""
        return {} if self._publication is None else self._publication.attributes

    @property
    def nodes(self) -> Nodes:
        """The published groups and arrays."""
        return Nodes() if self._publication is None else self._publication.nodes

    @property
    def troubles(self) -> tuple[str, ...]:
        """What is wrong with the copies of the newest publication; :meth:`SweepStore.mend` puts them back."""
        return () if self._publication is None else self._publication.troubles

    @property
    def is_legacy(self) -> bool:
        """Whether the store is of layout version 2; the first driver that writes carries it over."""
        return self._publication is not None and self._publication.generation == LEGACY

    def must_exist(self) -> None:
        """Raise :class:`StoreError` where nothing has been written yet."""
        if not self.exists:
            raise StoreError(f"store: there is nothing at {self.address}; `sweepengine run SPEC` writes a store")

    def datasets(self) -> list[dict[str, Any]]:
        """``id`` and ``settings`` of every set of data in the store, as :class:`sweepengine.data.Dataset` has them."""
        if "datasets" in self.attributes:
            return list(self.attributes["datasets"])
        if not self.exists:
            return []
        section = make_spec(self.attributes["specs"][-1]["spec"]).data
        return [{"id": self.attributes["data"], "settings": {} if section is None else section.settings()}]

    def dataset(self, section: DataSection) -> Dataset | None:
        """The data of a section, where the store has them; None where it has not, and where they must be made anew.

        They are made anew where the section does not determine them, and where a spec of the store names its targets in
        other words, which may mean others.
        """
        if not section.is_recipe:
            return None
        sections = (make_spec(entry["spec"]).data for entry in self.attributes.get("specs", ()))
        if any(words_of_targets(each) != words_of_targets(section) for each in sections):
            return None
        settings = section.settings()
        for stored in self.datasets():
            if stored["settings"] == settings:
                with suppress(StoreError):
                    return stored_dataset(self.objects, self.nodes, stored["id"], settings)
        return None

    def given(self, kind: GivenKind, given_id: str) -> Given | None:
        """The arrays of a kind that the store was given; None where it has others, or not what was written."""
        if self.attributes.get(kind) == given_id:
            with suppress(StoreError):
                return Given(kind, given_id, read_given(self.objects, self.nodes, kind, given_id))
        return None

    def check_contents(self, data: Sequence[Dataset], given: Sequence[Given]) -> None:
        """Refuse data, given weights, a reference cloud or a grid with another content than those of the store.

        Only the content counts, not where the files lie. Data of settings that the store has not are new in it.

        Raises
        ------
        StoreError
            A content is not what the store has.
        """
        if not self.exists:
            return
        known = self.datasets()
        for each in data:
            same = [stored["id"] for stored in known if stored["settings"] == each.settings]
            if same and each.id not in same:
                self._refuse_content("data", same[0], each.id)
        for kind, ours in (dict.fromkeys(GIVEN_KINDS, "") | {each.kind: each.id for each in given}).items():
            theirs = self.attributes.get(kind, "")
            if theirs != ours:
                self._refuse_content(kind, theirs, ours)

    def _refuse_content(self, name: str, theirs: str, ours: str) -> None:
        raise StoreError(
            f"store: {self.address} was written with other {name} (content {theirs or 'none'}, now "
            f"{ours or 'none'}); name another --store, or go back to the {name} of the store"
        )

    def places(self) -> dict[str, tuple[str, int]]:
        """Run id → (block, position) of every run in the store."""
        return {} if self.table is None else self.table.places()

    def adds_to(self) -> dict[str, str]:
        """Id of each addition in the store → id of the run to which it belongs."""
        return {} if self.table is None else self.table.adds_to

    def block_shapes(self) -> dict[str, BlockShape]:
        """Shapes of all blocks in the store.

        Raises
        ------
        StoreError
            The table of runs and the blocks do not fit each other.
        """
        if self.table is None:
            return {}
        try:
            return {
                block: BlockShape.from_json(self.nodes.attributes(block_path(block))["shape"])
                for block in self.table.blocks()
            }
        except (ValueError, TypeError, KeyError) as error:
            raise DamagedError(
                f"store: {self.address} has a table of runs that does not fit its blocks ({type(error).__name__}: "
                f"{error}); restore it, or name another --store"
            ) from error

    def place(self, block: str, shape: BlockShape, chunk: int) -> ChunkPlace:
        """One chunk of a block."""
        return ChunkPlace.of(self.objects, self.nodes, block, shape, chunk)

    def nodes_of(self, blocks: Iterable[str], data_id: str, given: Sequence[Given]) -> Nodes:
        """The nodes that a task reads and writes: of blocks, of the data and of what is given beside them."""
        groups = [*map(block_path, blocks), data_path(data_id), *(given_path(each.kind, each.id) for each in given)]
        return self.nodes.below(groups)

    def references(self) -> dict[str, float]:
        """Largest eigenvalues of the reference kernels from which automatic step sizes of the store follow, by id."""
        return dict(self.attributes.get("references", {}))

    def limits(self) -> set[str]:
        """Ids of the infinite-width predictions in the store."""
        return set(self.nodes.names("theory"))

    def used_chunks(self, block: str, shape: BlockShape) -> set[int]:
        """The chunks of a block that hold runs by the table of runs; the runs of other chunks have been moved."""
        positions = [] if self.table is None else self.table.positions.get(block, [])
        return {position // shape.chunk_runs for position in positions}

    def mark(self, block: str, chunk: int) -> Mark | None:
        """The mark of what a chunk has committed; None before the first attempt."""
        return read_mark(self.objects, block, chunk)

    def marks(
        self, shapes: Mapping[str, BlockShape], damaged: dict[tuple[str, int], DamagedMarkError] | None = None
    ) -> Iterator[tuple[str, list[Mark | None]]]:
        """The mark of every chunk of some blocks; None before the first attempt, and if the runs have been moved.

        Parameters
        ----------
        shapes : mapping
            Block → its shape.
        damaged : dict, optional
            Receives (block, chunk) → error for every damaged mark, which is None in the list then.

        Yields
        ------
        (str, list of Mark or None)
            A block and its marks, in the order of ``shapes``.

        Raises
        ------
        DamagedMarkError
            A mark is damaged, and ``damaged`` is not given.
        """
        for block, marks in read_marks(self.objects, {block: shape.n_chunks for block, shape in shapes.items()}):
            intact: list[Mark | None] = []
            used = self.used_chunks(block, shapes[block])
            for chunk, mark in enumerate(counted(self.objects, block, shapes[block], used, marks)):
                if not isinstance(mark, DamagedMarkError):
                    intact.append(mark)
                    continue
                if damaged is None:
                    raise mark
                damaged[block, chunk] = mark
                intact.append(None)
            yield block, intact

    def run_marks(self, shapes: Mapping[str, BlockShape]) -> Iterator[tuple[str, list[RunMark | None]]]:
        """The mark of each run of some blocks, by position, as :meth:`marks` yields those of chunks.

        Raises
        ------
        DamagedMarkError
            A mark is damaged.
        """
        for block, marks in self.marks(shapes):
            yield block, runs_of(shapes[block], marks)
