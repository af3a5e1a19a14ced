"""Kernels at t = 0 against their limits: distances, bias, and blocks between outputs. Imports no torch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from sweepengine.observe._at_start import (
    ARCHITECTURES,
    POINTS,
    networks_at_start,
    seconds_at_start,
    sphere_points,
    square_of_mean,
)
from sweepengine.observe._case import Case, cases
from sweepengine.observe._observable import observable
from sweepengine.observe._record_cost import Ingredient

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sweepengine.spec import Architecture

    Floats = NDArray[np.float64]

_NORMS: Final = ("frobenius", "operator")
_NETWORKS: Final = 120000
"""Networks for a bias times their width, for about equal work at every width."""
_OUTPUTS: Final = 3
_OUTPUT_COPIES: Final = 16
_DISTANCE_COPIES: Final = 64
_TWIN: Final = "shallow_cos"
"""The architecture of the case ``twin``."""


def _limits(case: Case) -> tuple[Floats, Floats]:
    """K and Θ_∞."""
    from sweepengine import theory

    a = _architecture(case.name)
    limits = theory.kernels(
        sphere_points(),
        depth=a.depth,
        activation=a.activation,
        sigma_w=a.sigma_w,
        sigma_b=a.sigma_b,
        sigma_a=a.sigma_a,
    )
    return limits.nngp.astype(np.float64), limits.ntk.astype(np.float64)


def _architecture(case: str) -> Architecture:
    return ARCHITECTURES[_TWIN if case == "twin" else case]


def _limit(case: Case) -> Floats:
    """Θ_∞; in the case ``twin`` K."""
    nngp, ntk = case.once(_limits)
    return nngp if case.name == "twin" else ntk


def _norms(matrices: Floats) -> Floats:
    """Frobenius and operator norms of matrices (R, N, N), shape (2, R)."""
    return np.stack([np.linalg.norm(matrices, order, axis=(1, 2)) for order in ("fro", 2)])


class _Kernels(NamedTuple):
    """Θ_0 of networks of one output, and V = φ^L φ^Lᵀ/m, whose mean is the covariance of outputs; (networks, N, N)."""

    tangent: Floats
    covariance: Floats


def _drawn(case: Case, copies: int) -> _Kernels:
    import torch

    from sweepengine.networks import Inputs

    a, found = _architecture(case.name), []
    inputs = Inputs.prepare(torch.from_numpy(sphere_points()), a)
    for net in networks_at_start(a, case.width, copies, case.generator()):
        passes = net.passes(inputs)
        phi = passes.forward.features[-1]
        found.append((net.kernel(*passes).numpy(), (phi @ phi.mT).numpy() / case.width))
    return _Kernels(*(np.concatenate(each) for each in zip(*found, strict=True)))


def _copies(width: int) -> int:
    """Networks for a bias."""
    return max(2, _NETWORKS // width)


def _many(case: Case) -> _Kernels:
    return _drawn(case, _copies(case.width))


def kernel_distances(now: Case, _: Case) -> Floats:
    """‖Θ_0 − Θ_∞‖/‖Θ_∞‖ in the Frobenius and the operator norm: norms of each network, then their mean."""
    limit = _limit(now)
    distances: Floats = _norms(_drawn(now, _DISTANCE_COPIES).tangent - limit).mean(1) / _norms(limit[None])[:, 0]
    return distances


def _apart(matrices: Floats, limit: Floats) -> Floats:
    """Difference from a limit over its Frobenius norm, as vectors (R, N²)."""
    return (matrices - limit).reshape(len(matrices), -1) / np.linalg.norm(limit)


def _apart_tangent(case: Case) -> Floats:
    """(Θ_0 − Θ_∞)/‖Θ_∞‖_F of many networks."""
    return _apart(case.once(_many).tangent, _limit(case))


def _apart_covariance(case: Case) -> Floats:
    """(V − K)/‖K‖_F of many networks."""
    return _apart(case.once(_many).covariance, case.once(_limits)[0])


def kernel_bias(now: Case, _: Case) -> Floats:
    """Mean over networks of (Θ_0 − Θ_∞)/‖Θ_∞‖_F, all entries."""
    mean: Floats = _apart_tangent(now).mean(0)
    return mean


def kernel_bias_square(now: Case, _: Case) -> float:
    """m² times the unbiased estimate of ‖E Θ_0 − Θ_∞‖_F²/‖Θ_∞‖_F²."""
    return now.width**2 * square_of_mean(_apart_tangent(now))


def covariance_bias(now: Case, _: Case) -> Floats:
    """Mean over networks of (V − K)/‖K‖_F, all entries."""
    mean: Floats = _apart_covariance(now).mean(0)
    return mean


def covariance_bias_square(now: Case, _: Case) -> float:
    """m² times the unbiased estimate of ‖E f fᵀ − K‖_F²/‖K‖_F²."""
    return now.width**2 * square_of_mean(_apart_covariance(now))


class _Blocks(NamedTuple):
    """Root mean squares over blocks of ‖Θ_oo − Θ_∞‖_F and ‖Θ_op‖_F, o ≠ p, over ‖Θ_∞‖_F, mean over networks."""

    diagonal: float
    between: float


def _blocks(case: Case) -> _Blocks:
    """Measure networks of three outputs; in the case ``twin`` their outputs have one read-out."""
    import torch

    from sweepengine.networks import Inputs, network

    a, (_, limit) = _architecture(case.name), case.once(_limits)
    inputs, found = Inputs.prepare(torch.from_numpy(sphere_points()), a), []
    for group in networks_at_start(a, case.width, _OUTPUT_COPIES, case.generator(), outputs=_OUTPUTS):
        net, p = group, group.parameters
        if case.name == "twin":
            one = replace(p, readout=p.readout[..., :1].expand_as(p.readout).contiguous())
            net = network(a, one, [0.5] * len(p.readout), [1.0] * len(p.readout))
        blocks = net.kernel(*net.passes(inputs)).permute(0, 2, 4, 1, 3).numpy()
        expected = np.eye(_OUTPUTS)[:, :, None, None] * limit
        sizes = np.linalg.norm(blocks - expected, axis=(3, 4)) ** 2 / np.linalg.norm(limit) ** 2
        diagonal = np.trace(sizes, axis1=1, axis2=2)
        between = sizes.sum((1, 2)) - diagonal
        found.append(np.sqrt([diagonal / _OUTPUTS, between / (_OUTPUTS * (_OUTPUTS - 1))]))
    return _Blocks(*(float(value) for value in np.concatenate(found, axis=1).mean(1)))


def _networks(copies: Callable[[int], int]) -> Ingredient:
    """Kernels of as many networks as there are for a width."""
    return Ingredient(
        seconds=lambda run: 5e-4 + seconds_at_start(_architecture(run.case), run.width, copies(run.width), passes=2)
    )


_OF_DISTANCES: Final = _networks(lambda _: _DISTANCE_COPIES)
_OF_BLOCKS: Final = _networks(lambda _: _OUTPUT_COPIES)
_OF_BIASES: Final = _networks(_copies)
_KNOWN: Final = cases(*ARCHITECTURES, "twin")
_OF: Final[dict[str, Any]] = {
    "source": "theory.md §4.5; Jacot et al. 2018, Thm 1; Xu 2021, eq 35",
    "kind": "computation",
    "defined_for": (_KNOWN,),
}

OBSERVABLES = (
    observable(
        "initial_kernel_distance", ("norm",),
        "|Theta_0 - Theta_inf| over |Theta_inf|, mean over networks of their norms; case twin: K in place of Theta_inf",
        measure=kernel_distances, sizes={"norm": _NORMS}, cost=(_OF_DISTANCES,), **_OF,
    ),
    *(
        observable(
            f"initial_{name}_bias", ("component",), f"mean over networks of {what}, all entries",
            measure=bias, sizes={"component": POINTS**2}, cost=(_OF_BIASES,), **_OF,
        )
        for name, what, bias in (
            ("kernel", "(Theta_0 - Theta_inf)/|Theta_inf|_F", kernel_bias),
            ("covariance", "(V - K)/|K|_F, V = phi^L phi^L'/m", covariance_bias),
        )
    ),
    *(
        observable(
            f"initial_{name}_bias_square", (), f"m^2 times the unbiased estimate of the square of the mean of {what}",
            measure=square, cost=(_OF_BIASES,), **_OF,
        )
        for name, what, square in (
            ("kernel", "(Theta_0 - Theta_inf)/|Theta_inf|_F", kernel_bias_square),
            ("covariance", "(V - K)/|K|_F, V = phi^L phi^L'/m", covariance_bias_square),
        )
    ),
    *(
        observable(
            f"output_blocks_{name}", (),
            f"{what}, over |Theta_inf|_F, root mean square over blocks, mean over 16 networks of 3 outputs; case "
            "twin: one read-out for all outputs",
            "theory.md §2.4; Jacot et al. 2018, Thm 1; Xu 2021, eq 63", kind="computation", measure=measure,
            defined_for=(_KNOWN,), cost=(_OF_BLOCKS,),
        )
        for name, what, measure in (
            ("diagonal", "Frobenius norm of Theta_oo - Theta_inf", lambda now, _: now.once(_blocks).diagonal),
            ("between", "Frobenius norm of Theta_op, o != p", lambda now, _: now.once(_blocks).between),
        )
    ),
)  # fmt: skip
