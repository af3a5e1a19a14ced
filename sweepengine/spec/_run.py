"""One point of a sweep: a frozen value whose id is a hash of its canonical content."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from sweepengine.plugins import canonical_model
from sweepengine.spec._canonical import digest, without_neutral
from sweepengine.spec._method import Method
from sweepengine.spec._model import GAMMA_BY_LABEL
from sweepengine.spec._schedule import record_schedule, whole_steps
from sweepengine.spec._unnamed import UNNAMED_OF_NETWORKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sweepengine.spec._model import SweepSpec, TrainingSpec


@dataclass(frozen=True)
class Architecture:
    """What a network is, apart from its width, scaling and seed (theory.md §1).

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
        Widths of the hidden layers over that of the last; empty where they are equal.
    weights : str
        Id of the parameters at t = 0, if they are given and not drawn; else empty.
    model : str
        ``name@version`` of a model of the user's own, whose other fields but ``centred`` then say nothing; empty for
        the fully connected network.
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
        """What a model of the user's own is: its ``name@version``, with no layers that are known."""
        return cls(depth=0, activation="", sigma_w=1.0, sigma_b=0.0, sigma_a=1.0, centred=centred, model=key)

    def widths(self, width: float) -> list[int]:
        """n_1 … n_L = m of a network of a width m."""
        return [round(ratio * width) for ratio in self.width_ratios or (1.0,) * self.depth]


_PLAIN_NETWORK = {
    "output_bias": False,
    "readout": "gaussian",
    "trained": "all",
    "centred": False,
    "first_layer": "gaussian",
    "width_ratios": (),
    "weights": "",
    "model": "",
}
"""What an id leaves out of an architecture."""
_PLAIN_RUN = {"observables": UNNAMED_OF_NETWORKS, "method": Method().content(), "matmul": "full"}
"""What an id leaves out of a run."""


@dataclass(frozen=True)
class Run:
    """One run: everything that its numbers depend on, and nothing else.

    Attributes
    ----------
    architecture : Architecture
    width, seed : int
    gamma, alpha : float
        The output is multiplied by α m^{-γ}.
    loss : str
    time : float
        Training time of the last record.
    record_steps : tuple of int
        Steps at which observables are stored; the first is 0, the last is the number of steps.
    precision : str
        ``float32`` or ``float64``.
    data_id : str
        Hash of the data's content.
    observables : tuple of str
        Names of the recorded observables in canonical order, those of users as ``name@version``.
    method : Method
        How the parameters move; gradient descent where not given.
    matmul : str
        How float32 matrices are multiplied: ``full``, ``tf32`` or ``bf16``.
    """

    kind: ClassVar[str] = "networks"

    architecture: Architecture
    width: int
    seed: int
    gamma: float
    alpha: float
    loss: str
    time: float
    record_steps: tuple[int, ...]
    precision: str
    data_id: str
    observables: tuple[str, ...] = UNNAMED_OF_NETWORKS
    method: Method = field(default_factory=Method)
    matmul: str = "full"

    @property
    def n_steps(self) -> int:
        """Number of steps; for an adaptive method, of the grid on which its records lie."""
        return self.record_steps[-1]

    @property
    def step_size(self) -> float:
        """Step η = time / steps."""
        return self.time / self.n_steps

    @property
    def depth(self) -> int:
        """Hidden layers L."""
        return self.architecture.depth

    @property
    def activation(self) -> str:
        """Name of φ, or ``name@version`` of a model of the user's own."""
        return self.architecture.model or self.architecture.activation

    @property
    def scaling(self) -> str:
        """Label of the scaling: ``ntk``, ``mean_field`` or ``gamma=…``."""
        return next((label for label, gamma in GAMMA_BY_LABEL.items() if gamma == self.gamma), f"gamma={self.gamma!r}")

    @cached_property
    def id(self) -> str:
        """Sixteen hexadecimal digits of the SHA-256 of the canonical content."""
        return digest(self._content())

    @cached_property
    def limit_id(self) -> str:
        """Id of what infinite width predicts: of all that it depends on, so not of width, seed, γ and α.

        Empty for a model of the user's own, of which nothing is predicted.
        """
        if self.architecture.model:
            return ""
        content = self._content()
        parts = {key: content[key] for key in ("architecture", "loss", "time", "record_steps", "data_id")}
        if self.method.dynamics != "descent":
            parts["dynamics"] = self.method.dynamics
        return digest(parts)

    def _content(self) -> dict[str, Any]:
        content = asdict(self)
        content["architecture"] = without_neutral(content["architecture"], _PLAIN_NETWORK)
        return without_neutral(content | {"method": self.method.content()}, _PLAIN_RUN)

    def to_json(self) -> dict[str, Any]:
        """Plain values from which :meth:`from_json` makes an equal run."""
        return {"kind": self.kind} | asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Run:
        """The inverse of :meth:`to_json`."""
        return cls(
            **{key: value for key, value in content.items() if key != "kind"}
            | {
                "architecture": Architecture(
                    **content["architecture"] | {"width_ratios": tuple(content["architecture"]["width_ratios"])}
                ),
                "record_steps": tuple(content["record_steps"]),
                "observables": tuple(content["observables"]) or UNNAMED_OF_NETWORKS,
                "method": Method(**content["method"]),
            }
        )


