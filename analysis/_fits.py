"""The exponents of one quantity in every group of a sweep, from Python in one step."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sweepengine.analysis._along import Along, along
from sweepengine.analysis._dataset import Group, kind_of
from sweepengine.analysis._errors import ContractError
from sweepengine.analysis._grid import must_have_runs
from sweepengine.analysis._quantities import Quantity, split_key
from sweepengine.analysis._reductions import Reduction, final, initial, supremum
from sweepengine.analysis._scaling_fit import ScalingFit
from sweepengine.analysis._selections import is_number
from sweepengine.errors import did_you_mean
from sweepengine.spec import scaling_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import xarray as xr

REDUCTIONS: Final = {"supremum": supremum, "final": final, "initial": initial}


@dataclass(frozen=True)
class Fits(Mapping[str, ScalingFit]):
    """The fits of one quantity, one for each group of runs that differ in one axis and the seed alone.

    A mapping from the label of a group to its fit. `print` and notebooks show the table.

    Attributes
    ----------
    quantity
        Name of the quantity.
    over
        Name of the axis.
    fits
        Label → fit.
    axes
        Label → values of the axes that tell the groups apart.
    failures
        Label → the reason why a group has no fit.
    """

    quantity: str
    over: str
    fits: dict[str, ScalingFit]
    axes: dict[str, dict[str, Any]]
    failures: dict[str, str]

    def __getitem__(self, label: str | float) -> ScalingFit:
        """Return the fit of a group; a number stands for the scaling with this γ, 0.75 for ``gamma=0.75``."""
        name = scaling_label(label) if is_number(label) else label
        if name in self.failures:
            raise KeyError(f"{name}: no fit of {self.quantity}: {self.failures[name]}")
        if name not in self.fits:
            hint = did_you_mean(name, self.axes) if isinstance(name, str) else ""
            raise KeyError(f"No group is {name!r}.{hint} There are {', '.join(map(repr, self.axes))}.")
        return self.fits[name]

    def __iter__(self) -> Iterator[str]:
        """Go through the labels of the groups that have a fit."""
        return iter(self.fits)

    def __len__(self) -> int:
        """Count the fits."""
        return len(self.fits)

    def table(self) -> pd.DataFrame:
        """Return one row for each group: its axes, and the axis's exponent in the limit and at the values measured.

        All exponents are those of the axis, Q ~ m^exponent, as in the report; `low` and `high` are 95 % intervals.
        """
        import pandas as pd

        rows = []
        for label, axes in self.axes.items():
            fit = self.fits.get(label)
            row = {"group": label, **axes}
            if fit is not None:
                limit, here = fit.exponent, fit.exponent_at_these_widths
                row |= {"exponent": limit.value, "low": limit.low, "high": limit.high, "explained": fit.explained}
                row |= {"exponent_here": here.value, "low_here": here.low, "high_here": here.high}
                row |= {"seeds": len(fit.seeds), "smallest": fit.widths[0], "largest": fit.widths[-1]}
            rows.append(row | {"why_none": self.failures.get(label, "")})
        return pd.DataFrame(rows).set_index("group")

    def __str__(self) -> str:
        """Show the table as text, with the digits that the intervals earn, and below it why groups have no fit."""
        lines = [f"{self.quantity} ~ {self.over}^exponent", self._shown().to_string(), *self._reasons()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        reasons = "".join(f"<p>{html.escape(reason)}</p>" for reason in self._reasons())
        return str(self._shown().to_html(escape=True)) + reasons

    def _shown(self) -> pd.DataFrame:
        """The table for people: an exponent and its interval are one text, as in the report."""
        import pandas as pd

        rows = []
        for label in self.axes:
            row = {"group": label, "limit [95 %]": "no fit"}
            if fit := self.fits.get(label):
                row["limit [95 %]"] = str(fit.exponent)
                row["at these values [95 %]"] = str(fit.exponent_at_these_widths)
                row |= {"seeds": str(len(fit.seeds)), self.over: f"{fit.widths[0]:g} to {fit.widths[-1]:g}"}
            rows.append(row)
        return pd.DataFrame(rows).set_index("group").fillna("–")

    def _reasons(self) -> list[str]:
        """Why groups have no fit, or an exponent in the limit that is not known."""
        bent = {
            label: "no finite-size term describes the curve" for label, fit in self.fits.items() if not fit.explained
        }
        return [f"{label}: {why}" for label, why in (self.failures | bent).items()]


def fit_exponents(
    ds: xr.Dataset,
    quantity: str | xr.DataArray,
    *,
    over: str = "width",
    reduction: str = "",
    group_by: Sequence[str] = (),
    theory: xr.Dataset | None = None,
) -> Fits:
    """Fit the power of an axis in every group of a sweep.

    Parameters
    ----------
    ds : xarray.Dataset
        A sweep as `sweepengine.open_sweep` returns it, or a selection of its runs.
    quantity : str or xarray.DataArray
        A quantity of the report (``kernel_drift``, or ``movement_op/W0`` for one layer); a recorded variable (run,
        record), which needs a `reduction`; or values of your own (run,), positive, one for each run of `ds`.
    over : str
        Coordinate of runs along which the power is fitted.
    reduction : {"supremum", "final", "initial"}
        How a recorded variable becomes one number for each run.
    group_by : sequence of str
        Further coordinates that tell groups apart, as for `summarise`.
    theory : xarray.Dataset, optional
        What `sweepengine.open_theory` returns, for quantities that are compared with the limit; opened where not given.

    Returns
    -------
    Fits
        Only runs that are done are fitted. Groups without a fit are in `failures`, with the reason.

    Raises
    ------
    ContractError
        The name is that of no quantity and no variable, or a variable needs a reduction, or has other dims.
    """
    import xarray as xr

    must_have_runs(ds)
    if not isinstance(quantity, str | xr.DataArray):
        raise ContractError(
            f"Found a {type(quantity).__name__}; expected the name of a quantity, or a DataArray of runs."
        )
    if isinstance(group_by, str):
        raise ContractError(f"Found group_by = {group_by!r}; expected a list of coordinates: [{group_by!r}].")
    if isinstance(quantity, str):
        wanted, key = quantity_of(ds, quantity, reduction), quantity
    else:
        ds, wanted, key = _with_values(ds, quantity)
    found = along(ds, [wanted], over, group_by, theory=theory)
    refuse_unrecorded(found, wanted)
    fits: dict[str, ScalingFit] = {}
    axes: dict[str, dict[str, Any]] = {}
    failures: dict[str, str] = {}
    for group, samples in zip(found.groups, found.samples, strict=True):
        labels = {name: group.label if name == key else f"{group.label}, {split_key(name)[1]}" for name in samples}
        for name, label in labels.items():
            if split_key(key)[1] and name != key:
                continue
            axes[label] = _telling(group, found.groups)
            sample = samples[name]
            if sample.fit:
                fits[label] = sample.fit
            else:
                failures[label] = sample.why_no_fit
    return Fits(key, over, fits, axes, failures)


def _telling(group: Group, groups: Sequence[Group]) -> dict[str, Any]:
    """The axes of a group in which the groups differ."""
    return {name: value for name, value in group.axes.items() if len({str(each.axes[name]) for each in groups}) > 1}


def refuse_unrecorded(found: Along, quantity: Quantity) -> None:
    """Raise :class:`ContractError` where the sweep lacks the variables of which a quantity is made."""
    if quantity.name not in found.table:
        read = ", ".join((*quantity.reduction.variables, *quantity.reduction.theory))
        raise ContractError(f"{quantity.name}: the sweep has not recorded what it is reduced from: {read}.")


def quantity_of(ds: xr.Dataset, key: str, reduction: str = "") -> Quantity:
    """The fitted quantity of a name or key; or a recorded variable that becomes one number a run by a reduction.

    Raises
    ------
    ContractError
        As for :func:`fit_exponents`.
    """
    name = split_key(key)[0]
    kind = kind_of(ds)
    known = {q.name: q for q in (*kind.quantities, *kind.claimed) if q.fitted}
    if name in known and not reduction:
        return known[name]
    if name not in ds.data_vars:
        named = did_you_mean(name, [*known, *map(str, ds.data_vars)])
        raise ContractError(
            f"Found the quantity {name!r}.{named} Quantities: {', '.join(known)}; or a recorded variable."
        )
    dims = [dim for dim in ds[name].dims if dim not in ("run", "record")]
    if not {"run", "record"} <= set(ds[name].dims) or len(dims) > 1:
        raise ContractError(
            f"{name} has the dims {ds[name].dims}; expected (run, record) and at most one more. Reduce it to one "
            "number for each run yourself, and pass the DataArray."
        )
    if reduction not in REDUCTIONS:
        raise ContractError(
            f"{name} has many records; found reduction={reduction!r}, expected one of {', '.join(REDUCTIONS)}."
        )
    title = re.split("[;,]", str(ds[name].attrs.get("long_name", name)))[0]
    return Quantity(name, REDUCTIONS[reduction](name, str(dims[0]) if dims else ""), title, name, "")


def _with_values(ds: xr.Dataset, values: xr.DataArray) -> tuple[xr.Dataset, Quantity, str]:
    """A sweep that has values of the user's own, and the quantity that they are."""
    name = str(values.name or "values")
    if values.dims != ("run",) or values.sizes["run"] != ds.sizes["run"]:
        raise ContractError(
            f"{name} has the dims {dict(values.sizes)}; expected ('run',) with {ds.sizes['run']} runs, those of the "
            "sweep."
        )
    if values.dtype.kind not in "iuf":
        raise ContractError(f"{name} has values of type {values.dtype}; expected numbers.")
    held = f"{name} (own)"
    reduction = Reduction("own", lambda done, _: done[held], {held: ("run",)})
    return ds.assign({held: values.variable}), Quantity(name, reduction, name, name, ""), name
