"""First variations of functionals of a measure. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.observe._case import Case, cases, widths
from sweepengine.observe._observable import observable
from sweepengine.observe._record_cost import Ingredient

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from sweepengine.particles import Functional, Risk, Term

_COPIES: Final = 1000
"""Copies of each point that make ε small for a functional of a higher degree in μ than 2."""
FUNCTIONALS: Final = ("potential", "double", "interaction", "squared", "logistic")


def first_variation_error(now: Case, _: Case) -> NDArray[np.float64]:
    """Relative difference between (F(μ + εν) − F(μ − εν))/2ε and ∫δF/δμ dν, ∫dν = 0, of each functional.

    μ and ν live on the same points, with integer multiplicities, so that μ ± εν are clouds of equal weights. F of a
    degree of at most 2 in μ has no error of ε.
    """
    import torch

    from sweepengine import particles as pt

    generator, points = now.generator(), pt.gaussian_cloud(now.seed, now.width, 3)
    counts = torch.from_numpy(generator.integers(2, 6, now.width))
    direction = torch.from_numpy(generator.permutation(np.resize([1, -1, 0], now.width // 3 * 3)))
    points, counts = points[: len(direction)], counts[: len(direction)]
    kernel = pt.GaussianKernel()

    def double(cloud: Tensor) -> Tensor:
        """δ/δμ of ∬W dμdμ, which is 2∫W dμ; the twin drops the 2."""
        return (1 if now.name == "twin" else 2) * torch.exp(-torch.cdist(points, cloud).square() / 2).mean(1)

    def own(term: Term) -> tuple[Functional, Callable[[Tensor], Tensor]]:
        functional = pt.Functional([term])
        return functional, lambda cloud: functional.first_variation(points, cloud)

    functionals = {
        "potential": (*own(pt.double_well()), 1),
        "double": (pt.Functional([pt.Scaled(pt.Interaction(kernel), 2.0)]), double, 1),
        "interaction": (*own(pt.Interaction(kernel)), 1),
        "squared": (*own(_risk("mse")), 1),
        "logistic": (*own(_risk("logistic")), _COPIES),
    }
    errors = []
    for functional, variation, copies in (functionals[name] for name in FUNCTIONALS):
        ahead, here, behind = (points.repeat_interleave(copies * counts + k * direction, 0) for k in (1, 0, -1))
        found = (functional.value(ahead) - functional.value(behind)) / 2 * len(here)
        parts = variation(here) * direction
        errors.append(abs(found - float(parts.sum())) / float(parts.abs().sum()))
    return np.array(errors)


def _risk(cost: str) -> Risk:
    from sweepengine import particles as pt

    inputs = pt.gaussian_cloud(0, 16, 2)
    return pt.Risk(pt.Neuron(2, "tanh"), inputs, inputs[:, 0].sign(), cost)


OBSERVABLES = (
    observable(
        "first_variation_error", ("functional",),
        "relative difference between the central difference of F in a direction nu of total mass 0 and the integral of "
        "dF/dmu d nu, F = int V dmu; iint W dmu dmu, with 2 int W dmu; 1/2 iint W dmu dmu; risks of two costs; case "
        "twin: iint W dmu dmu with int W dmu",
        "Santambrogio 2015, ch. 7; Wide-network notes, §4.4, examples",
        kind="computation", measure=first_variation_error, defined_for=(cases("claim", "twin"), widths(3)),
        sizes={"functional": FUNCTIONALS}, cost=(Ingredient(seconds=lambda run: 4.2e-4 * run.width),),
    ),
)  # fmt: skip
