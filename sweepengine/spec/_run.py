"""One point of a sweep: a frozen value whose id is a hash of its canonical content."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sweepengine.spec._architecture import Architecture
from sweepengine.spec._canonical import digest, without_neutral
from sweepengine.spec._method import Method
from sweepengine.spec._schedule import record_schedule, whole_steps
from sweepengine.spec._shared import GAMMA_BY_LABEL, scaling_label
from sweepengine.spec._stepped import SteppedRun
from sweepengine.spec._unnamed import UNNAMED_OF_NETWORKS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from sweepengine.spec._model import SweepSpec, TrainingSpec


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
"""Values of an architecture's fields that an id leaves out."""
_PLAIN_RUN = {"observables": UNNAMED_OF_NETWORKS, "method": Method().content, "matmul": "full"}
"""Values of a run's fields that its id leaves out."""


@dataclass(frozen=True)
class Run(SteppedRun):
    """One run: everything that its numbers depend on, and nothing else.

    Attributes
    ----------
    architecture : Architecture
    width, seed : int
        Width m of the last hidden layer; seed of the parameters at t = 0 and of minibatches.
    gamma, alpha : float
        The output is multiplied by α m^{-γ}.
    loss : str
        Name of the cost: ``mse``, ``logistic``, ``huber`` or ``cross_entropy``.
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
    def depth(self) -> int:
        """Hidden layers L."""
        return self.architecture.depth

    @property
    def activation(self) -> str:
        """Name of φ."""
        return self.architecture.activation

    @property
    def scaling(self) -> str:
        """Label of the scaling: ``ntk``, ``mean_field`` or ``gamma=…``."""
        return scaling_label(self.gamma)

    @cached_property
    def id(self) -> str:
        """Sixteen hexadecimal digits of the SHA-256 of the canonical content."""
        return digest(self._content())

    @cached_property
    def limit_id(self) -> str:
        """Id of the prediction of infinite width: a hash of all that it depends on, so without width, seed, γ and α."""
        content = self._content()
        parts = {key: content[key] for key in ("architecture", "loss", "time", "record_steps", "data_id")}
        if self.method.dynamics != "descent":
            parts["dynamics"] = self.method.dynamics
        return digest(parts)

    def _content(self) -> dict[str, Any]:
        content = {each.name: getattr(self, each.name) for each in fields(self)}
        # What runs share is made plain once, where it is kept: a plan makes the ids of a hundred thousand runs.
        content |= {
            "architecture": without_neutral(self.architecture.content, _PLAIN_NETWORK),
            "method": self.method.content,
        }
        return without_neutral(content, _PLAIN_RUN)

    @property
    def shares_turns(self) -> bool:
        """Whether runs that differ in seed, γ and α alone can be advanced together."""
        return self.method.shares_steps

    def given_ids(self, needed: Collection[str]) -> dict[str, str]:  # noqa: ARG002 -- observables need nothing given
        """Id of the parameters at t = 0, where a file gives them."""
        return {"weights": self.architecture.weights} if self.architecture.weights else {}

    def trial(self, observables: tuple[str, ...]) -> Run:
        """A run that calls the same users' code and records only the given observables."""
        return replace(self, observables=observables)

    def to_json(self) -> dict[str, Any]:
        """Plain values from which :meth:`from_json` makes an equal run."""
        return {"kind": self.kind} | asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
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
    """Number of steps of a training whose step size is a number, not ``auto``.

    Raises
    ------
    SpecError
        ``time`` is not a whole number of steps; the message names the nearest sizes that are.
    """
    if training.step_size == "auto":
        raise AssertionError("an automatic step size is resolved by the plan")
    return whole_steps(training.time, training.step_size, "training.step_size", "or auto")


def expand(
    spec: SweepSpec,
    data_id: str,
    step_count: Callable[[Architecture], int],
    observables: tuple[str, ...],
    weights: str = "",
    of: type[Run] = Run,
) -> Iterator[Run]:
    """All runs of a sweep: the product of its axes.

    Parameters
    ----------
    spec : SweepSpec
    data_id : str
        Hash of the data's content.
    step_count : callable
        From an architecture to its number of steps.
    observables : tuple of str
        The recorded observables in canonical order.
    weights : str
        Id of the parameters at t = 0 where a file gives them; empty where they are drawn.
    of : type
        Class of the runs.

    Yields
    ------
    Run
        Ordered by architecture, width, seed, α and scaling, so that neighbours have arrays of the same shapes.

    Raises
    ------
    SpecError
        The records do not fit the number of steps.
    """
    axes, training = spec.axes, spec.training
    method = training.method.method()
    alphas = axes.alpha or (1.0 if spec.network.alpha is None else spec.network.alpha,)
    for architecture in spec.architectures(weights):
        steps = record_schedule(training.records, step_count(architecture), "training")
        for width, seed, alpha, scaling in itertools.product(axes.width, axes.seed, alphas, axes.scaling):
            yield of(
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
                method=method,
                matmul=spec.matmul,
            )
