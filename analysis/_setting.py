"""The setting of a group of runs, from which claims decide whether they apply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sweepengine.activations import ActivationEntry, entry_of
from sweepengine.spec import TERMS
from sweepengine.time_methods import follows_the_flow

EPS: Final = 1e-9
"""Two values of γ that are closer than this count as equal."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The settings of a group of runs on which exponents depend; the fields are those of a spec.

    ``case`` is what a sweep of computations computes, and ``none`` the method of runs that are not trained.

    The law of the rows of the first layer, the ratios of the widths and the number of outputs change no exponent.
    """

    gamma: float
    depth: int
    activation: str
    readout: str = "gaussian"
    trained: str = "all"
    biases: bool = False
    centred: bool = False
    loss: str = "mse"
    method: str = "gd"
    alpha: float = 1.0
    case: str = ""
    terms: frozenset[str] = frozenset()

    def before_its_limit(self, width: float) -> bool:
        """Whether at this width α still hides the exponents of the limit that γ determines; never at α = 1.

        Features move by about 1/(α m^(1−γ)). For γ < 1 this tends to 0, but while it is above 1 the movement is not yet
        small. The uncentred output starts at about α m^(1/2−γ). For γ > 1/2 this tends to 0, but while it is above 1
        the output still has another exponent; in a centred network the drift has one too, because its term linear in
        1/α dominates (theory.md §4.1).
        """
        rich = self.gamma < 1 - EPS and self.alpha * width ** (1 - self.gamma) < 1
        lazy = self.gamma > 0.5 + EPS and self.alpha * width ** (0.5 - self.gamma) > 1
        return rich or lazy

    @property
    def has_outputs(self) -> bool:
        """Whether the runs have outputs: networks always, particles if a term of their functional is a risk."""
        return not self.terms or "risk" in self.terms

    @property
    def couples(self) -> bool:
        """Whether particles act on each other, so that a particle moves differently in a larger cloud."""
        apart = {name for name, term in TERMS.items() if term.coupling == "none"}
        return not self.terms or not self.terms <= apart

    @property
    def follows_the_flow(self) -> bool:
        """Whether the runs were trained by gradient descent or flow, about which all claims speak."""
        return self.method == "none" or follows_the_flow(self.method)

    @property
    def _facts(self) -> ActivationEntry | None:
        """What is known of the activation; None for a model or unit of the user's own."""
        try:
            return entry_of(self.activation)
        except ValueError:
            return None

    @property
    def smooth(self) -> bool:
        """Whether the exponents for smooth activations are claimed: φ is smooth and no polynomial."""
        return self._facts is not None and self._facts.smooth and self._facts.degree is None

    @property
    def shallow_relu(self) -> bool:
        """Whether the network is one hidden layer of relu, whose kinks change exponents."""
        return self.depth == 1 and self.activation == "relu"

    def at(self, gamma: float) -> bool:
        """Whether γ has this value."""
        return abs(self.gamma - gamma) < EPS

    def kernel_drifts_at(self, gamma: float) -> bool:
        """Whether γ has this value, the kernel can move, and the read-out does not change its exponent."""
        return self.at(gamma) and self.balanced and self.moves_kernel

    @property
    def balanced(self) -> bool:
        """Whether the read-out has mean zero, or a mean that changes no exponent.

        With a = 1 and E φ(h) ≠ 0 the output at t = 0 grows like m^(1−γ), and so do the residuals that move the network
        (theory.md §1.2). With one hidden layer the mean of a changes no exponent at γ = 1, where the output is
        O(1) as in the limit, nor for an odd φ without biases, where E φ(h) = 0.
        """
        if self.readout != "ones":
            return True
        return self.depth == 1 and (self.at(1.0) or (self._facts is not None and self._facts.odd and not self.biases))

    @property
    def moves_kernel(self) -> bool:
        """Whether the kernel can move: if only the last layer is trained, the features and so the kernel are frozen."""
        return self.trained != "last_layer"

    def moves(self, layer: str) -> bool:
        """Whether a layer, such as W0, is trained; True for the empty name, which means all layers together."""
        is_last = layer == f"W{self.depth}"
        return self.trained == "all" or not layer or is_last == (self.trained == "last_layer")
