"""The contract of a sweep's dataset, checked before anything is computed, and the division of its runs into groups."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sweepengine.analysis._axes import group_axes, symbol_of
from sweepengine.analysis._constants import GROUP_AXES, STATUSES
from sweepengine.analysis._errors import ContractError
from sweepengine.analysis._format import printable
from sweepengine.analysis._kinds import findings_of
from sweepengine.analysis._setting import Setting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from sweepengine.analysis._findings import Findings

COORDINATES: Final = ("id", "status", "records_done", "diverged_step", "width", "seed", *GROUP_AXES)


@dataclass(frozen=True, slots=True)
class Group:
    """Runs that differ in one axis, by default the width, and in the seed alone.

    Attributes
    ----------
    label
        Short name, unique in the sweep: the scaling, and the other axes that tell the groups apart.
    axes
        Value of every grouping coordinate.
    runs
        int (R,), positions along the dataset's `run`.
    network
        Fixed settings of the network, as in the spec of the sweep.
    loss
        Name of the cost that networks are trained on; empty where there is none.
    terms
        Names of the terms of the functional of particles; empty for networks.
    """

    label: str
    axes: dict[str, Any]
    runs: NDArray[np.intp]
    network: dict[str, Any]
    loss: str = ""
    terms: frozenset[str] = frozenset()

    @property
    def setting(self) -> Setting:
        """The setting of the group, which decides what claims apply to it; the axis that varies is unknown in it."""
        return Setting(
            gamma=float(self.axes.get("gamma", math.nan)),
            depth=int(self.axes.get("depth", 1)),
            activation=str(self.axes.get("activation", "")),
            readout=str(self.network.get("readout", "gaussian")),
            trained=str(self.network.get("trained", "all")),
            biases=float(self.axes.get("sigma_b", self.network.get("sigma_b", 0.0))) > 0,
            centred=bool(self.network.get("centred", False)),
            loss=self.loss,
            method=str(self.axes["method"]),
            alpha=float(self.axes.get("alpha", math.nan)),
            case=str(self.axes.get("scaling", "")),
            terms=self.terms,
        )


def kind_of(ds: xr.Dataset) -> Findings:
    """The findings for the kind of a sweep.

    Raises
    ------
    ContractError
        The kind of the dataset is not known.
    """
    return findings_of(str(ds.attrs.get("kind", "networks")))


def check_contract(ds: xr.Dataset) -> None:
    """Raise unless `ds` has what `sweepengine.open_sweep` promises.

    Raises
    ------
    ContractError
        A variable or coordinate is missing or has other dims, or a run has an unknown status; the message names them.
    """
    missing = ["targets_test"] if "outputs_test" in ds.data_vars and "targets_test" not in ds.data_vars else []
    missing += [f"{name} (coordinate on run)" for name in COORDINATES if name not in ds.coords]
    missing += [f"{name} (coordinate on record)" for name in ("step", "time") if name not in ds.coords]
    kind = kind_of(ds)
    missing += [f"{name} (labels)" for name in kind.coordinates if name in ds.dims and name not in ds.coords]
    if missing:
        raise ContractError(
            f"The dataset lacks {', '.join(missing)}. Open the store with `sweepengine.open_sweep(url)`."
        )
    read = [q.reduction.variables.items() for q in (*kind.quantities, *kind.claimed)]
    for name, dims in dict(chain.from_iterable(read)).items():
        if name in ds.data_vars and set(ds[name].dims) - {"output"} != set(dims):
            mend = "Rename or transpose them."
            if "record" in dims and "record" not in ds[name].dims:
                mend = f"Pass all records; or take values of one record to ds.sweep.fit as an array, fit(one.{name})."
            raise ContractError(f"Variable {name!r} has dims {ds[name].dims}; expected {dims}. {mend}")
    for name in COORDINATES:
        if ds[name].dims != ("run",):
            raise ContractError(f"Coordinate {name!r} has dims {ds[name].dims}; expected ('run',). Rename them.")
    unknown = sorted(set(_strings(ds, "status")) - set(STATUSES))
    if unknown:
        raise ContractError(f"Unknown run status {', '.join(map(repr, unknown))}; known are {', '.join(STATUSES)}.")


def count_statuses(ds: xr.Dataset, runs: NDArray[np.intp] | None = None) -> dict[str, int]:
    """Count all runs, or those at the given positions, by status; the counts include statuses that no run has."""
    statuses = _strings(ds, "status") if runs is None else [_strings(ds, "status")[i] for i in runs]
    return {status: statuses.count(status) for status in STATUSES}


def split(ds: xr.Dataset, group_by: Sequence[str] = (), over: str = "width") -> tuple[Group, ...]:
    """Divide the runs into groups within which only one axis, by default the width, and the seed differ.

    Parameters
    ----------
    ds
        The sweep.
    group_by
        Further run coordinates to divide by, beside scaling, gamma, depth, activation, alpha, step_size, method and the
        settings that were swept.
    over
        The run coordinate in which the runs of a group differ. A step size that follows from the other coordinates, as
        an automatic one does, may differ with it.

    Returns
    -------
    tuple of Group
        In the order of first appearance in the dataset.

    Raises
    ------
    ContractError
        A name in `group_by` is not a coordinate on run, or `over` is one of no numbers.
    """
    for name in (*group_by, over):
        if name not in ds.coords or ds[name].dims != ("run",):
            known = sorted(str(c) for c in ds.coords if ds[c].dims == ("run",))
            raise ContractError(
                f"{name!r} is not a coordinate on run. Known: {', '.join(known)}. Divide by these, or fit along one."
            )
    if not np.issubdtype(ds[over].dtype, np.number):
        values = ", ".join(dict.fromkeys(map(str, ds[over].values[:5])))
        raise ContractError(f"{over!r} has the values {values}; a power of an axis needs numbers.")
    fixed = (*group_axes(ds), *(n for n in kind_of(ds).axes if n in ds.coords))
    axes = ("width", *fixed) if over != "width" else fixed
    names = tuple(name for name in dict.fromkeys((*axes, *group_by)) if name != over)
    columns = {name: np.asarray(ds[name].values).tolist() for name in (*names, over)}
    # What follows from the axis along which is fitted differs with it: automatic step sizes, and the names of scalings.
    for name in {"width": (), "gamma": ("step_size", "scaling")}.get(over, ("step_size",)):
        if name not in (over, *group_by) and follows(name, {each: columns[each] for each in (*names, over)}):
            names = tuple(each for each in names if each != name)
    members: dict[tuple[Any, ...], list[int]] = {}
    for i in range(ds.sizes["run"]):
        members.setdefault(tuple(columns[name][i] for name in names), []).append(i)
    facts = _facts(ds)
    terms = frozenset(_strings(ds, "term")) if "term" in ds.coords else frozenset()
    each = [dict(zip(names, key, strict=True)) for key in members]
    labels = _labels(each)
    return tuple(
        Group(label, axes, np.asarray(runs, dtype=np.intp), *facts[str(axes.get("sweep", ""))], terms)
        for label, axes, runs in zip(labels, each, members.values(), strict=True)
    )


def _facts(ds: xr.Dataset) -> dict[str, tuple[dict[str, Any], str]]:
    """Fixed settings of the network, and the loss, of each sweep; of the one sweep under an empty name."""
    if "sweeps" in ds.attrs:
        sweeps = json.loads(ds.attrs["sweeps"])
        return {name: (json.loads(own["network"]), str(own["loss"])) for name, own in sweeps.items()}
    return {"": (json.loads(ds.attrs.get("network", "{}")), str(ds.attrs.get("loss", "")))}


def follows(axis: str, columns: Mapping[str, Sequence[Any]]) -> bool:
    """Whether runs that agree in all other columns agree in an axis, as automatic step sizes follow from the data."""
    rows = list(zip(*(column for name, column in columns.items() if name != axis), columns[axis], strict=True))
    return len({row[:-1] for row in rows}) == len(set(rows))


def is_measured(values: xr.DataArray) -> bool:
    """Whether some run has a value; yes where there is no run."""
    return not (values.size and bool(values.isnull().all()))


def _labels(axes: list[dict[str, Any]]) -> list[str]:
    """Name every group by its scaling, and by as many further axes as are needed to tell the groups apart."""
    labels = [printable(str(a.get("scaling", "all scalings"))) for a in axes]
    # The step size comes last: where it is automatic, the axes that determine it say more.
    for name in sorted(axes[0], key=lambda name: name == "step_size") if axes else ():
        if len(set(labels)) == len(labels):
            break
        if name == "scaling":
            continue
        finer = [f"{label}, {part_of_label(name, a[name])}" for label, a in zip(labels, axes, strict=True)]
        if len(set(finer)) > len(set(labels)):
            labels = finer
    return labels


def part_of_label(name: str, value: Any) -> str:
    """The value of an axis as a part of a label, `γ = 0.5`."""
    text = f"{value:g}" if isinstance(value, float) else printable(str(value))
    symbol = symbol_of(name)
    return f"{symbol} = {text}" if symbol else text


def _strings(ds: xr.Dataset, name: str) -> list[str]:
    return [str(x) for x in np.asarray(ds[name].values).tolist()]