def fixed_step_count(training: TrainingSpec) -> int:
    """Steps of a given (not ``auto``) step size.

    Raises
    ------
    SpecError
        ``time`` is not a whole number of steps; the message names the nearest sizes that are.
    """
    if training.step_size == "auto":
        raise AssertionError("an automatic step size is resolved by the plan")
    return whole_steps(training.time, training.step_size, "training.step_size", "or auto")


def architectures(spec: SweepSpec, weights: str = "") -> list[Architecture]:
    """The architectures that a sweep visits, in the order of its axes; ``weights`` is the id of given parameters.

    Raises
    ------
    SpecError
        The spec names a model that nobody has registered.
    """
    network, axes = spec.network, spec.axes
    if network.model is not None:
        return [Architecture.of_model(canonical_model(network.model), centred=network.centred)]
    ratios = tuple(float(ratio) for ratio in network.width_ratios or ())
    depths = axes.depth or (network.depth,)
    activations = axes.activation or (network.activation,)
    return [
        Architecture(
            depth=int(depth or 0),
            activation=str(activation),
            sigma_w=float(network.sigma_w),
            sigma_b=float(network.sigma_b),
            sigma_a=float(network.sigma_w if network.sigma_a is None else network.sigma_a),
            output_bias=network.output_bias,
            readout=network.readout,
            trained=network.trained,
            centred=network.centred,
            first_layer=network.first_layer,
            width_ratios=ratios if any(ratio != 1 for ratio in ratios) else (),
            weights=weights,
        )
        for depth, activation in itertools.product(depths, activations)
    ]


def expand(
    spec: SweepSpec,
    data_id: str,
    step_count: Callable[[Architecture], int],
    observables: tuple[str, ...],
    weights: str = "",
) -> Iterator[Run]:
    """All runs of a sweep: the product of its axes.

    Parameters
    ----------
    spec : SweepSpec
    data_id : str
        Hash of the data's content.
    step_count : callable
        Number of gradient steps for an architecture.
    observables : tuple of str
        The recorded observables in canonical order.
    weights : str
        Id of given parameters; empty where they are drawn.

    Yields
    ------
    Run
        Ordered by architecture, width, seed, α and scaling, so that neighbours share their shapes.
    """
    axes, training = spec.axes, spec.training
    alphas = axes.alpha or (1.0 if spec.network.alpha is None else spec.network.alpha,)
    for architecture in architectures(spec, weights):
        steps = record_schedule(training.records, step_count(architecture), "training")
        for width, seed, alpha, scaling in itertools.product(axes.width, axes.seed, alphas, axes.scaling):
            yield Run(
                architecture=architecture,
                width=width,
                seed=seed,
                gamma=GAMMA_BY_LABEL[scaling] if isinstance(scaling, str) else float(scaling),
                alpha=float(alpha),
                loss=training.loss,
                time=float(training.time),
                record_steps=steps,
                precision=spec.precision,
                data_id=data_id,
                observables=observables,
                method=training.method.method(),
                matmul=spec.matmul,
            )
