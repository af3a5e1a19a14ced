"""Sizes of the entries of the Jacobian and the Hessian of the outputs at t = 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.analysis._claim import Claim, Evidence, of_case, passed_off
from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._levels import Inequality
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import Reduction, final, initial

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

    from sweepengine.analysis._setting import Setting

    Chosen = Callable[[xr.DataArray, xr.DataArray, xr.DataArray], xr.DataArray]

_SOURCE: Final = "theory.md §7 sizes"
_MEAN: Final = "root mean square over train points, outputs and all entries of a block at t = 0"


def _blocks(name: str, chosen: Chosen, title: str, symbol: str) -> Quantity:
    """Root mean square over the blocks (W^l, W^l') that are chosen by (l, l', L), one number for each l."""

    def compute(done: xr.Dataset, _: xr.Dataset) -> xr.DataArray:
        import xarray as xr

        squares = done["hessian_rms"].isel(record=0, drop=True).astype(np.float64) ** 2
        layer, other = (xr.DataArray(np.arange(squares.sizes[dim]), dims=dim) for dim in ("layer", "layer_other"))
        mask = chosen(layer, other, done["depth"])
        count = mask.sum("layer_other")
        mean: xr.DataArray = squares.where(mask, 0).sum("layer_other", skipna=False) / count.where(count > 0)
        return mean**0.5

    variables = {"hessian_rms": ("run", "record", "layer", "layer_other")}
    return Quantity(name, Reduction("initial", compute, variables, "layer"), title, f"{symbol}, {_MEAN}", _SOURCE)


JACOBIAN: Final = Quantity(
    "jacobian_rms", initial("jacobian_rms", "layer"), "Jacobian by the weights of a layer", f"∂f/∂W^l, {_MEAN}", _SOURCE
)
JACOBIAN_BIAS: Final = Quantity(
    "jacobian_rms_bias",
    initial("jacobian_rms_bias", "layer"),
    "Jacobian by the biases of a layer",
    f"∂f/∂b^l, {_MEAN}",
    _SOURCE,
)
HESSIAN_DIAGONAL: Final = _blocks(
    "hessian_diagonal",
    lambda layer, other, depth: (layer == other) & (layer < depth),
    "Hessian of a layer with itself",
    "∂²f/∂W^l∂W^l, l < L",
)
HESSIAN_FIRST: Final = _blocks(
    "hessian_first",
    lambda layer, other, depth: (other == 0) & (layer > 0) & (layer <= depth),
    "Hessian of a layer with the first",
    "∂²f/∂W^l∂W^0, l > 0",
)
HESSIAN_LAST: Final = _blocks(
    "hessian_last",
    lambda layer, other, depth: (other == depth) & (layer > 0) & (layer < depth),
    "Hessian of a hidden layer with the last",
    "∂²f/∂W^l∂W^L, 0 < l < L",
)
HESSIAN_HIDDEN: Final = _blocks(
    "hessian_hidden",
    lambda layer, other, depth: (layer != other) & (layer > 0) & (layer < depth) & (other > 0) & (other < depth),
    "Hessian of a hidden layer with the other hidden layers",
    "∂²f/∂W^l∂W^l', l ≠ l', 0 < l, l' < L",
)


HESSIAN_READOUT: Final = Quantity(
    "readout_hessian",
    final("readout_hessian"),
    "Hessian of the last layer with itself",
    "root mean square of ∂²f/∂W^L∂W^L by automatic differentiation, largest over 24 networks",
    _SOURCE,
    fitted=False,
)


def _is_hidden(setting: Setting, layer: str) -> bool:
    return layer not in ("W0", f"W{setting.depth}")


def _has_jacobian(setting: Setting, layer: str) -> bool:
    return setting.readout != "ones" and setting.moves(layer)


def _has_jacobian_bias(setting: Setting, layer: str) -> bool:
    return setting.trained != "hidden_weights" and _has_jacobian(setting, layer)


def _has_hessian(setting: Setting, _: str) -> bool:
    return setting.readout != "ones" and setting.trained == "all" and setting.smooth


def _hessian(blocks: Quantity, p: Callable[[Setting, str], float], note: str = "") -> Exponent:
    """The exponent of some blocks from that at γ = 1/2; another γ multiplies the blocks by m^(1/2−γ)."""
    return Exponent(
        blocks, "sharp", _has_hessian, lambda s, layer: p(s, layer) + s.gamma - 0.5, "Valle Pérez 2019, §8", note
    )


CLAIM: Final = Claim(
    "sizes",
    "At t = 0 the root mean square over all entries of a block is, of the Jacobian: m^−γ for W^0 and W^L, m^(−γ−1/2) "
    "for W^l between, m^−γ for b^l, m^(1/2−γ) for b^L; of the Hessian at γ = 1/2: m^−2 for hidden with hidden, m^−3/2 "
    "for hidden with W^0 and with W^L, m^−1 for W^0 with itself and with W^L, and 0 for W^L with itself; at another γ "
    "m^(1/2−γ) times this.",
    (
        Evidence(
            "sizes",
            (
                Exponent(
                    JACOBIAN,
                    "sharp",
                    _has_jacobian,
                    lambda s, layer: s.gamma + 0.5 * _is_hidden(s, layer),
                    "Valle Pérez 2019, §8",
                ),
                Exponent(
                    JACOBIAN_BIAS,
                    "sharp",
                    _has_jacobian_bias,
                    lambda s, layer: s.gamma - 0.5 * (layer == f"W{s.depth}"),
                    "Valle Pérez 2019, §8",
                ),
                _hessian(
                    HESSIAN_DIAGONAL,
                    lambda s, layer: 1.0 + _is_hidden(s, layer),
                    note="m^−2 for W^0, which Valle Pérez 2019 counts as a hidden layer, is refuted",
                ),
                _hessian(HESSIAN_FIRST, lambda s, layer: 1.0 + 0.5 * _is_hidden(s, layer)),
                _hessian(HESSIAN_LAST, lambda *_: 1.5),
                _hessian(HESSIAN_HIDDEN, lambda *_: 2.0),
            ),
            twin=lambda sweep: passed_off(sweep, 1.0, 0.5),
            says_twin="runs at γ = 1 passed off as γ = 0.5",
            anywhere=True,
        ),
        Evidence(
            "exactness",
            (
                Inequality(
                    HESSIAN_READOUT, lambda s, _: s.case == "claim", "≤", lambda *_: 1e-14, "Valle Pérez 2019, §8"
                ),
            ),
            twin=lambda sweep: of_case(sweep, "twin"),
            says_twin="W^0 in place of W^L",
            of="computation",
        ),
    ),
    source="Valle Pérez 2019, §8",
)
