"""Charts of a sweep for notebooks and papers: those of the report, in one call each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweepengine.analysis._chart import Chart
from sweepengine.analysis._dataset import kind_of, split
from sweepengine.analysis._errors import ContractError
from sweepengine.analysis._figures import main_figure, time_figure
from sweepengine.analysis._findings import Curve
from sweepengine.analysis._grid import must_have_runs
from sweepengine.analysis._kernel_figures import kernel_figures
from sweepengine.analysis._observables import reduce_runs
from sweepengine.analysis._panels import side_by_side
from sweepengine.analysis._samples import rows_of
from sweepengine.analysis._series import limit_rows, time_rows
from sweepengine.analysis._summary import summarise_reduced

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr


class Plots:
    """Charts of a sweep: a notebook shows them, and ``.save("figure.pdf")`` writes them (or svg, png).

    Parameters
    ----------
    ds : xarray.Dataset
        A sweep with the dim ``run``.
    """

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = ds

    def exponents(self, *quantities: str, group_by: Sequence[str] = ()) -> Chart:
        """Draw quantities against width, with the fitted power laws and the exponents that theory expects.

        Parameters
        ----------
        *quantities : str
            Such as ``kernel_drift``; the headline quantities of the kind where none are named.
        group_by : sequence of str
            Further coordinates that tell groups apart, as for `summarise`.

        Raises
        ------
        ContractError
            A name is that of no quantity, or none is named and the kind has no headline.
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
        known = [q.name for q in (*kind.quantities, *kind.claimed) if q.fitted and not q.reduction.dim]
        for name in quantities:
            if name not in known:
                raise ContractError(f"Found the quantity {name!r}; there are {', '.join(known)}.")
        groups = split(self._ds, group_by)
        table = reduce_runs(self._ds)
        for name in quantities:
            if name not in table:
                raise ContractError(f"{name}: the sweep has not recorded what it is reduced from.")
        summary = summarise_reduced(self._ds, table, groups, group_by)
        return Chart(main_figure(summary, [rows_of(table, self._ds, group) for group in groups], quantities))

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
        """Draw Θ at the start and the end, and their difference, of the widest run of the first and the last group.

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
