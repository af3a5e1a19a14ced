"""Pictures of tangent kernels: the matrices at the start and the end with their difference, and their spectra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sweepengine.analysis._chart_parts import COLOURS, finish, load_altair, log_axis, tips
from sweepengine.analysis._constants import DONE
from sweepengine.analysis._dataset import split
from sweepengine.analysis._figure import Figure, Panel
from sweepengine.analysis._series import evenly

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from sweepengine.analysis._figure import FigureSource

    Floats = NDArray[np.float64]

_POINTS: Final = 40
"""Largest number of points along a side of a picture. More are thinned evenly."""
_GROUPS: Final = 2
"""Number of groups that are shown: the first and the last."""
_FLOOR: Final = 1e-12
"""Eigenvalues below this share of the largest are rounding."""
_SIDE: Final = 260
"""Height of a picture in pixels."""
_INFINITE: Final = "m = ∞"


def figures_of_kernels(source: FigureSource) -> tuple[Figure, ...]:
    """Draw kernels and spectra of a sweep; nothing where no kernel was recorded or no run is done."""
    figures = kernel_figures(source.ds, source.theory)
    return (*figures, *spectrum_figures(source.ds, source.theory)) if figures else ()


def kernel_figures(sweep: xr.Dataset, _: xr.Dataset) -> tuple[Figure, ...]:
    """Draw Θ at the first and the last record, and their difference, of the widest run of the first and last group.

    Points are ordered by their targets, so that classes are blocks. Empty where no kernel was recorded.
    """
    if "kernel" not in sweep.data_vars:
        return ()
    figures = []
    for number, (label, run) in enumerate(_widest(sweep)):
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
            "of the start in the Frobenius norm."
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
    for label, run in _widest(sweep):
        start, end = _ends(sweep, run, thin=False)
        matrices = {"t = 0": start, "at the end": end}
        limits = {str(each) for each in theory["limit"].values} if "ntk_train" in theory else set()
        name = str(sweep["limit"].values[run]) if "limit" in sweep.coords else ""
        if name in limits:
            matrices[_INFINITE] = np.asarray(theory["ntk_train"].sel(limit=name).values, dtype=np.float64)
        values = {key: _eigenvalues(matrix) for key, matrix in matrices.items() if np.isfinite(matrix).all()}
        told = "; ".join(f"{key}: {each[0]:.3g} to {each[-1]:.3g}" for key, each in values.items())
        alt = f"Eigenvalues of the kernel by rank, {label}. {told}."
        heading = f"{label}, m = {int(sweep['width'].values[run])}, seed {int(sweep['seed'].values[run])}"
        panels.append(Panel(heading, alt, _spectrum_chart(values, alt)))
    caption = (
        "Eigenvalues of Θ on the train points, of the widest run with the smallest seed, from the largest to the "
        "smallest; both axes are logarithmic. The grey line is that of infinite width."
    )
    return (Figure("spectrum", "The spectrum of the kernel", caption, tuple(panels)),)


def _eigenvalues(matrix: Floats) -> Floats:
    """Eigenvalues, the largest first."""
    return np.asarray(np.linalg.eigvalsh(matrix)[::-1], dtype=np.float64)


def _widest(sweep: xr.Dataset) -> list[tuple[str, int]]:
    """Label and position of the widest finished run of the smallest seed, of the first and of the last group."""
    done = np.asarray(sweep["status"].values) == DONE
    width, seed = np.asarray(sweep["width"].values), np.asarray(sweep["seed"].values)
    found = [
        (group.label, int(runs[np.lexsort((seed[runs], -width[runs]))[0]]))
        for group in split(sweep)
        if (runs := group.runs[done[group.runs]]).size
    ]
    return found if len(found) <= _GROUPS else [found[0], found[-1]]


def _ends(sweep: xr.Dataset, run: int, *, thin: bool = True) -> tuple[Floats, Floats]:
    """The kernel at the first and the last record of a run, points ordered by target."""
    kernel = sweep["kernel"].isel(run=run)
    ends = np.asarray(kernel.isel(record=[0, int(sweep["records_done"].values[run]) - 1]).values, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(ends[0]).all(axis=1) | np.isfinite(np.diagonal(ends[0])))
    targets = np.asarray(sweep["targets_train"].isel(run=run, missing_dims="ignore").values, dtype=np.float64)
    order = known[np.argsort(targets.reshape(len(targets), -1)[known, 0], kind="stable")]
    if thin:
        order = order[evenly(order.size, _POINTS)]
    start, end = (matrix[np.ix_(order, order)] for matrix in ends)
    return start, end


def _matrix_chart(matrix: Floats, largest: float, description: str) -> dict[str, Any]:
    alt = load_altair()
    size = matrix.shape[0]
    rows = [{"i": i, "j": j, "v": float(f"{matrix[i, j]:.3g}")} for i in range(size) for j in range(size)]
    sides = alt.Axis(labels=False, ticks=False, domain=False, grid=False)
    top = float(f"{largest:.3g}") or 1.0
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
                legend=alt.Legend(orient="bottom", gradientThickness=8, tickCount=3, format="~g"),
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
    colours = [*COLOURS[: len(names) - (_INFINITE in names)], *(["#8a8a82"] * (_INFINITE in names))]
    chart = (
        alt.Chart(alt.NamedData(name="eigenvalues"))
        .mark_line(point=alt.OverlayMarkDef(size=22, filled=True), strokeWidth=1.6)
        .encode(
            x=alt.X(**log_axis(alt, "rank:Q", [row["rank"] for row in rows], pad=1.1, title="rank", grid=False)),
            y=alt.Y(**log_axis(alt, "v:Q", [row["v"] for row in rows], pad=1.3, title="eigenvalue")),
            color=alt.Color(
                "s:N",
                scale=alt.Scale(domain=list(names), range=colours),
                legend=alt.Legend(orient="top", title=None, columns=1),
            ),
            tooltip=tips(alt, {"s": "kernel", "rank": "rank"}, {"v": "eigenvalue"}),
        )
        .properties(width="container", height=_SIDE, description=description)
    )
    return finish(chart, "container") | {"datasets": {"eigenvalues": rows}}
