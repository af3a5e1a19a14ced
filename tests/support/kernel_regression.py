"""A kind of sweeps in one file: kernel regression on noisy targets, by gradient descent, with m random features.

f_t(x) = <w_t, ψ(x)> with ψ_k(x) = sqrt(2/m) cos(ω_k·x + b_k), and w descends (1/2N) Σ (f(x_i) − y_i − σ ε_i)².
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping  # noqa: TC003 -- a plugin is read as users write them
from dataclasses import asdict, dataclass, replace
from pathlib import Path  # noqa: TC003
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field

import sweepengine
from sweepengine.execute import Record
from sweepengine.observe import canonical_names, variables_of
from sweepengine.observe.measure import Recorder
from sweepengine.plan import WORKER_BYTES
from sweepengine.spec import Column, DataSpec, Kind, Section, SteppedRun, WholeSpec, digest
from sweepengine.store import make_block

NAME = "kernel_regression"


class Axes(Section):
    width: tuple[int, ...] = Field(strict=False)
    seed: tuple[int, ...] = Field(strict=False)


class RegressionSpec(WholeSpec):
    """Fixed settings × (number of features, seed)."""

    kind: Literal["kernel_regression"]
    name: str
    data: DataSpec
    noise: float
    step_size: float
    records: tuple[int, ...] = Field(strict=False)
    observables: tuple[str, ...] = Field(strict=False)
    axes: Axes
    precision: Literal["float64"] = "float64"
    matmul: Literal["full"] = "full"
    method_label: ClassVar[str] = "gd"

    def located(self, folder: Path) -> RegressionSpec:  # noqa: ARG002
        return self


@dataclass(frozen=True)
class RegressionRun(SteppedRun):
    """One regression."""

    kind: ClassVar[str] = NAME
    scaling: ClassVar[str] = "features"
    gamma: ClassVar[float] = 0.5
    alpha: ClassVar[float] = 1.0
    depth: ClassVar[int] = 1
    activation: ClassVar[str] = "cos"
    precision: ClassVar[str] = "float64"
    matmul: ClassVar[str] = "full"
    limit_id: ClassVar[str] = ""

    width: int
    seed: int
    noise: float
    time: float
    record_steps: tuple[int, ...]
    data_id: str
    observables: tuple[str, ...]

    @property
    def id(self) -> str:
        return digest(self.to_json())

    @property
    def further_columns(self) -> dict[str, Any]:
        return {"noise": self.noise}

    def trial(self, observables: tuple[str, ...]) -> RegressionRun:
        return replace(self, observables=observables)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind} | asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> RegressionRun:
        plain: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in content.items()}
        del plain["kind"]
        return cls(**plain)


class RegressionWork:
    """What the plan asks."""

    given: tuple[Any, ...] = ()

    def __init__(self, spec: RegressionSpec, data: Any, references: Any) -> None:  # noqa: ARG002
        self.spec, self.data = spec, data

    def runs(self) -> tuple[RegressionRun, ...]:

        spec = self.spec
        shared = (spec.noise, spec.step_size * spec.records[-1], spec.records, self.data.id, canonical_names(spec))
        return tuple(RegressionRun(m, seed, *shared) for m, seed in itertools.product(spec.axes.width, spec.axes.seed))

    def layout(self, run: RegressionRun) -> int:
        return run.width

    def block(self, runs: Any) -> Any:
        sizes = {"i": len(self.data.y_train), "test": len(self.data.y_test)}
        return make_block(runs, variables_of(runs[0]), sizes, {})

    def seconds(self, run: RegressionRun, shape: Any, rate: Any) -> float:  # noqa: ARG002
        flops = 4.0 * run.width * len(self.data.y_train)
        return run.n_steps * (4e-5 + flops / float(rate.flops))

    def predict(self, run: RegressionRun) -> dict[str, Any]:  # noqa: ARG002
        return {}

    def limit_size(self, run: RegressionRun) -> tuple[int, int]:  # noqa: ARG002
        return 0, 0

    def memory(self, run: RegressionRun, shape: Any) -> int:  # noqa: ARG002
        return WORKER_BYTES + 16 * run.width * len(self.data.y_train)


@dataclass(frozen=True)
class Fit:
    """What an observable sees."""

    outputs: torch.Tensor
    outputs_test: torch.Tensor
    targets: torch.Tensor


class RegressionTurn:
    """One run from where it is."""

    def __init__(self, run: RegressionRun, data: Any, state: Mapping[str, Any] | None) -> None:
        rng = np.random.default_rng(run.seed)
        frequencies = torch.from_numpy(rng.standard_normal((run.width, data.x_train.shape[1])))
        phases = torch.from_numpy(rng.uniform(0, 2 * np.pi, run.width))
        noise = run.noise * torch.from_numpy(rng.standard_normal(len(data.y_train)))
        self.features, self.features_test = (
            (2 / run.width) ** 0.5 * torch.cos(x @ frequencies.T + phases) for x in (data.x_train, data.x_test)
        )
        self.run, self.targets = run, data.y_train + noise
        self.step, self.due = 0, 0
        self.weights = torch.zeros(run.width, dtype=torch.float64)
        self.recorder = Recorder(NAME, run.observables, self.fit())
        self.diverged_step = np.full(1, -1, dtype=np.int64)
        if state is not None:
            self.step, self.due = int(state["step"]), int(state["due"])
            self.weights = torch.from_numpy(np.array(state["weights"]))

    def fit(self) -> Fit:
        return Fit(self.features @ self.weights, self.features_test @ self.weights, self.targets)

    def state(self) -> dict[str, Any]:
        place = {"step": np.array(self.step), "due": np.array(self.due), "diverged_step": self.diverged_step}
        return {"weights": self.weights.numpy()} | place

    def advance(self) -> Iterator[Record | None]:
        steps = self.run.record_steps
        while self.due < len(steps):
            if self.step == steps[self.due]:
                values = {name: value.numpy() for name, value in self.recorder.measure(self.fit()).items()}
                self.due += 1
                yield Record(self.due - 1, [values])
            else:
                residual = self.features @ self.weights - self.targets
                self.weights = self.weights - self.run.step_size / len(residual) * (self.features.T @ residual)
                self.step += 1
                yield None


def turn(runs: Any, data: Any, state: Any, shape: Any, shards: Any, *, cuda_graphs: bool) -> RegressionTurn:
    return RegressionTurn(runs[0], data, state)


sweepengine.register_kind(
    Kind(
        NAME, RegressionSpec, RegressionRun, RegressionWork, turn,
        {"noise": Column("float64", float("nan"), "standard deviation of the targets' noise")},
    )
)  # fmt: skip


@sweepengine.register_observable(
    name="noisy_loss", long_name="mean squared error on the noisy targets, halved", kind=NAME
)
def noisy_loss(now: Fit, start: Fit) -> torch.Tensor:
    return (now.outputs - now.targets).square().mean() / 2


@sweepengine.register_observable(name="fit_test", dims=("test",), long_name="f on the test points", kind=NAME)
def fit_test(now: Fit, start: Fit) -> torch.Tensor:
    return now.outputs_test
