"""Progress and error obey the continuity argument."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sweepengine.analysis._claim import Claim, Evidence, of_case
from sweepengine.analysis._levels import Inequality
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import Reduction, final
from sweepengine.analysis._shares import Remark

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from sweepengine.analysis._setting import Setting

    Floats = NDArray[np.float64]

_SOURCE: Final = "Wide-network notes, §3.11"
_CONTRACTIONS: Final = frozenset({"relu", "leaky_relu", "abs", "tanh", "sin", "identity"})
"""Activations with |φ(h)| ≤ |h| and |φ'| ≤ 1."""
_DIMS: Final = ("run", "record")
_PAIR: Final = {"residual_norm": _DIMS, "movement_total": _DIMS}


def _pair(done: xr.Dataset) -> tuple[Floats, Floats]:
    """Steps of log X and log Y after the first record, where Y = 0: two arrays (run, record)."""
    x, y = (np.asarray(done[name].values, dtype=np.float64)[:, 1:] for name in _PAIR)
    return np.diff(np.log(x), axis=1), np.diff(np.log(y), axis=1)


def _power(log_x: Floats, log_y: Floats) -> Floats:
    """K = sup (d log Y/dt)/A_t over the first half of the records, (run, 1); NaN where X has not fallen throughout."""
    half = log_x.shape[1] // 2
    falls = log_x[:, :half] < 0
    ratios = np.where(falls, log_y[:, :half] / np.where(falls, -log_x[:, :half], 1.0), np.nan)
    return np.asarray(ratios.max(axis=1, keepdims=True))


