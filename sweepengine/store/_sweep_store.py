"""The driver's view of a store: create it, extend it, ask what is missing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from sweepengine.errors import StoreError
from sweepengine.observe import SNAPSHOT
from sweepengine.store._address import normalise_address, open_address
from sweepengine.store._claim import CLAIM_KEY, Claim, check_claim, end_claim, take_claim
from sweepengine.store._compatibility import refuse_other_settings
from sweepengine.store._data import GIVEN_KINDS, data_path, given_path, read_data, read_given, write_data, write_given
from sweepengine.store._layout import (
    SCHEDULES,
    SCHEMA_VERSION,
    Block,
    BlockShape,
    StoredArray,
    block_path,
    limit_path,
)
from sweepengine.store._marks import read_mark
from sweepengine.store._metadata import ROOT_KEY, Metadata
from sweepengine.store._objects import delete_object, get_object, list_objects
from sweepengine.store._provenance import provenance
from sweepengine.store._run_table import RunTable, extend_table, read_table
from sweepengine.store._status import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from zarr.abc.store import Store

    from sweepengine.data import Dataset, Given
    from sweepengine.plugins import UserCode
    from sweepengine.spec import AnySpec
    from sweepengine.store._marks import Mark, RunMark

_CONVENTIONS = "CF-1.11 ACDD-1.3"


class SweepStore:
    """One store, as its driver sees it.

    Parameters
    ----------
    address : str or Path
        Local path or URL, ending in ``.zarr``. Nothing is created or changed before :meth:`claim`.

    Raises
    ------
    StoreError
        There is something at the address that is not a store of this project, is damaged, or is of another version of
        its layout.
    """

    def __init__(self, address: str | Path) -> None:
        self.address = normalise_address(address)
        # Opening a local store for writing creates its folder, so that waits until there is something to write.
        self.objects: Store = open_address(self.address, read_only=True)
        self._claim: Claim | None = None
        self._root: bytes | None = None
        self.reload()

    def reload(self) -> bool:
        """Look again; whether anything had been published since the last look."""
        try:
            content = get_object(self.objects, ROOT_KEY)
            seen, self._root = self._root, content
            root = None if content is None else json.loads(content)
            if root is None:
                self._refuse_strangers()
            else:
                self._refuse_other_layouts(root)
            self.exists = root is not None
            self.attributes: dict[str, Any] = {} if root is None else root["attributes"]
            self.table: RunTable | None = None if root is None else read_table(self.group())
        except (FileNotFoundError, NotADirectoryError):
            self.exists, self.attributes, self.table, seen, self._root = False, {}, None, None, None
        except StoreError:
            raise
        except OSError as error:
            raise StoreError(f"store: {self.address} cannot be read: {error}") from error
        except (ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
            raise StoreError(
                f"store: {self.address} has damaged metadata ({type(error).__name__}: {error}); "
                "restore its zarr.json files, or name another --store"
            ) from error
        return seen != self._root

    def _refuse_strangers(self) -> None:
        """A folder that is not ours is not written into; an interrupted creation of ours has a claim but no marks."""
        keys = list_objects(self.objects, "")
        if keys and (CLAIM_KEY not in keys or any(key.startswith("marks/") for key in keys)):
            raise StoreError(
                f"store: {self.address} holds {len(keys)} files, such as {keys[0]}, but no zarr.json of sweepengine; "
                "restore it, or name another --store"
            )

    def _refuse_other_layouts(self, root: dict[str, Any]) -> None:
        version = root.get("attributes", {}).get("sweepengine_schema")
        if version is None:
            raise StoreError(f"store: {self.address} is a zarr store, but not of sweepengine; name another --store")
        if version != SCHEMA_VERSION:
            raise StoreError(
                f"store: {self.address} has layout version {version}, this sweepengine reads {SCHEMA_VERSION}; "
                "use the version that wrote it"
            )

    def group(self) -> zarr.Group:
        """The store's root, from its consolidated metadata."""
        return zarr.open_group(self.objects, mode="r", use_consolidated=True)

    def must_exist(self) -> None:
        """Raise :class:`StoreError` where nothing has been written yet."""
        if not self.exists:
            raise StoreError(f"store: there is nothing at {self.address}; `sweepengine run SPEC` writes a store")

    def check(self, spec: AnySpec, code: UserCode) -> None:
        """Refuse a spec whose fixed settings, or whose users' code, are not those of the store.

        Raises
        ------
        StoreError
            The message names each setting that differs.
        """
        if self.exists:
            refuse_other_settings(self, spec, code)

    def check_contents(self, data_id: str, given: Sequence[Given]) -> None:
        """Refuse data, or what is given beside them, other than those of the store, wherever their files lie.

        Raises
        ------
        StoreError
            Their content is not what the store has.
        """
        contents = {"data": data_id} | dict.fromkeys(GIVEN_KINDS, "") | {each.kind: each.id for each in given}
        for name, ours in contents.items() if self.exists else ():
            theirs = self.attributes.get(name, "")
            if theirs != ours:
                raise StoreError(
                    f"store: {self.address} was written with other {name} (content {theirs or 'none'}, now "
                    f"{ours or 'none'}); name another --store, or go back to the {name} of the store"
                )

    def places(self) -> dict[str, tuple[str, int]]:
        """Run id → (block, position) of every run in the store."""
        return {} if self.table is None else self.table.places()

    def block_shapes(self) -> dict[str, BlockShape]:
        """Shapes of all blocks in the store.

        Raises
        ------
        StoreError
            The table of runs and the blocks do not fit each other.
        """
        if self.table is None:
            return {}
        root = self.group()
        try:
            return {
                block: BlockShape.from_json(root[block_path(block)].attrs.asdict()["shape"])
                for block in self.table.blocks()
            }
        except (ValueError, TypeError, KeyError) as error:
            raise StoreError(
                f"store: {self.address} has a table of runs that does not fit its blocks ({type(error).__name__}: {error}); "
                "restore the files below runs/ and the zarr.json files, or name another --store"
            ) from error

    def limits(self) -> set[str]:
        """Ids of the infinite-width predictions in the store."""
        return set() if not self.exists else {path.split("/")[1] for path in Metadata(self.objects).below("theory")}

    def mark(self, block: str, chunk: int) -> Mark | None:
        """What a chunk has committed."""
        return read_mark(self.objects, block, chunk)

    def run_marks(self, block: str, shape: BlockShape) -> list[RunMark | None]:
        """What is committed of each run of a block, by position; None before the first attempt."""
        found: list[RunMark | None] = []
        for chunk in range(shape.n_chunks):
            first, stop = shape.chunk_span(chunk)
            mark = self.mark(block, chunk)
            found += [None] * (stop - first) if mark is None else mark.runs
        return found

    def claim(self) -> bool:
        """Become the store's driver, creating the store's folder where there is none; to be called before any change.

        Returns
        -------
        bool
            Whether another driver has published something since this store was last read.

        Raises
        ------
        StoreError
            The store cannot be written.
        RunError
            Another driver took over at the same moment.
        """
        try:
            self.objects = open_address(self.address, read_only=False)
            self._claim = take_claim(self.objects)
        except OSError as error:
            raise StoreError(f"store: {self.address} cannot be written: {error}; name another --store") from error
        return self.reload()

    def attempt(self, number: int) -> tuple[int, str]:
        """Attempt number and owner of the claiming driver's ``number``-th try of a chunk.

        Raises
        ------
        RunError
            Another driver has taken over.
        """
        claim = self._held()
        return claim.attempt(number), claim.owner

    def release(self) -> None:
        """Say that the claiming driver has ended."""
        if self._claim is not None:
            end_claim(self.objects, self._claim)

    def _held(self) -> Claim:
        if self._claim is None:
            raise AssertionError("a store is changed by the driver that has claimed it")
        check_claim(self.objects, self._claim)
        return self._claim

    def extend(
        self,
        spec: AnySpec,
        data: Dataset,
        blocks: Sequence[Block],
        limits: Mapping[str, Mapping[str, StoredArray]],
        code: UserCode,
        given: Sequence[Given] = (),
    ) -> None:
        """Create the store, or add new blocks beside the old; existing arrays are not touched.

        Parameters
        ----------
        spec : AnySpec
        data : Dataset
        blocks : sequence of Block
            Blocks of runs that the store does not hold yet; may be empty.
        limits : mapping
            Limit id → name → array: what infinite width predicts for the runs of the new blocks.
        code : UserCode
            What the spec uses; its versions and hashes go into the provenance.
        given : sequence of Given
            What the runs need beside the data.

        Raises
        ------
        StoreError
            The store cannot be written, or its data are not what was written.
        RunError
            Another driver has taken over.
        """
        self._held()
        try:
            self._extend(spec, data, blocks, limits, code, given)
        except StoreError:
            raise
        except OSError as error:
            raise StoreError(f"store: {self.address} cannot be written: {error}; name another --store") from error
        self.reload()
        read_data(self.objects, data.id)
        for each in given:
            read_given(self.objects, each.kind, each.id)

    def _extend(
        self,
        spec: AnySpec,
        data: Dataset,
        blocks: Sequence[Block],
        limits: Mapping[str, Mapping[str, StoredArray]],
        code: UserCode,
        given: Sequence[Given],
    ) -> None:
        metadata = Metadata(self.objects)
        used = {"user_code": code.provenance()} if code.used else {}
        entry = {"spec": spec.to_json(), "provenance": provenance() | used}
        specs = list(metadata.attributes.get("specs", []))
        if not blocks and any(_same_but_for_the_date(entry, each) for each in specs):
            return
        specs.append(entry)
        metadata.attributes |= {
            "Conventions": _CONVENTIONS,
            "title": specs[0]["spec"]["name"],
            "summary": f"Runs of {spec.kind} on {data.description}, written by sweepengine.",
            "source": f"sweepengine {entry['provenance']['versions']['sweepengine']}",
            "date_created": metadata.attributes.get("date_created", entry["provenance"]["date"]),
            "history": "\n".join(
                f"{each['provenance']['date']} sweepengine run ({each['spec']['name']})" for each in specs
            ),
            "license": "not stated",
            "sweepengine_schema": SCHEMA_VERSION,
            "data": data.id,
            "specs": specs,
        }
        if data_path(data.id) not in metadata:
            write_data(metadata, data)
        for each in given:
            metadata.attributes[each.kind] = each.id
            if given_path(each.kind, each.id) not in metadata:
                write_given(metadata, each)
        for limit, arrays in limits.items():
            _write_limit(metadata, limit, arrays)
        for block in blocks:
            # What an interrupted creation left under this name is no part of the store: nothing named it.
            for prefix in ("marks", "state", "failures"):
                for key in list_objects(self.objects, f"{prefix}/{block.id}/"):
                    delete_object(self.objects, key)
            _create_block(metadata, block)
        self._held()
        extend_table(self.objects, metadata, self.table, blocks)
        metadata.publish()


