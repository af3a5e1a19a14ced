"""Charts of a sweep for notebooks and papers: those of the report, in one call each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sweepengine.analysis._along import Along, along
from sweepengine.analysis._charts import scaling_chart
from sweepengine.analysis._dataset import kind_of, split
from sweepengine.analysis._errors import ContractError
from sweepengine.analysis._exponent_figures import Fitted, exponent_panel, numeric_axes
from sweepengine.analysis._figures import time_figure
from sweepengine.analysis._findings import Curve
from sweepengine.analysis._fits import quantity_of, refuse_unrecorded
from sweepengine.analysis._grid import must_have_runs
from sweepengine.analysis._kernel_figures import kernel_figures
from sweepengine.analysis._panels import in_rows, side_by_side
from sweepengine.analysis._series import limit_rows, scaling_rows, time_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import xarray as xr

    from sweepengine.analysis._chart import Chart
    from sweepengine.analysis._quantities import Quantity


class Plots:
    """Charts of a sweep: a notebook shows them, and ``.save("figure.pdf")`` writes them (or svg, png).

    Parameters
    ----------
    ds : xarray.Dataset
        A sweep with the dim ``run``.
    """

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = ds

    def exponents(
        self,
        *quantities: str,
        over: str = "width",
        against: str = "",
        reduction: str = "",
        group_by: Sequence[str] = (),
    ) -> Chart:
        """Draw quantities along an axis, with the fitted power laws and the exponents that theory expects.

        Parameters
        ----------
        *quantities : str
            Such as ``kernel_drift``; the headline quantities of the kind where none are named. A recorded variable
            (run, record), such as ``loss_test``, needs a `reduction`.
        over : str
            Coordinate of runs along which the powers are fitted.
        against : str
            Another axis, such as ``gamma``: the exponents in the limit are drawn against its values, with 95 %
            intervals, in place of the quantities.
        reduction : {"supremum", "final", "initial"}
            How a recorded variable becomes one number for each run.
        group_by : sequence of str
            Further coordinates that tell groups apart, as for `summarise`.

        Raises
        ------
        ContractError
            A name is that of no quantity, or none is named and the kind has no headline; the sweep has not recorded
            what a quantity is reduced from; groups do not differ in the numbers of the other axis.
        MissingExtraError
            The extra `report` is not installed.
        """
        must_have_runs(self._ds)
        kind = kind_of(self._ds)
        if not (quantities or kind.headlines):
            raise ContractError(
                f"A sweep of kind {kind.name!r} has no quantity to draw against width. Write a report, or draw what it "
                "has recorded."
            )
        wanted = [quantity_of(self._ds, name, reduction) for name in quantities or kind.headlines]
        for quantity in wanted:
            if quantity.reduction.dim:
                raise ContractError(
                    f"{quantity.name} has a value for each {quantity.reduction.dim}; draw others, or fit it."
                )
        found = along(self._ds, wanted, over, group_by, claims=True)
        if quantities:
            for quantity in wanted:
                refuse_unrecorded(found, quantity)
        draw = _against(found, against) if against else _over(found, over)
        return in_rows([draw(quantity) for quantity in wanted])

    def curves(self, variable: str) -> Chart:
        """Draw a recorded variable (run, record) over training time: for each width the mean over seeds and its error.

        Parameters
        ----------
        variable : str
            Such as ``loss_test``.

        Raises
        ------
        ContractError
            The sweep has no such variable, it has other dims, or no run is done.
        MissingExtraError
            The extra `report` is not installed.
        """
        must_have_runs(self._ds)
        known = [str(name) for name, values in self._ds.data_vars.items() if values.dims == ("run", "record")]
        if variable not in known:
            raise ContractError(f"Found the variable {variable!r}; over (run, record) there are {', '.join(known)}.")
        kind = kind_of(self._ds)
        title = str(self._ds[variable].attrs.get("long_name", variable))
        curve = next((each for each in kind.curves if each.variable == variable), Curve(variable, title, title))
        groups = split(self._ds)
        rows = time_rows(self._ds, groups, [variable])[variable]
        figure = time_figure(curve, rows, limit_rows(self._ds, groups, curve.limit))
        if figure is None:
            raise ContractError(f"{variable}: no run is done, or none of its values can be drawn at t > 0.")
        return side_by_side([figure])

    def kernels(self) -> Chart:
        """Draw Θ at the start and the end, and their difference, of the widest run of each group, or of six of them.

        Raises
        ------
        ContractError
            The sweep has recorded no kernel, or no run is done.
        MissingExtraError
            The extra `report` is not installed.
        """
        import xarray as xr

        must_have_runs(self._ds)
        figures = kernel_figures(self._ds, xr.Dataset())
        if not figures:
            raise ContractError(
                "There is no kernel to draw: name `kernel` among the observables, and let a run finish."
            )
        return side_by_side(figures, square=True)


def _over(found: Along, axis: str) -> Callable[[Quantity], dict[str, Any]]:
    """What draws a quantity along the axis of its fits."""

    def draw(quantity: Quantity) -> dict[str, Any]:
        fits = {
            group.label: samples[quantity.name].fit if quantity.name in samples else None
            for group, samples in zip(found.groups, found.samples, strict=True)
        }
        rows = scaling_rows(fits, found.tables, found.claims, quantity.name, axis)
        return scaling_chart(rows, quantity.title, quantity.title)

    return draw


def _against(found: Along, axis: str) -> Callable[[Quantity], dict[str, Any]]:
    """What draws the exponents of a quantity against another axis."""

    def draw(quantity: Quantity) -> dict[str, Any]:
        samples = [each.get(quantity.name) for each in found.samples]
        fitted = [
            Fitted(group.label, group.axes, sample.fit)
            for group, sample in zip(found.groups, samples, strict=True)
            if sample is not None and sample.fit is not None
        ]
        if axis not in (known := numeric_axes(fitted, fewest=2)):
            told = ", ".join(known) or "no axis"
            raise ContractError(
                f"{quantity.name} against {axis!r}: the groups of runs that have a fit differ in the numbers of "
                f"{told}. `ds.sweep.fit` says why a group has none."
            )
        return exponent_panel(fitted, axis, quantity.name, quantity.title, found.claims).spec

    return draw
