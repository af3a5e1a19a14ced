"""The spec of a sweep of networks: the typed form of a spec file."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, field_validator, model_validator

from sweepengine.errors import shown
from sweepengine.spec._architecture import Architecture
from sweepengine.spec._column import Column
from sweepengine.spec._data import DataSpec
from sweepengine.spec._fields import Count, Depth, Dimension, NonNegative, Positive, Section, Seed, WholeSpec
from sweepengine.spec._method import AnyMethod, gradient_descent, methods_alone
from sweepengine.spec._shared import (
    LIST,
    OF_DATA_SEED,
    OF_N_TRAIN,
    ActivationName,
    Axis,
    EveryRecords,
    LogRecords,
    Matmul,
    Name,
    Precision,
    Seeds,
    distinct,
    refuse_matmul,
)
from sweepengine.spec._swept import Sweeps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

StepSize = Literal["auto"] | Positive
ScalingValue = Literal["ntk", "mean_field"] | Annotated[float, Field(ge=0.5, le=1.0)]


def _without_default(schema: dict[str, Any]) -> None:
    del schema["default"]


class NetworkSpec(Section):
    """The architecture (theory.md §1.1). A field that is swept is given under ``axes`` instead."""

    model: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] | None = Field(
        default=None,
        description="name of a registered model of the user's own (--plugin FILE), beside which only alpha and centred "
        "may be given; where not given, the fully connected network",
    )
    depth: Depth | None = Field(default=None, description="hidden layers L")
    activation: ActivationName | None = None
    sigma_w: Positive = Field(
        default=0.0,  # stands for "not given", which is refused below
        description="standard deviation of hidden weights; required for the fully connected network",
        json_schema_extra=_without_default,
    )
    sigma_b: NonNegative = Field(default=0.0, description="standard deviation of biases; 0: no biases")
    sigma_a: Positive | None = Field(
        default=None, description="standard deviation of read-out weights; sigma_w where not given"
    )
    output_bias: bool = Field(default=False, description="whether the output has a bias √m σ_b b^L")
    alpha: Positive | None = Field(default=None, description="lazy output scale α; 1 where not given")
    first_layer: Literal["gaussian", "sphere"] = Field(
        default="gaussian",
        description="law of the rows of W^0: N(0, I_d), or uniform on the unit sphere (theory.md §1.2)",
    )
    readout: Literal["gaussian", "signs", "ones"] = Field(
        default="gaussian",
        description="law of the read-out weights: N(0, 1); ±1, the signs of those Gaussians; or all 1 (theory.md §1.2)",
    )
    weights: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description="path of a .npz of the parameters at t = 0, W0 … W<L> and b0 …, before any multiplier and the same "
        "for every seed; relative to the folder of the spec's file",
    )
    width_ratios: Annotated[tuple[Positive, ...], LIST] | None = Field(
        default=None,
        description="width of each hidden layer divided by the width m; the last ratio is 1; all are 1 where not given",
    )
    trained: Literal["all", "hidden_weights", "last_layer"] = Field(
        default="all",
        description="which parameters move: all; the hidden weights alone; the read-out weights with their bias alone",
    )
    centred: bool = Field(default=False, description="whether the output at t = 0 is subtracted")


class TrainingSpec(Section):
    """Training in units of gradient-flow time: one step of size η advances it by η (theory.md §1.4)."""

    loss: Literal["mse", "logistic", "huber", "cross_entropy"] = Field(
        description="mean over points of a cost; mse: (f − y)²/2, logistic: log(1 + exp(−y f)), huber: Huber's cost "
        "with δ = 1, each summed over outputs; cross_entropy: −Σ_o y_o log softmax(f)_o"
    )
    step_size: StepSize = Field(
        description="η; auto: the largest η ≤ N/(4 λ_max) for which time/η is whole, λ_max that of a fixed wide "
        "reference network"
    )
    time: Positive = Field(description="training time")
    records: Annotated[LogRecords | EveryRecords, Discriminator("spacing")]
    method: AnyMethod = Field(
        default_factory=gradient_descent,
        description="time method; its name alone where the method needs no other setting",
        json_schema_extra=lambda schema: schema.update(
            {
                "anyOf": [
                    {"enum": [*methods_alone()]},
                    {key: schema.pop(key) for key in ("oneOf", "discriminator")},
                ]
            }
        ),
    )

    @field_validator("method", mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


class AxesSpec(Section):
    """The swept axes; every combination of their values is one run."""

    scaling: Axis[ScalingValue] = Field(description="ntk (γ = 1/2), mean_field (γ = 1), or γ itself in [0.5, 1]")
    width: Axis[Count] = Field(description="hidden width m")
    seed: Seeds
    depth: Annotated[Axis[Depth] | None, Sweeps("network.depth", symbol="L", by_kind=True)] = None
    activation: Annotated[Axis[ActivationName] | None, Sweeps("network.activation", by_kind=True)] = None
    alpha: Annotated[Axis[Positive] | None, Sweeps("network.alpha", symbol="α", by_kind=True)] = None
    sigma_w: Annotated[
        Axis[Positive] | None,
        Sweeps("network.sigma_w", Column("float64", math.nan, "standard deviation of hidden weights"), "σ_w"),
    ] = None
    sigma_b: Annotated[
        Axis[NonNegative] | None,
        Sweeps("network.sigma_b", Column("float64", math.nan, "standard deviation of biases"), "σ_b"),
    ] = None
    step_size: Annotated[Axis[StepSize] | None, Sweeps("training.step_size", symbol="η")] = None
    n_train: Annotated[Axis[Count] | None, OF_N_TRAIN] = None
    data_seed: Annotated[Axis[Seed] | None, OF_DATA_SEED] = None
    d: Annotated[
        Axis[Dimension] | None, Sweeps("data.d", Column("int64", -1, "dimension d of the drawn points"), "d")
    ] = None
    data_noise: Annotated[
        Axis[NonNegative] | None,
        Sweeps(
            "data.noise",
            Column("float64", math.nan, "standard deviation of the noise on training targets"),
            "data noise",
        ),
    ] = None


class SweepSpec(WholeSpec):
    """One sweep of networks: fixed settings × swept axes.

    Build it from a file with :func:`sweepengine.spec.read_spec`, or in Python with the same names; either way it is
    validated and frozen.
    """

    kind: Literal["networks"] = "networks"
    name: Name
    data: DataSpec
    network: NetworkSpec
    training: TrainingSpec
    axes: AxesSpec
    precision: Precision
    matmul: Matmul = "full"
    observables: Annotated[tuple[str, ...], LIST, AfterValidator(distinct)] | None = Field(
        default=None,
        description="names of the recorded observables (the message about an unknown name lists all names); the ten of "
        "the quickstart where not given",
    )

    @model_validator(mode="after")
    def _matmul_fits(self) -> SweepSpec:
        refuse_matmul(self.matmul, self.precision)
        return self

    @model_validator(mode="after")
    def _one_kind_of_network(self) -> Self:
        if self.network.model is not None:
            raise ValueError(
                "network.model: found one; the spec of a model of your own is a ModelSpec, which make_spec finds "
                "by itself"
            )
        if "sigma_w" not in self.network.model_fields_set:
            raise ValueError("network.sigma_w: missing; add it")
        for field in ("depth", "activation"):
            if getattr(self.network, field) is None and getattr(self.axes, field) is None:
                raise ValueError(f"network.{field}: missing; give one value here, or a list under axes.{field}")
        return self

    @model_validator(mode="after")
    def _bias_of_the_output(self) -> SweepSpec:
        if self.network.output_bias and self.network.sigma_b == 0:
            raise ValueError("network.output_bias: found true with sigma_b = 0, which gives no bias; set sigma_b > 0")
        return self

    @model_validator(mode="after")
    def _whole_widths(self) -> SweepSpec:
        ratios, depth = self.network.width_ratios, self.network.depth
        if ratios is None:
            return self
        if len(ratios) != depth:
            setting = f"network.depth: {depth}" if depth else "axes.depth"
            raise ValueError(
                f"network.width_ratios: found {shown(list(ratios))} with {setting}; give one ratio for each layer of "
                "network.depth"
            )
        if ratios[-1] != 1:
            raise ValueError(
                f"network.width_ratios: found {shown(list(ratios))}; the last ratio must be 1, because the last layer "
                "has the width of axes.width"
            )
        for width in self.axes.width:
            for ratio in ratios:
                if abs(ratio * width - max(1, round(ratio * width))) > 1e-9 * ratio * width:
                    raise ValueError(
                        f"network.width_ratios: {ratio:g} × width {width} = {ratio * width:g} is no number of neurons; "
                        "take ratios and widths whose products are whole"
                    )
        return self

    @model_validator(mode="after")
    def _weights_have_no_law(self) -> SweepSpec:
        network, widths = self.network, self.axes.width
        if network.weights is None:
            return self
        for field in ("first_layer", "readout"):
            if getattr(network, field) != "gaussian":
                raise ValueError(
                    f"network.weights and network.{field} are both given; weights of a file have no law, remove one"
                )
        if len(widths) > 1:
            raise ValueError(
                f"axes.width: found {shown(list(widths))} with network.weights, which have one width; name that width "
                "alone"
            )
        return self

    @property
    def method_label(self) -> str:
        """Name and parameters of the time method."""
        return self.training.method.method().label

    def located(self, folder: Path) -> Self:
        """A copy whose file paths, which were relative to ``folder``, begin with it."""
        spec = self.model_copy(update={"data": self.data.located(folder)})
        if spec.network.weights is not None:
            network = spec.network.model_copy(update={"weights": str(folder / spec.network.weights)})
            spec = spec.model_copy(update={"network": network})
        return spec

    def architectures(self, weights: str = "") -> list[Architecture]:
        """The architectures of the sweep, in the order of its axes; ``weights`` is the id of parameters from a file."""
        network, axes = self.network, self.axes
        ratios = tuple(float(ratio) for ratio in network.width_ratios or ())
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
            for depth, activation in itertools.product(
                axes.depth or (network.depth,), axes.activation or (network.activation,)
            )
        ]

    def unlike_steps(self) -> str:
        """See :class:`WholeSpec`: steps of minibatches and steps of adaptive size cannot be replayed."""
        return "" if self.training.method.method().shares_steps else f"training.method {self.method_label}"

    def agreed_settings(self, used: Sequence[Mapping[str, str]]) -> dict[str, tuple[Any, ...]]:
        """See :class:`WholeSpec`: fixed settings, swept settings with the values of their axes, and defaults."""
        settings = super().agreed_settings(used)
        settings.setdefault("network.alpha", (1.0,))
        if "network.sigma_w" in settings:
            settings.setdefault("network.sigma_a", settings["network.sigma_w"])
        if all(ratio == 1 for ratio in self.network.width_ratios or ()):
            settings.pop("network.width_ratios", None)
        return settings