def _same_but_for_the_date(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one["spec"] == other["spec"] and all(
        one["provenance"][key] == other["provenance"].get(key) for key in one["provenance"] if key != "date"
    )


def _write_limit(metadata: Metadata, limit: str, arrays: Mapping[str, StoredArray]) -> None:
    metadata.group(
        limit_path(limit), {"title": "infinite width, for the blocks whose attribute limit names this group"}
    )
    for name, array in arrays.items():
        attributes = {"long_name": array.long_name, "units": "1", "source": array.source}
        metadata.array(
            limit_path(limit, name), array.values.shape, array.chunks(), "float64", np.nan,
            dims=array.dims, attributes=attributes, data=array.values,
        )  # fmt: skip


def _create_block(metadata: Metadata, block: Block) -> None:
    shape, first = block.shape, block.runs[0]
    metadata.group(
        block_path(block.id),
        {
            "shape": shape.to_json(),
            "width": first.width,
            "depth": first.depth,
            "activation": first.activation,
            "data": first.data_id,
            "limit": first.limit_id,
        },
    )
    for variable in shape.variables:
        metadata.array(
            block_path(block.id, variable.name),
            shape.array_shape(variable),
            shape.chunk_shape(variable),
            shape.precision,
            np.nan,
            dims=variable.dims,
            attributes={
                "long_name": variable.long_name,
                "units": variable.units,
                "source": variable.source,
                # Read by plain xarray, which then shows these beside every value.
                "coordinates": f"{' '.join(SCHEDULES[variable.dims[1]])} status records_done",
            },
        )
    flags = {"flag_values": [int(each) for each in Status], "flag_meanings": " ".join(each.label for each in Status)}
    for name, dtype, fill, attributes in (
        ("status", "int8", int(Status.PENDING), {"long_name": "status of the run", **flags}),
        ("records_done", "int32", 0, {"long_name": "number of valid records; what lies beyond is not"}),
        ("diverged_step", "int64", -1, {"long_name": "step at which the run diverged, -1 if it did not"}),
        (
            "peak_memory",
            "int64",
            -1,
            {
                "long_name": "most resident memory of the worker while it finished the run, -1 if unknown",
                "units": "byte",
            },
        ),
    ):
        metadata.array(
            block_path(block.id, name),
            (shape.runs,),
            (shape.chunk_runs,),
            dtype,
            fill,
            dims=("run",),
            attributes=attributes,
        )
    schedules = {"record": np.array(first.record_steps, dtype=np.int64)}
    if shape.snapshots:
        schedules[SNAPSHOT] = schedules["record"][list(shape.snapshots)]
    coordinates: list[tuple[str, str, Any, Any, NDArray[Any], dict[str, str]]] = []
    for dim, steps in schedules.items():
        step, time = SCHEDULES[dim]
        step_attributes = {"long_name": f"step of the {dim}", "units": "1"}
        time_attributes = {"long_name": f"training time of the {dim}", "units": "1"}
        coordinates += [
            (step, dim, "int64", -1, steps, step_attributes),
            (time, dim, "float64", np.nan, steps * first.step_size, time_attributes),
        ]
    coordinates += [
        *((dim, dim, str, "", np.array(names, dtype=object), {}) for dim, names in shape.labels.items()),
    ]
    for name, dim, dtype, fill, values, attributes in coordinates:
        path = block_path(block.id, name)
        metadata.array(path, values.shape, values.shape, dtype, fill, dims=(dim,), attributes=attributes, data=values)
