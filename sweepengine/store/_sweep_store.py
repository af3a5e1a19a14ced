"""The driver's view of a store: create it, extend it, ask what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from sweepengine.errors import StoreError
from sweepengine.store._address import normalise_address, open_address
from sweepengine.store._compatibility import refuse_other_settings
from sweepengine.store._layout import SCHEMA_VERSION, Block, BlockShape, StoredArray, block_path
from sweepengine.store._marks import read_mark
from sweepengine.store._metadata import ROOT_KEY, Metadata
from sweepengine.store._objects import get_json
from sweepengine.store._provenance import provenance
from sweepengine.store._run_table import RunTable, extend_table, read_table
from sweepengine.store._status import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from zarr.abc.store import Store

    from sweepengine.data import Dataset
    from sweepengine.spec import SweepSpec
    from sweepengine.store._marks import Mark, RunMark

_CONVENTIONS = "CF-1.11 ACDD-1.3"


class SweepStore:
    """One store, as its driver sees it.

    Parameters
    ----------
    address : str or Path
        Local path or URL, ending in ``.zarr``. Nothing is created or changed before :meth:`extend`.

    Raises
    ------
    StoreError
        There is something at the address that is not a store of this project, or of another version of its layout.
    """

    def __init__(self, address: str | Path) -> None:
        self.address = normalise_address(address)
        # Opening a local store for writing creates its folder, so that waits until there is something to write.
        self.objects: Store = open_address(self.address, read_only=True)
        root = self._read_root()
        self.exists = root is not None
        self.attributes: dict[str, Any] = {} if root is None else root["attributes"]
        self.table: RunTable | None = read_table(self.group()) if root is not None else None

    def _read_root(self) -> dict[str, Any] | None:
        try:
            root = get_json(self.objects, ROOT_KEY)
        except ValueError as error:
            raise StoreError(f"store: {self.address} has a damaged zarr.json: {error}") from error
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"store: {self.address} cannot be read: {error}") from error
        if root is None:
            return None
        version = root.get("attributes", {}).get("sweepengine_schema")
        if version is None:
            raise StoreError(f"store: {self.address} is a zarr store, but not of sweepengine; name another --store")
        if version != SCHEMA_VERSION:
            raise StoreError(
                f"store: {self.address} has layout version {version}, this sweepengine reads {SCHEMA_VERSION}; "
                "use the version that wrote it"
            )
        return root

    def group(self) -> zarr.Group:
        """The store's root, from its consolidated metadata."""
        return zarr.open_group(self.objects, mode="r", use_consolidated=True)

    def must_exist(self) -> None:
        """Raise :class:`StoreError` where nothing has been written yet."""
        if not self.exists:
            raise StoreError(f"store: there is nothing at {self.address}; `sweepengine run SPEC` writes a store")

    def check(self, spec: SweepSpec) -> None:
        """Refuse a spec whose fixed settings are not those of the store.

        Raises
        ------
        StoreError
            The message names each setting that differs.
        """
        if self.exists:
            refuse_other_settings(self.address, [entry["spec"] for entry in self.attributes["specs"]], spec)

    def places(self) -> dict[str, tuple[str, int]]:
        """Run id → (block, position) of every run in the store."""
        return {} if self.table is None else self.table.places()

    def block_shapes(self) -> dict[str, BlockShape]:
        """Shapes of all blocks in the store."""
        if self.table is None:
            return {}
        root = self.group()
        return {
            block: BlockShape.from_json(root[block_path(block)].attrs.asdict()["shape"])
            for block in self.table.blocks()
        }

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

    def extend(
        self, spec: SweepSpec, data: Dataset, blocks: Sequence[Block], limits: Mapping[str, Mapping[str, StoredArray]]
    ) -> None:
        """Create the store, or add new blocks beside the old; existing arrays are not touched.

        Parameters
        ----------
        spec : SweepSpec
        data : Dataset
        blocks : sequence of Block
            Blocks of runs that the store does not hold yet; may be empty.
        limits : mapping
            Limit id → name → array: what infinite width predicts for the runs of the new blocks.

        Raises
        ------
        StoreError
            The store cannot be written.
        """
        try:
            self.objects = open_address(self.address, read_only=False)
            self._extend(spec, data, blocks, limits)
        except OSError as error:
            raise StoreError(f"store: {self.address} cannot be written: {error}; name another --store") from error
        self.exists = True
        self.table = read_table(self.group())

    def _extend(
        self, spec: SweepSpec, data: Dataset, blocks: Sequence[Block], limits: Mapping[str, Mapping[str, StoredArray]]
    ) -> None:
        metadata = Metadata(self.objects)
        written = spec.model_dump(mode="json", exclude_none=True)
        specs = list(metadata.attributes.get("specs", []))
        if not blocks and any(entry["spec"] == written for entry in specs):
            return
        now = provenance()
        specs = [entry for entry in specs if entry["spec"] != written] + [{"spec": written, "provenance": now}]
        metadata.attributes |= {
            "Conventions": _CONVENTIONS,
            "title": spec.name,
            "summary": f"Training runs of finite networks on {data.description}, written by sweepengine.",
            "source": f"sweepengine {now['versions']['sweepengine']}",
            "date_created": metadata.attributes.get("date_created", now["date"]),
            "history": "\n".join(
                f"{entry['provenance']['date']} sweepengine run ({entry['spec']['name']})" for entry in specs
            ),
            "license": "not stated",
            "sweepengine_schema": SCHEMA_VERSION,
            "data": data.id,
            "specs": specs,
        }
        if f"data/{data.id}" not in metadata:
            _write_data(metadata, data)
        for limit, arrays in limits.items():
            _write_limit(metadata, limit, arrays)
        for block in blocks:
            _create_block(metadata, block)
        extend_table(self.objects, metadata, self.table, blocks)
        metadata.publish()
        self.attributes = metadata.attributes