def _product_rise(done: xr.Dataset, _: xr.Dataset) -> xr.DataArray:
    """The largest rise of X^K Y above its least value so far, in the second half of records; 1 if it never rises."""
    import xarray as xr

    log_x, log_y = _pair(done)
    steps = (_power(log_x, log_y) * log_x + log_y)[:, log_x.shape[1] // 2 :]
    product = np.concatenate([np.zeros((len(steps), 1)), np.cumsum(steps, axis=1)], axis=1)
    rise = (product - np.minimum.accumulate(product, axis=1)).max(axis=1)
    return xr.DataArray(np.exp(rise), dims="run")


def _measured_power(done: xr.Dataset, _: xr.Dataset) -> xr.DataArray:
    import xarray as xr

    return xr.DataArray(_power(*_pair(done))[:, 0], dims="run")


def _growth_ratio(done: xr.Dataset, _: xr.Dataset) -> xr.DataArray:
    """Largest log(growth) at t > 0 over the exponent of its bound; the sum over steps is ∫‖r‖ of gradient descent."""
    import xarray as xr

    network: dict[str, Any] = json.loads(done.attrs["network"])
    gram = np.asarray(done["feature_gram"].isel(record=0, feature_layer=0).values, dtype=np.float64)  # x·x'/d
    norm = np.sqrt(np.diagonal(gram, axis1=1, axis2=2).max(axis=1))
    residuals = np.asarray(done["residual_norm"].values, dtype=np.float64)
    integral = np.cumsum(residuals[:, :-1], axis=1) * np.diff(done["time"].values, axis=-1)
    width, gamma, alpha = (np.asarray(done[name].values, dtype=np.float64) for name in ("width", "gamma", "alpha"))
    sigmas = network["sigma_w"] * (network.get("sigma_a") or network["sigma_w"])
    factor = sigmas * width ** (gamma - 1) / alpha * norm / gram.shape[1] ** 0.5
    growth = np.log(np.asarray(done["neuron_growth"].values, dtype=np.float64)[:, 1:])
    return xr.DataArray((growth / (factor[:, None] * integral)).max(axis=1), dims="run")


PRODUCT_RISE: Final = Quantity(
    "product_rise",
    Reduction("sup", _product_rise, _PAIR),
    "rise of X^K Y",
    "sup over s ≤ t of X_t^K Y_t / X_s^K Y_s in the second half, X = ‖f − y‖, Y = ‖θ_t − θ_0‖, "
    "K = sup (d log Y/dt)/A_t in the first half, A_t = −d log X/dt; 1 if it never rises",
    "theory.md §7 rates",
    fitted=False,
)
POWER: Final = Quantity(
    "product_power",
    Reduction("sup", _measured_power, _PAIR),
    "K of the first half",
    "K = sup (d log Y/dt)/A_t in the first half, from the first step on",
    "theory.md §7 rates",
    fitted=False,
)
GROWTH_RATIO: Final = Quantity(
    "growth_ratio",
    Reduction(
        "sup",
        _growth_ratio,
        {
            "residual_norm": _DIMS,
            "neuron_growth": _DIMS,
            "feature_gram": ("run", "record", "feature_layer", "i", "j"),
        },
    ),
    "growth of neurons against its bound",
    "sup over k, t > 0 of log(v_k(t)/v_k(0)) / ((m^(γ−1)/α) (max‖x‖/√d) N^−1/2 ∫‖f − y‖), v_k = ‖(a_k, w_k)‖",
    "theory.md §7 rates",
    fitted=False,
)
DEFECT: Final = Quantity(
    "continuity_defect",
    final("continuity_defect"),
    "defect of X^K Y along the ODE",
    "sup_t abs(X^K Y/(X_0^K Y_0) − 1) along dX/dt = −A_t X, dY/dt = K A_t Y, by RK4 of m steps",
    "theory.md §7 rates",
    fitted=False,
)


def _is_claim(setting: Setting, _: str) -> bool:
    return setting.case == "claim"


def _is_descent(setting: Setting, _: str) -> bool:
    return setting.method == "gd"


def _grows_by_gronwall(s: Setting, _: str) -> bool:
    return s.method == "gd" and s.depth == 1 and not s.biases and s.activation in _CONTRACTIONS


def _slow_progress(sweep: xr.Dataset) -> xr.Dataset:
    """A hundredth of the progress in the second half, which makes the K of the first half a hundred times too small."""
    x = sweep["residual_norm"].load()
    middle = x.isel(record=[x.sizes["record"] // 2])
    slow = middle.values * (x / middle.values) ** 0.01
    late = np.arange(x.sizes["record"]) > x.sizes["record"] // 2
    return sweep.assign(residual_norm=x.where(~late, slow))


def _small_bound(sweep: xr.Dataset) -> xr.Dataset:
    return sweep.assign(residual_norm=sweep["residual_norm"] / 10)


CLAIM: Final = Claim(
    "rates",
    "(i) Ẋ = −A_t X and Ẏ = K A_t Y keep X^K Y constant. (ii) X^K Y of a run does not increase, "
    "K = sup (d log Y/dt)/A_t. (iii) Ẏ ≤ XY: ‖(a_k, w_k)‖ grows by at most exp((m^(γ−1)/α)(max‖x‖/√d) N^(−1/2) ∫‖r‖).",
    (
        Evidence(
            "continuity",
            (
                Inequality(
                    DEFECT,
                    _is_claim,
                    "≤",
                    lambda *_: 1e-7,
                    source=_SOURCE,
                    note="0, up to the integrator's error",
                    runs="the widest",
                ),
            ),
            twin=lambda sweep: of_case(sweep, "twin"),
            says_twin="K/2 in place of K",
            of="computation",
        ),
        Evidence(
            "rates",
            (
                Inequality(PRODUCT_RISE, _is_descent, "≤", lambda *_: 1.0, source=_SOURCE),
                Remark(POWER, _is_descent, _SOURCE, runs="every width"),
            ),
            twin=_slow_progress,
            says_twin="K a hundred times too small",
        ),
        Evidence(
            "rates",
            (Inequality(GROWTH_RATIO, _grows_by_gronwall, "≤", lambda *_: 1.0, source=_SOURCE),),
            twin=_small_bound,
            says_twin="a bound ten times smaller",
        ),
    ),
    source=_SOURCE,
)
