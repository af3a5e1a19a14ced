"""Pictures of tangent kernels: the matrices at the start and the end with their difference, and their spectra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sweepengine.analysis._chart_parts import COLOURS, GREY, finish, load_altair, log_axis, log_ticks, tips
from sweepengine.analysis._constants import DONE
from sweepengine.analysis._dataset import split
from sweepengine.analysis._figure import Figure, Panel
from sweepengine.analysis._legends import LIMIT, names_legend
from sweepengine.analysis._series import evenly

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from sweepengine.analysis._figure import FigureSource

    Floats = NDArray[np.float64]

_POINTS: Final = 40
"""Largest number of points along a side of a picture. More are thinned evenly."""
_GROUPS: Final = 6
"""Largest number of groups that are shown, evenly chosen: those of one axis follow each other."""
_FLOOR: Final = 1e-12
"""Eigenvalues below this share of the largest are rounding."""
_TICK: Final = 0.8
"""Largest share of the scale at which the colour bar has a label, which would else reach beyond its edge."""
_SIDE: Final = 260
"""Height of a picture in pixels."""


def figures_of_kernels(source: FigureSource) -> tuple[Figure, ...]:
    """Draw kernels and spectra of a sweep; nothing where no kernel was recorded or no run is done."""
    figures = kernel_figures(source.ds, source.theory)
    return (*figures, *spectrum_figures(source.ds, source.theory)) if figures else ()


def kernel_figures(sweep: xr.Dataset, _: xr.Dataset) -> tuple[Figure, ...]:
    """Draw Θ at the first and the last record, and their difference, of the widest run of each group, or of six.

    Points are ordered by their targets, so that classes are blocks. Empty where no kernel was recorded.
    """
    if "kernel" not in sweep.data_vars:
        return ()
    figures = []
    shown, of = _widest(sweep)
    for number, (label, run) in enumerate(shown):
        start, end = _ends(sweep, run)
        panels = []
        largest = float(np.abs(np.stack([start, end])).max())
        for name, matrix, limit in (
            ("Θ at t = 0", start, largest),
            ("Θ at the end", end, largest),
            ("end minus start", end - start, float(np.abs(end - start).max())),
        ):
            alt = (
                f"{name}, {label}: {matrix.shape[0]} points, entries from {matrix.min():.3g} to {matrix.max():.3g}, "
                f"norm {np.linalg.norm(matrix):.3g}."
            )
            panels.append(Panel(name, alt, _matrix_chart(matrix, limit, alt)))
        drift = np.linalg.norm(end - start) / np.linalg.norm(start)
        caption = (
            f"One run, {label}, m = {int(sweep['width'].values[run])}, seed {int(sweep['seed'].values[run])}; points "
            f"are ordered by target. Start and end share their colours; the difference has its own, and is {drift:.2g} "
            f"of the start in the Frobenius norm.{of}"
        )
        figures.append(
            Figure(f"kernel-{number}", f"The kernel at the start and the end: {label}", caption, tuple(panels))
        )
    return tuple(figures)


def spectrum_figures(sweep: xr.Dataset, theory: xr.Dataset) -> tuple[Figure, ...]:
    """Draw the eigenvalues of Θ at the first and the last record of the widest runs, beside those of Θ_∞.

    Empty where no kernel was recorded.
    """
    if "kernel" not in sweep.data_vars:
        return ()
    panels = []
    shown, of = _widest(sweep)
    for label, run in shown:
        start, end = _ends(sweep, run, thin=False)
        matrices = {"t = 0": start, "at the end": end}
        limits = {str(each) for each in theory["limit"].values} if "ntk_train" in theory else set()
        name = str(sweep["limit"].values[run]) if "limit" in sweep.coords else ""
        if name in limits:
            matrices[LIMIT] = np.asarray(theory["ntk_train"].sel(limit=name).values, dtype=np.float64)
        values = {key: _eigenvalues(matrix) for key, matrix in matrices.items() if np.isfinite(matrix).all()}
        told = "; ".join(f"{key}: {each[0]:.3g} to {each[-1]:.3g}" for key, each in values.items())
        alt = f"Eigenvalues of the kernel by rank, {label}. {told}."
        heading = f"{label}, m = {int(sweep['width'].values[run])}, seed {int(sweep['seed'].values[run])}"
        panels.append(Panel(heading, alt, _spectrum_chart(values, alt)))
    caption = (
        "Eigenvalues of Θ on the train points, of the widest run with the smallest seed, from the largest to the "
        f"smallest; both axes are logarithmic. The grey line is that of infinite width.{of}"
    )
    return (Figure("spectrum", "The spectrum of the kernel", caption, tuple(panels)),)


def _eigenvalues(matrix: Floats) -> Floats:
    """Eigenvalues, the largest first."""
    return np.asarray(np.linalg.eigvalsh(matrix)[::-1], dtype=np.float64)


def _widest(sweep: xr.Dataset) -> tuple[list[tuple[str, int]], str]:
    """Label and position of the widest finished run of the smallest seed, of the groups shown; and which these are.

    The text is a sentence of a caption, empty where all groups are shown.
    """
    done = np.asarray(sweep["status"].values) == DONE
    width, seed = np.asarray(sweep["width"].values), np.asarray(sweep["seed"].values)
    found = [
        (group.label, int(runs[np.lexsort((seed[runs], -width[runs]))[0]]))
        for group in split(sweep)
        if (runs := group.runs[done[group.runs]]).size
    ]
    # Beside a sweep that has recorded kernels another one may stand that has none.
    found = [(label, run) for label, run in found if _recorded(sweep["kernel"].isel(run=run, record=0)).size]
    if len(found) <= _GROUPS:
        return found, ""
    of = (
        f" Shown are {_GROUPS} of {len(found)} groups of runs, the first, the last and evenly chosen ones between; "
        "ds.sweep.select(…).sweep.plot.kernels() draws any other."
    )
    return [found[k] for k in evenly(len(found), _GROUPS)], of


def _ends(sweep: xr.Dataset, run: int, *, thin: bool = True) -> tuple[Floats, Floats]:
    """The kernel at the first and the last record of a run, points ordered by target."""
    kernel = sweep["kernel"].isel(run=run)
    ends = np.asarray(kernel.isel(record=[0, int(sweep["records_done"].values[run]) - 1]).values, dtype=np.float64)
    known = _recorded(ends[0])
    targets = np.asarray(sweep["targets_train"].isel(run=run, missing_dims="ignore").values, dtype=np.float64)
    order = known[np.argsort(targets.reshape(len(targets), -1)[known, 0], kind="stable")]
    if thin:
        order = order[evenly(order.size, _POINTS)]
    start, end = (matrix[np.ix_(order, order)] for matrix in ends)
    return start, end


def _recorded(kernel: Any) -> NDArray[np.intp]:
    """The points of which a matrix (i, j) has entries; those of other sweeps are padding."""
    return np.flatnonzero(np.isfinite(np.diagonal(np.asarray(kernel))))


def _matrix_chart(matrix: Floats, largest: float, description: str) -> dict[str, Any]:
    alt = load_altair()
    size = matrix.shape[0]
    rows = [{"i": i, "j": j, "v": float(f"{matrix[i, j]:.3g}")} for i in range(size) for j in range(size)]
    sides = alt.Axis(labels=False, ticks=False, domain=False, grid=False)
    top = float(f"{largest:.3g}") or 1.0
    tick = max(each for each in log_ticks([top / 10, top]) if each <= _TICK * top)
    chart = (
        alt.Chart(alt.NamedData(name="entries"))
        .mark_rect()
        .encode(
            x=alt.X("j:O", title=None, axis=sides),
            y=alt.Y("i:O", title=None, axis=sides),
            color=alt.Color(
                "v:Q",
                title=None,
                scale=alt.Scale(scheme="blueorange", domain=[-top, top]),
                legend=alt.Legend(orient="bottom", gradientThickness=8, values=[-tick, 0, tick], format="~g"),
            ),
            tooltip=tips(alt, {"i": "i", "j": "j"}, {"v": "entry"}),
        )
        .properties(width="container", height=_SIDE, description=description)
    )
    return finish(chart, "container") | {"datasets": {"entries": rows}}


def _spectrum_chart(values: dict[str, Floats], description: str) -> dict[str, Any]:
    alt = load_altair()
    rows: list[dict[str, Any]] = [
        {"s": name, "rank": rank, "v": float(f"{value:.4g}")}
        for name, each in values.items()
        for rank, value in enumerate(each, start=1)
        if value > _FLOOR * each[0]
    ]
    names: Sequence[str] = tuple(values)
    colours = [*COLOURS[: len(names) - (LIMIT in names)], *([GREY] * (LIMIT in names))]
    chart = (
        alt.Chart(alt.NamedData(name="eigenvalues"))
        .mark_line(point=alt.OverlayMarkDef(size=22, filled=True), strokeWidth=1.6)
        .encode(
            x=alt.X(**log_axis(alt, "rank:Q", [row["rank"] for row in rows], pad=1.1, title="rank", grid=False)),
            y=alt.Y(**log_axis(alt, "v:Q", [row["v"] for row in rows], pad=1.3, title="eigenvalue")),
            color=alt.Color(
                "s:N",
                scale=alt.Scale(domain=list(names), range=colours),
                legend=names_legend(alt, names),
            ),
            tooltip=tips(alt, {"s": "kernel", "rank": "rank"}, {"v": "eigenvalue"}),
        )
        .properties(width="container", height=_SIDE, description=description)
    )
    return finish(chart, "container") | {"datasets": {"eigenvalues": rows}}
