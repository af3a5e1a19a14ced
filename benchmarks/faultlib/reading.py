"""The numbers that readers get of a store, and whether two readings are the same to the bit."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Numbers = dict[str, tuple[tuple[str, ...], NDArray[Any]]]

PLACES = ("block", "position", "peak_memory")
"""What depends on how often a sweep was stopped: where its runs lie, and what its tasks took of memory."""
PROGRESS = ("status", "records_done", "diverged_step")


@dataclass(frozen=True)
class Reading:
    """What `open_sweep` and `open_theory` show.

    Attributes
    ----------
    numbers : dict
        Name → (dims, values), the runs in the order of their ids.
    said : tuple of str
        Warnings on the way.
    error : str
        The SweepError that was raised instead; empty where there was none.
    """

    numbers: Numbers = field(default_factory=dict)
    said: tuple[str, ...] = ()
    error: str = ""

    @property
    def ids(self) -> list[str]:
        """Ids of the runs."""
        return [str(each) for each in self.numbers["id"][1]] if "id" in self.numbers else []

    def count(self, status: str) -> int:
        """Runs with a status."""
        return int(np.sum(self.numbers["status"][1] == status)) if "status" in self.numbers else 0


def read_store(store: str | Path) -> Reading:
    """Read everything through the product; errors that are no SweepErrors pass. Call it in a child."""
    import sweepengine
    from sweepengine.errors import SweepError

    found: Numbers = {}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            sweep = sweepengine.open_sweep(store).load()
            order = np.argsort(sweep["id"].values.astype(str))
            sweep = sweep.isel(run=order)
            for name in sweep.variables:
                found[str(name)] = (tuple(map(str, sweep[name].dims)), sweep[name].values)
            theory = sweepengine.open_theory(store).load()
            for name in theory.variables:
                found[f"theory/{name}"] = (tuple(map(str, theory[name].dims)), theory[name].values)
        except SweepError as error:
            return Reading(said=tuple(str(each.message) for each in said), error=str(error) or type(error).__name__)
    return Reading(found, tuple(str(each.message) for each in said))


def read_plainly(store: Path) -> str:
    """One digest of what xarray shows that knows nothing of this project; the error's name where it shows nothing."""
    import xarray as xr

    sums = hashlib.blake2b(digest_size=16)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = xr.open_datatree(store, engine="zarr").load()
    except Exception as error:  # noqa: BLE001 -- a plain reader may raise what it likes
        return type(error).__name__
    for node in sorted(tree.subtree, key=lambda node: node.path):
        for name in sorted(map(str, node.to_dataset(inherit=False).variables)):
            array = node[name]
            sums.update(f"{node.path}/{name} {array.dims} {array.dtype} {array.shape}".encode())
            sums.update(repr(array.values.tolist()).encode() if array.dtype.kind in "OTU" else array.values.tobytes())
    return sums.hexdigest()


def same(found: NDArray[Any], expected: NDArray[Any]) -> bool:
    """Whether two arrays are equal to the bit, every NaN being the same."""
    if found.shape != expected.shape or (found.dtype.kind, found.dtype.itemsize) != (
        expected.dtype.kind,
        expected.dtype.itemsize,
    ):
        return found.dtype.kind in "UOT" and bool(np.array_equal(found, expected))
    if found.dtype.kind == "f":
        found, expected = (np.where(np.isnan(each), np.nan, each).astype(each.dtype) for each in (found, expected))
    return found.tobytes() == expected.tobytes() if found.dtype.kind not in "OT" else bool(np.all(found == expected))


def differences(found: Reading, expected: Reading, ignored: tuple[str, ...] = PLACES) -> list[str]:
    """Names of the variables that differ, or are there in one reading alone."""
    names = (found.numbers.keys() | expected.numbers.keys()) - set(ignored)
    return sorted(
        name
        for name in names
        if name not in found.numbers
        or name not in expected.numbers
        or found.numbers[name][0] != expected.numbers[name][0]
        or not same(found.numbers[name][1], expected.numbers[name][1])
    )


def wrong_so_far(found: Reading, expected: Reading) -> list[str]:
    """Names of the variables of which an unfinished store shows, as committed, what a whole one does not have.

    Values that are there must be the whole store's, and as many must be there as ``records_done`` says.
    """
    place = {each: k for k, each in enumerate(expected.ids)}
    if not set(found.ids) <= set(place):
        return ["id"]
    rows = [place[each] for each in found.ids]
    done = found.numbers["records_done"][1] if found.ids else np.zeros(0)
    wrong = []
    for name, (dims, values) in found.numbers.items():
        if name in (*PLACES, *PROGRESS):
            continue
        if name not in expected.numbers:
            wrong.append(name)
            continue
        whole = expected.numbers[name][1]
        whole = whole[rows] if dims[:1] == ("run",) else whole
        if values.dtype.kind != "f" or dims[:2] != ("run", "record"):
            missing = np.isnan(values) if values.dtype.kind == "f" and dims[:1] == ("run",) else np.False_
            if whole.shape != values.shape or not same(*(np.where(missing, _blank(v), v) for v in (values, whole))):
                wrong.append(name)
            continue
        committed = np.arange(values.shape[1])[None, :] < done[:, None]
        committed = committed.reshape(committed.shape + (1,) * (values.ndim - 2))
        shown = committed | ~np.isnan(values)
        if whole.shape != values.shape or not same(*(np.where(shown, v, v.dtype.type(0)) for v in (values, whole))):
            wrong.append(name)
    return sorted(wrong)


def _blank(values: NDArray[Any]) -> Any:
    return values.dtype.type(0) if values.dtype.kind in "fiu" else values
