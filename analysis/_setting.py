"""What a claim needs to know of a group of runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sweepengine.activations import ACTIVATIONS, ActivationEntry
from sweepengine.spec import TERMS
from sweepengine.time_methods import follows_the_flow

EPS: Final = 1e-9
"""Two γ closer than this are one."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a claim needs to know of a group of runs, as a spec has it.

    The law of the first layer's rows, the ratios of the widths, the number of outputs and the cost change no exponent.
    """

    gamma: float
    depth: int
    activation: str
    readout: str = "gaussian"
    trained: str = "all"
    biases: bool = False
    method: str = "gd"
    alpha: float = 1.0
    terms: frozenset[str] = frozenset()

    def before_its_limit(self, width: int) -> bool:
        """Whether α hides at this width what γ says of the limit; never at α = 1.

        Features move by about 1/(α m^(1−γ)), which tends to 0 for γ < 1 but is not small yet where that is above 1. The
        uncentred output starts at about α m^(1/2−γ), which tends to 0 for γ > 1/2, and where that is above 1 it, or of a
        centred network the term of the drift that is linear in 1/α (theory.md §4 alpha), still has another exponent.
        """
        rich = self.gamma < 1 - EPS and self.alpha * width ** (1 - self.gamma) < 1
        lazy = self.gamma > 0.5 + EPS and self.alpha * width ** (0.5 - self.gamma) > 1
        return rich or lazy

    @property
    def has_outputs(self) -> bool:
        """Whether there are outputs: of particles where a term of their functional is a risk; networks have no terms."""
        return not self.terms or "risk" in self.terms

    @property
    def couples(self) -> bool:
        """Whether particles act on each other, so that a cloud is another one without the others."""
        apart = {name for name, term in TERMS.items() if term.coupling == "none"}
        return not self.terms or not self.terms <= apart

    @property
    def follows_the_flow(self) -> bool:
        """Whether the runs were trained by gradient descent or flow, which every claim is about."""
        return follows_the_flow(self.method)

    @property
    def _facts(self) -> ActivationEntry | None:
        """What the engine knows of the activation; None of a user's own model or unit."""
        return ACTIVATIONS.get(self.activation)

    @property
    def smooth(self) -> bool:
        """Whether the smooth exponents are claimed of the activation: it is smooth, and no polynomial."""
        return self._facts is not None and self._facts.smooth and self._facts.degree is None

    def at(self, gamma: float) -> bool:
        """Whether γ has this value."""
        return abs(self.gamma - gamma) < EPS

    def kernel_drifts_at(self, gamma: float) -> bool:
        """Whether γ has this value, and the kernel moves as the claims on it have it."""
        return self.at(gamma) and self.balanced and self.moves_kernel

    @property
    def balanced(self) -> bool:
        """Whether the read-out has mean zero, or its mean meets nothing that would change an exponent.

        With a = 1 and E φ(h) ≠ 0 the output at t = 0 grows like m^(1−γ), and so do the residuals that move the network
        (theory.md §4 init-scale). At γ = 1 it is O(1) as the limit has it; an odd φ without biases has mean zero.
        """
        if self.readout != "ones":
            return True
        return self.depth == 1 and (self.at(1.0) or (self._facts is not None and self._facts.odd and not self.biases))

    @property
    def moves_kernel(self) -> bool:
        """Whether the kernel can move at all: that of the last layer alone is one of frozen features."""
        return self.trained != "last_layer"

    def moves(self, layer: str) -> bool:
        """Whether a layer, such as W0, is trained; the empty name is all of them together."""
        is_last = layer == f"W{self.depth}"
        return self.trained == "all" or not layer or is_last == (self.trained == "last_layer")
