"""The table of activations φ, which specs, networks, particles, fused kernels, plans and claims all read.

This module imports no torch: an entry refers to the code of its activation by "package.module:name". Beside the table
there are the piecewise linear φ whose kink is at 0, named by their slopes: ``leaky_relu(0.1)``,
``piecewise_linear(2, -1)``.
:mod:`sweepengine.theory` has a list of its own, because an oracle shares nothing with the engine.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Literal

_TORCH = "sweepengine.networks._activations"
_KERNELS = "sweepengine.networks.triton_activations"


@dataclass(frozen=True)
class PassTimes:
    """Nanoseconds in which one CPU thread goes over one entry of an array (measured on a CPU with AVX-512).

    Attributes
    ----------
    alone : float
        It makes φ.
    sloped : float
        It makes φ and what φ' follows from, and multiplies a signal by φ'.
    """

    alone: float
    sloped: float


@dataclass(frozen=True, kw_only=True)
class ActivationEntry:
    """What the engine knows of one activation.

    Attributes
    ----------
    torch : str
        Reference to the :class:`sweepengine.networks.Activation`: φ, φ' and, for a smooth φ, φ''; for a φ that is named
        by its slopes, to the function that makes it of them.
    passes : int
        Number of passes over an N × m array in which torch computes φ and the array from which φ' follows. With 1 or 0
        passes a fused kernel saves nothing.
    kernel : str or None
        Reference to a Triton function h ↦ (φ(h), φ'(h)); None where plain passes must be taken.
    parity : {"odd", "even", "none"}
    kinks : tuple of float
        Points at which φ' jumps; φ is smooth everywhere else.
    degree : int or None
        Degree of a polynomial φ; None for any other φ.
    unit_slopes : bool
        Whether φ' only takes the values −1, 0 and 1, so that a product with φ' rounds nothing.
    single, double : PassTimes
        Times of one CPU thread in float32 and in float64, for the plan.
    in_layers : bool
        Whether layers of networks may have the activation; units of particles may have every activation.
    """

    torch: str
    passes: int
    kernel: str | None
    parity: Literal["odd", "even", "none"]
    kinks: tuple[float, ...]
    degree: int | None
    unit_slopes: bool = False
    single: PassTimes = PassTimes(1.0, 2.0)
    double: PassTimes = PassTimes(2.0, 4.0)
    in_layers: bool = True

    @property
    def odd(self) -> bool:
        """Whether φ(−h) = −φ(h)."""
        return self.parity == "odd"

    def times(self, precision: str) -> PassTimes:
        """Times of one CPU thread in a precision, ``float32`` or ``float64``."""
        return self.single if precision == "float32" else self.double

    @property
    def smooth(self) -> bool:
        """Whether φ' jumps nowhere."""
        return not self.kinks


ACTIVATIONS: dict[str, ActivationEntry] = {
    "relu": ActivationEntry(
        torch=f"{_TORCH}:RELU",
        passes=1,
        kernel=f"{_KERNELS}:relu",
        parity="none",
        kinks=(0.0,),
        degree=None,
        unit_slopes=True,
        single=PassTimes(0.05, 0.2),
        double=PassTimes(0.1, 0.45),
    ),
    "leaky_relu": ActivationEntry(
        torch=f"{_TORCH}:LEAKY_RELU",
        passes=1,
        kernel=f"{_KERNELS}:leaky_relu",
        parity="none",
        kinks=(0.0,),
        degree=None,
        single=PassTimes(0.07, 0.22),
        double=PassTimes(0.13, 0.5),
    ),
    "abs": ActivationEntry(
        torch=f"{_TORCH}:ABS",
        passes=2,
        kernel=f"{_KERNELS}:absolute",
        parity="even",
        kinks=(0.0,),
        degree=None,
        unit_slopes=True,
        single=PassTimes(0.04, 0.31),
        double=PassTimes(0.15, 0.75),
    ),
    "tanh": ActivationEntry(
        torch=f"{_TORCH}:TANH",
        passes=1,
        kernel=f"{_KERNELS}:tanh",
        parity="odd",
        kinks=(),
        degree=None,
        single=PassTimes(0.17, 0.35),
        double=PassTimes(0.78, 1.2),
    ),
    "erf": ActivationEntry(
        torch=f"{_TORCH}:ERF",
        passes=5,
        kernel=f"{_KERNELS}:erf",
        parity="odd",
        kinks=(),
        degree=None,
        single=PassTimes(1.03, 1.75),
        double=PassTimes(2.45, 4.1),
    ),
    "gelu": ActivationEntry(
        torch=f"{_TORCH}:GELU",
        passes=3,
        kernel=f"{_KERNELS}:gelu",
        parity="none",
        kinks=(),
        degree=None,
        single=PassTimes(0.22, 1.1),
        double=PassTimes(1.85, 5.1),
    ),
    "sin": ActivationEntry(
        torch=f"{_TORCH}:SIN",
        passes=2,
        kernel=f"{_KERNELS}:sin",
        parity="odd",
        kinks=(),
        degree=None,
        single=PassTimes(1.05, 2.37),
        double=PassTimes(2.6, 5.8),
    ),
    "cos": ActivationEntry(
        torch=f"{_TORCH}:COS",
        passes=3,
        kernel=f"{_KERNELS}:cos",
        parity="even",
        kinks=(),
        degree=None,
        single=PassTimes(1.12, 2.42),
        double=PassTimes(2.4, 5.5),
    ),
    "softplus": ActivationEntry(
        torch=f"{_TORCH}:SOFTPLUS",
        passes=2,
        kernel=f"{_KERNELS}:softplus",
        parity="none",
        kinks=(),
        degree=None,
        single=PassTimes(1.12, 1.48),
        double=PassTimes(2.6, 3.5),
    ),
    "quadratic": ActivationEntry(
        torch=f"{_TORCH}:QUADRATIC",
        passes=2,
        kernel=f"{_KERNELS}:quadratic",
        parity="even",
        kinks=(),
        degree=2,
        single=PassTimes(0.03, 0.28),
        double=PassTimes(0.07, 0.55),
    ),
    "identity": ActivationEntry(
        torch=f"{_TORCH}:IDENTITY",
        passes=0,
        kernel=f"{_KERNELS}:identity",
        parity="odd",
        kinks=(),
        degree=1,
        unit_slopes=True,
        single=PassTimes(0.0, 0.09),
        double=PassTimes(0.0, 0.2),
    ),
    "staircase": ActivationEntry(
        torch="sweepengine.particles._radial:STAIRCASE",
        passes=9,
        kernel=None,
        parity="none",
        kinks=(0.5, 1.5),
        degree=None,
        in_layers=False,
        single=PassTimes(1.5, 1.8),
        double=PassTimes(2.0, 4.0),
    ),
}
"""Name in a spec → entry, in the order in which messages list the activations."""


NAMED_BY_SLOPES = ("leaky_relu(SLOPE)", "piecewise_linear(SLOPE_ABOVE_0, SLOPE_BELOW_0)")
"""How the activations that are named by their slopes are written."""
_BY_SLOPES = re.compile(r"(leaky_relu|piecewise_linear)\(([^()]*)\)")
_NAME_OF_SLOPES = {(1.0, 0.0): "relu", (1.0, 0.01): "leaky_relu", (1.0, -1.0): "abs", (1.0, 1.0): "identity"}


def slopes_of(name: str) -> tuple[float, float] | None:
    """Slopes of φ on h > 0 and on h < 0 where the name gives them; None for a name of the table.

    Raises
    ------
    ValueError
        The name is neither, or φ would be 0 or not finite.
    """
    if name in ACTIVATIONS:
        return None
    found = _BY_SLOPES.fullmatch(name.replace(" ", ""))
    try:
        numbers = [float(number) for number in found[2].split(",")] if found else []
    except ValueError:
        numbers = []
    slopes = [1.0, *numbers] if found and found[1] == "leaky_relu" else numbers
    if len(slopes) != 2:
        raise ValueError(
            f"found {name!r}; expected a name, or {' or '.join(NAMED_BY_SLOPES)} with numbers, in quotes within [] "
            "and {}; the only kink that φ can have is at 0"
        )
    if not all(map(math.isfinite, slopes)) or slopes == [0.0, 0.0]:
        raise ValueError(f"found {name!r}; slopes are finite, and not both 0")
    return slopes[0], slopes[1]


def canonical_activation(name: str) -> str:
    """The one name of an activation: equal functions have equal names, and so equal runs one id.

    Raises
    ------
    ValueError
        See :func:`slopes_of`.
    """
    slopes = slopes_of(name)
    if slopes is None:
        return name
    above, below = (
        f"{slope:.0f}" if slope.is_integer() else repr(slope) for slope in (slope + 0.0 for slope in slopes)
    )
    plain = f"leaky_relu({below})" if slopes[0] == 1 else f"piecewise_linear({above}, {below})"
    return _NAME_OF_SLOPES.get(slopes, plain)


def entry_of(name: str) -> ActivationEntry:
    """What the engine knows of an activation: its entry in the table, or what follows from its slopes.

    Raises
    ------
    ValueError
        See :func:`slopes_of`.
    """
    slopes = slopes_of(name)
    if slopes is None:
        return ACTIVATIONS[name]
    above, below = slopes
    return replace(
        ACTIVATIONS["leaky_relu"],
        torch=f"{_TORCH}:piecewise_linear",
        passes=2,
        kernel=None,
        parity="odd" if above == below else "even" if above == -below else "none",
        kinks=() if above == below else (0.0,),
        degree=1 if above == below else None,
    )


def layer_activations() -> tuple[str, ...]:
    """Names of the table's activations that layers of networks may have."""
    return tuple(name for name, entry in ACTIVATIONS.items() if entry.in_layers)
