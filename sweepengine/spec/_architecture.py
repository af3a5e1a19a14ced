"""What a network is, apart from its width, scaling and seed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal


@dataclass(frozen=True)
class Architecture:
    """What a network is, apart from its width, scaling and seed (theory.md §1.1).

    Attributes
    ----------
    depth : int
        Hidden layers L ≥ 1.
    activation : str
        Name of φ.
    sigma_w, sigma_b, sigma_a : float
        Standard deviations of hidden weights, biases (0: no biases) and read-out weights.
    output_bias : bool
        Whether the output has a bias √m σ_b b^L.
    readout : str
        Law of the read-out weights: ``gaussian``, ``signs`` or ``ones``.
    trained : str
        ``all``, ``hidden_weights`` or ``last_layer``.
    centred : bool
        Whether the output at t = 0 is subtracted.
    first_layer : str
        Law of the rows of W⁰: ``gaussian`` or ``sphere``.
    width_ratios : tuple of float
        Width of each hidden layer divided by the width of the last one; empty where all are equal.
    weights : str
        Id of the parameters at t = 0 where a file gives them; empty where they are drawn.
    model : str
        ``name@version`` of a model of the user's own; empty for the fully connected network. Of a model only
        ``centred`` means anything beside this field.
    """

    depth: int
    activation: str
    sigma_w: float
    sigma_b: float
    sigma_a: float
    output_bias: bool = False
    readout: Literal["gaussian", "signs", "ones"] = "gaussian"
    trained: str = "all"
    centred: bool = False
    first_layer: Literal["gaussian", "sphere"] = "gaussian"
    width_ratios: tuple[float, ...] = ()
    weights: str = ""
    model: str = ""

    @classmethod
    def of_model(cls, key: str, *, centred: bool) -> Architecture:
        """The architecture of a model of the user's own: its ``name@version``; nothing is known of its layers."""
        return cls(depth=0, activation="", sigma_w=1.0, sigma_b=0.0, sigma_a=1.0, centred=centred, model=key)

    @cached_property
    def content(self) -> dict[str, Any]:
        """Plain values of all fields by name, made once for all runs that share the architecture."""
        return asdict(self)

    def widths(self, width: float) -> list[int]:
        """Widths n_1 … n_L of the hidden layers of a network of width m; n_L = m."""
        return [round(ratio * width) for ratio in self.width_ratios or (1.0,) * self.depth]
