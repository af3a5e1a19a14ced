"""New groups of a store: blocks, predictions, and the attributes of its root."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sweepengine.observe import SNAPSHOT
from sweepengine.store._layout import SCHEDULES, Block, BlockShape, StoredArray, block_path, limit_path
from sweepengine.store._provenance import provenance
from sweepengine.store._status import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from sweepengine.plugins import UserCode
    from sweepengine.spec import AnySpec
    from sweepengine.store._metadata import Metadata

_CONVENTIONS = "CF-1.11 ACDD-1.3"


def spec_entry(spec: AnySpec, code: UserCode, reason: str = "") -> dict[str, Any]:
    """The root's entry for a spec that writes to the store: the spec, the provenance of its numbers, and why it ran."""
    used = {"user_code": code.provenance()} if code.used else {}
    why = {"reason": reason} if reason else {}
    return {"spec": spec.to_json(), "provenance": provenance() | used | why}


def same_but_for_the_date(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two entries of specs differ in nothing but the date."""
    return one["spec"] == other["spec"] and all(
        one["provenance"][key] == other["provenance"].get(key) for key in one["provenance"] if key != "date"
    )


def describe(
    metadata: Metadata, specs: list[dict[str, Any]], summary: str, datasets: Sequence[Mapping[str, Any]]
) -> None:
    """Set the attributes of the root.

    Parameters
    ----------
    metadata : Metadata
    specs : list of dict
        Entries of all specs (:func:`spec_entry`), the newest last.
    summary : str
        One sentence for readers.
    datasets : sequence of mapping
        ``id`` and ``settings`` of every set of data that the store has then.
    """
    newest = specs[-1]["provenance"]
    metadata.attributes |= {
        "Conventions": _CONVENTIONS,
        "title": specs[0]["spec"]["name"],
        "summary": summary,
        "source": f"sweepengine {newest['versions']['sweepengine']}",
        "date_created": metadata.attributes.get("date_created", newest["date"]),
        "history": "\n".join(
            f"{entry['provenance']['date']} sweepengine run ({entry['spec']['name']})"
            + (f": {entry['provenance']['reason']}" if "reason" in entry["provenance"] else "")
            for entry in specs
        ),
        "license": "not stated",
        "data": datasets[0]["id"],
        "specs": specs,
    }
    if len(datasets) > 1:
        metadata.attributes["datasets"] = [dict(each) for each in datasets]


def write_limit(metadata: Metadata, limit: str, arrays: Mapping[str, StoredArray]) -> None:
    """Write what infinite width predicts for one architecture, dataset and schedule; ``limit`` is its id."""
    metadata.group(
        limit_path(limit), {"title": "infinite width, for the blocks whose attribute limit names this group"}
    )
    for name, array in arrays.items():
        attributes = {"long_name": array.long_name, "units": "1", "source": array.source}
        metadata.array(
            limit_path(limit, name), array.values.shape, array.chunks(), "float64", np.nan,
            dims=array.dims, attributes=attributes, data=array.values,
        )  # fmt: skip


def attributes_of(block: Block) -> dict[str, Any]:
    """Attributes of a block's group beside its shape: what all its runs share."""
    first = block.runs[0]
    return {
        "width": first.width,
        "depth": first.depth,
        "activation": first.activation,
        "data": first.data_id,
        "limit": first.limit_id,
    }


def coordinates_of(block: Block) -> dict[str, NDArray[Any]]:
    """Coordinates of a block: steps and times of its records and snapshots, and the labels along its other dims."""
    shape, first = block.shape, block.runs[0]
    schedules = {"record": np.array(first.record_steps, dtype=np.int64)}
    if shape.snapshots:
        schedules[SNAPSHOT] = schedules["record"][list(shape.snapshots)]
    coordinates: dict[str, NDArray[Any]] = {}
    for dim, steps in schedules.items():
        step, time = SCHEDULES[dim]
        coordinates |= {step: steps, time: steps * first.step_size}
    return coordinates | {dim: np.array(names, dtype=object) for dim, names in shape.labels.items()}


def _coordinate(name: str) -> tuple[str, Any, Any, dict[str, str]]:
    """Dim, dtype, fill value and attributes of a coordinate."""
    for dim, (step, time) in SCHEDULES.items():
        if name == step:
            return dim, "int64", -1, {"long_name": f"step of the {dim}", "units": "1"}
        if name == time:
            return dim, "float64", np.nan, {"long_name": f"training time of the {dim}", "units": "1"}
    return name, str, "", {}


def create_block(
    metadata: Metadata,
    block: str,
    shape: BlockShape,
    attributes: Mapping[str, Any],
    coordinates: Mapping[str, NDArray[Any]],
) -> None:
    """Create the group and the arrays of a block, at their full size.

    Parameters
    ----------
    metadata : Metadata
    block : str
        Id of the block.
    shape : BlockShape
    attributes : mapping
        As :func:`attributes_of` gives them.
    coordinates : mapping
        As :func:`coordinates_of` gives them.
    """
    metadata.group(block_path(block), {"shape": shape.to_json(), **attributes})
    for variable in shape.variables:
        metadata.array(
            block_path(block, variable.name),
            shape.array_shape(variable),
            shape.chunk_shape(variable),
            shape.precision,
            np.nan,
            dims=variable.dims,
            attributes={
                "long_name": variable.long_name,
                "units": variable.units,
                "source": variable.source,
                # Plain xarray reads this, and then shows these coordinates beside every value.
                "coordinates": f"{' '.join(SCHEDULES[variable.dims[1]])} status records_done",
            },
        )
    flags = {"flag_values": [int(status) for status in Status], "flag_meanings": " ".join(s.label for s in Status)}
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
            block_path(block, name),
            (shape.runs,),
            (shape.chunk_runs,),
            dtype,
            fill,
            dims=("run",),
            attributes=attributes,
        )
    for name, values in coordinates.items():
        dim, dtype, fill, said = _coordinate(name)
        path = block_path(block, name)
        metadata.array(path, values.shape, values.shape, dtype, fill, dims=(dim,), attributes=said, data=values)