def _write_data(metadata: Metadata, data: Dataset) -> None:
    path = f"data/{data.id}"
    metadata.group(path, {"title": data.description})
    for name, dims, values in (
        ("x_train", ("i", "feature"), data.x_train),
        ("y_train", ("i",), data.y_train),
        ("x_test", ("test", "feature"), data.x_test),
        ("y_test", ("test",), data.y_test),
    ):
        what = "inputs" if name.startswith("x") else "targets"
        attributes = {
            "long_name": f"{what} of the {name[2:]}ing points" if "train" in name else f"{what} of the test points",
            "units": "1",
        }
        metadata.array(
            f"{path}/{name}",
            values.shape,
            values.shape,
            "float64",
            np.nan,
            dims=dims,
            attributes=attributes,
            data=values,
        )


def _write_limit(metadata: Metadata, limit: str, arrays: Mapping[str, StoredArray]) -> None:
    path = f"theory/{limit}"
    metadata.group(path, {"title": "infinite width, for the blocks whose attribute limit names this group"})
    for name, array in arrays.items():
        attributes = {"long_name": array.long_name, "units": "1", "source": array.source}
        metadata.array(
            f"{path}/{name}", array.values.shape, array.chunks(), "float64", np.nan,
            dims=array.dims, attributes=attributes, data=array.values,
        )  # fmt: skip


def _create_block(metadata: Metadata, block: Block) -> None:
    shape, first = block.shape, block.runs[0]
    metadata.group(
        block_path(block.id),
        {
            "shape": shape.to_json(),
            "width": first.width,
            "depth": first.architecture.depth,
            "activation": first.architecture.activation,
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
                "coordinates": "step time status records_done",
            },
        )
    flags = {"flag_values": [int(each) for each in Status], "flag_meanings": " ".join(each.label for each in Status)}
    for name, dtype, fill, attributes in (
        ("status", "int8", int(Status.PENDING), {"long_name": "status of the run", **flags}),
        ("records_done", "int32", 0, {"long_name": "number of valid records; what lies beyond is not"}),
        ("diverged_step", "int64", -1, {"long_name": "step at which the run diverged, -1 if it did not"}),
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
    steps = np.array(first.record_steps, dtype=np.int64)
    coordinates: list[tuple[str, str, Any, Any, NDArray[Any], dict[str, str]]] = [
        ("step", "record", "int64", -1, steps, {"long_name": "gradient-descent step of the record", "units": "1"}),
        (
            "time",
            "record",
            "float64",
            np.nan,
            steps * first.step_size,
            {"long_name": "training time of the record", "units": "1"},
        ),
        (
            "layer",
            "layer",
            str,
            "",
            np.array([f"W{layer}" for layer in range(shape.layers)], dtype=object),
            {"long_name": "layer; the last is the read-out"},
        ),
    ]
    for name, dim, dtype, fill, values, attributes in coordinates:
        path = block_path(block.id, name)
        metadata.array(path, values.shape, values.shape, dtype, fill, dims=(dim,), attributes=attributes, data=values)
