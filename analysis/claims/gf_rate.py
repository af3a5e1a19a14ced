"""Gradient flow fits at the rate of the convergence proof, in its time and within its distance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from sweepengine.analysis._claim import Claim, Evidence
from sweepengine.analysis._levels import Inequality
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import Reduction, of_each_run
from sweepengine.analysis._shares import Remark
from sweepengine.analysis.claims.random_labels import narrowest

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr
    from numpy.typing import NDArray

    from sweepengine.analysis._setting import Setting

    Of = Callable[["_Points", xr.Dataset], float]
    """From the facts of the points and a loaded run to a number."""

TOLERANCE: Final = 1e-2
"""ε: the residual ‖y − f‖ at which a run counts as fitted."""
DELTA: Final = 0.1
"""δ of each lemma, for the width that the proof needs."""
_SOURCE: Final = "Du et al. 2019, §3; Wide-network notes, §3.8"
_VARIABLES: Final = {"residual_norm": ("run", "record"), "movement_row_max": ("run", "record", "layer")}


class _Points(NamedTuple):
    """λ_0 = λ_min(H^∞), C = max‖x‖ and n of the training points."""

    least: float
    norm: float
    number: int

    @classmethod
    def of(cls, limit: NDArray[np.float64]) -> _Points:
        """From H^∞ (n, n), which is the limit of the kernel of W alone; relu has H^∞_ii = ‖x_i‖²/2."""
        return cls(float(np.linalg.eigvalsh(limit)[0]), float(np.sqrt(2 * limit.diagonal().max())), len(limit))


def _of_each(number: Of) -> Callable[[xr.Dataset, xr.Dataset], xr.DataArray]:
    def compute(done: xr.Dataset, theory: xr.Dataset) -> xr.DataArray:
        import xarray as xr

        limits = np.asarray(of_each_run(theory["ntk_train"], done).values)
        loaded = done[[*_VARIABLES]].compute()
        values = [number(_Points.of(limit), loaded.isel(run=run)) for run, limit in enumerate(limits)]
        return xr.DataArray(np.array(values, dtype=np.float64), dims="run")

    return compute


def _residuals(run: xr.Dataset) -> NDArray[np.float64]:
    return np.asarray(run["residual_norm"].values[: int(run["records_done"])], dtype=np.float64)


def _ratio(name: str) -> Of:
    """A ratio of :func:`sweepengine.theory.check_run`, in the time of the mean loss."""

    def number(points: _Points, run: xr.Dataset) -> float:
        from sweepengine import theory

        residuals = _residuals(run)
        found = theory.check_run(
            run["time"].values[: residuals.size],
            residuals,
            run["movement_row_max"].sel(layer="W0").values[: residuals.size],
            lambda0=points.least,
            data_points=points.number,
            width=int(run["width"]),
            norm=points.norm,
            tolerance=TOLERANCE,
            points=points.number,
        )
        return float(getattr(found, name))

    return number


def _needed(points: _Points, run: xr.Dataset) -> float:
    from sweepengine import theory

    return theory.required_width(points.least, points.number, DELTA, points.norm, float(_residuals(run)[0]))


def _quantity(name: str, number: Of, title: str, symbol: str) -> Quantity:
    reduction = Reduction("sup", _of_each(number), _VARIABLES, theory=("ntk_train",))
    return Quantity(name, reduction, title, symbol, "theory.md §7 gf-rate", fitted=False)


RATE: Final = _quantity(
    "rate_ratio",
    _ratio("rate_ratio"),
    "squared residual over its bound",
    "sup over t > 0 of ‖y − f_t‖^2 / (e^(−λ_0 t/N) ‖y − f_0‖^2) until ‖y − f‖ ≤ ε = 0.01, λ_0 = λ_min(H^∞)",
)
TIME: Final = _quantity(
    "time_ratio",
    _ratio("time_ratio"),
    "time to fit over its bound",
    "T_1 / ((2N/λ_0) log(‖y − f_0‖/ε)), ‖y − f‖ ≤ ε = 0.01 from T_1 on",
)
MOVEMENT: Final = _quantity(
    "movement_ratio",
    _ratio("movement_ratio"),
    "movement of a neuron over its bound",
    "max_k sup_t ‖w_k(t) − w_k(0)‖ / (2C √(n/m) ‖y − f_0‖/λ_0), C = max‖x‖",
)
NEEDED: Final = _quantity(
    "proof_width",
    _needed,
    "width that the proof needs",
    "least m with 2C √(n/m) ‖y − f_0‖/λ_0 ≤ R = √(2π) δ λ_0/(16 n^2 C^2), δ = 0.1",
)


def _is_of_the_theorem(s: Setting, _: str) -> bool:
    trained = s.readout == "signs" and s.trained == "hidden_weights" and not s.biases
    return s.shallow_relu and trained and s.at(0.5) and s.alpha == 1


CLAIM: Final = Claim(
    "gf-rate",
    "‖y − f_t‖² ≤ e^(−λ_0 t)‖y − f_0‖² (e^(−λ_0 t/N) for the mean loss), so that T_1 ≤ (2/λ_0) log(‖y − f_0‖/ε), and "
    "no neuron moves by more than 2C√(n/m)‖y − f_0‖/λ_0; the proof needs this to be at most R.",
    (
        Evidence(
            "random_labels",
            (
                Inequality(RATE, _is_of_the_theorem, "≤", lambda *_: 1.0, source=_SOURCE, runs="the widest"),
                Inequality(TIME, _is_of_the_theorem, "≤", lambda *_: 1.0, source=_SOURCE, runs="the widest"),
                Inequality(MOVEMENT, _is_of_the_theorem, "≤", lambda *_: 1.0, source=_SOURCE, runs="the widest"),
                Remark(NEEDED, _is_of_the_theorem, _SOURCE),
            ),
            twin=narrowest,
            says_twin="networks of four neurons",
        ),
    ),
    source=_SOURCE,
)
