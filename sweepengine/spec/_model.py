"""What to run: the typed form of a spec file."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    field_validator,
    model_validator,
)

GAMMA_BY_LABEL = {"ntk": 0.5, "mean_field": 1.0}
"""The named scalings (theory.md §1): the output is multiplied by α m^{-γ}."""

MAX_SEEDS = 100_000

ActivationName = Literal[
    "relu", "leaky_relu", "abs", "tanh", "erf", "gelu", "sin", "cos", "softplus", "quadratic", "identity"
]
ScalingValue = Literal["ntk", "mean_field"] | Annotated[float, Field(ge=0.5, le=1.0)]
# Wide enough for any experiment, narrow enough that no product of them overflows.
Positive = Annotated[float, Field(ge=1e-12, le=1e12)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
# A container may come as the YAML list it was written as; what it holds stays strictly typed.
_LIST = Field(strict=False, min_length=1)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Refuse an axis that names one point twice: the run would be counted twice in every mean."""
    seen: set[Any] = set()
    for value in values:
        key = GAMMA_BY_LABEL.get(value, value) if isinstance(value, str) else value
        if key in seen:
            raise ValueError(f"{value!r} stands twice; every value of an axis is one set of runs, keep it once")
        seen.add(key)
    return values


def _plain_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value):
        raise ValueError(
            f"found {value!r}; a name is made of letters, digits, '.', '_' and '-' and begins with a letter or a digit, "
            "because it names the store in the results folder"
        )
    return value


def _count_of_seeds(value: Any) -> Any:
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    if not 1 <= value <= MAX_SEEDS:
        raise ValueError(
            f"found {value}; a number of seeds lies between 1 and {MAX_SEEDS}; name them as a list if meant so"
        )
    return tuple(range(value))


Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_plain_name)]
Seeds = Annotated[
    tuple[Annotated[int, Field(ge=0, lt=2**63)], ...],
    _LIST,
    AfterValidator(_distinct),
    BeforeValidator(_count_of_seeds),
    Field(
        description="8 means seeds 0 … 7, [3, 5] those two",
        json_schema_extra=lambda schema: schema.update(
            {
                "anyOf": [
                    {"type": "integer", "minimum": 1},
                    {"type": "array", "items": schema.pop("items"), "minItems": 1},
                ]
            }
        ),
    ),
]
"""The axis of seeds, which every kind of sweep has."""


def flat_settings(content: dict[str, Any]) -> dict[str, Any]:
    """Sections of a spec as one mapping, ``section.field`` → plain value; what is no section keeps its key."""
    flat: dict[str, Any] = {}
    for section, fields in content.items():
        flat |= (
            {f"{section}.{key}": value for key, value in fields.items()}
            if isinstance(fields, dict)
            else {section: fields}
        )
    return flat


class DigitsData(_Model):
    """Handwritten digits (8 × 8 pixels, d = 64) that scikit-learn ships; two classes with targets −1 and +1."""

    name: Literal["digits"]
    classes: Annotated[tuple[Annotated[int, Field(ge=0, le=9)], Annotated[int, Field(ge=0, le=9)]], Field(strict=False)]
    n_train: Count
    n_test: Count
    preprocess: Literal["center_sphere", "none"] = Field(
        default="center_sphere", description="center_sphere: minus the training mean, each row scaled to norm √d"
    )
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(default=0, description="which points are drawn")

    @field_validator("classes")
    @classmethod
    def _two_classes(cls, value: tuple[int, int]) -> tuple[int, int]:
        if value[0] == value[1]:
            raise ValueError(f"found {list(value)}; name two different digits, the targets −1 and +1 in this order")
        return value


class NetworkSpec(_Model):
    """The architecture (theory.md §1). A field that is swept stands under ``axes`` instead."""

    depth: Count | None = Field(default=None, description="hidden layers L")
    activation: ActivationName | None = None
    sigma_w: Positive = Field(description="standard deviation of hidden weights")
    sigma_b: Annotated[float, Field(ge=0, le=1e12)] = Field(
        default=0.0, description="standard deviation of biases; 0: none"
    )
    sigma_a: Positive | None = Field(default=None, description="of read-out weights; sigma_w where not given")
    output_bias: bool = Field(default=False, description="a trained output bias √m σ_b b^L")
    alpha: Positive | None = Field(default=None, description="lazy output scale α; 1 where not given")
    readout: Literal["gaussian", "signs"] = Field(
        default="gaussian", description="law of the read-out weights: N(0, 1), or ±1 (the signs of the same numbers)"
    )
    trained: Literal["all", "hidden_weights", "last_layer"] = Field(
        default="all", description="what moves: everything; hidden weights alone; the read-out with its bias alone"
    )
    centred: bool = Field(default=False, description="subtract the output at t = 0")


class LogRecords(_Model):
    """Records at t = 0, at the end, and evenly in log time between."""

    spacing: Literal["log"]
    count: Annotated[int, Field(ge=2)]


class EveryRecords(_Model):
    """Records at every k-th step, at t = 0 and at the end."""

    spacing: Literal["every"]
    k: Count


class TrainingSpec(_Model):
    """Full-batch gradient descent; one step of size η advances the training time by η (theory.md §1)."""

    loss: Literal["mse", "logistic", "huber"] = Field(
        description="mean over points of (f − y)²/2, log(1 + exp(−y f)), or Huber's cost with δ = 1"
    )
    step_size: Literal["auto"] | Positive = Field(
        description="η; auto: the largest η ≤ N/(4 λ_max) with time/η whole, λ_max of a fixed wide reference network"
    )
    time: Positive = Field(description="training time")
    records: Annotated[LogRecords | EveryRecords, Discriminator("spacing")]


class AxesSpec(_Model):
    """The swept axes: the runs are all their combinations."""

    scaling: Annotated[tuple[ScalingValue, ...], _LIST, AfterValidator(_distinct)] = Field(
        description="ntk (γ = 1/2), mean_field (γ = 1), or γ itself in [0.5, 1]"
    )
    width: Annotated[tuple[Count, ...], _LIST, AfterValidator(_distinct)] = Field(description="hidden width m")
    seed: Seeds
    depth: Annotated[tuple[Count, ...], _LIST, AfterValidator(_distinct)] | None = None
    activation: Annotated[tuple[ActivationName, ...], _LIST, AfterValidator(_distinct)] | None = None
    alpha: Annotated[tuple[Positive, ...], _LIST, AfterValidator(_distinct)] | None = None


class SweepSpec(_Model):
    """One sweep of networks: fixed settings × swept axes.

    Build it from a file with :func:`sweepengine.spec.read_spec`, or in Python with the same names; either way it is
    validated and frozen.
    """

    kind: Literal["networks"] = "networks"
    name: Name
    data: DigitsData
    network: NetworkSpec
    training: TrainingSpec
    axes: AxesSpec
    precision: Literal["float32", "float64"]
    observables: Annotated[tuple[str, ...], _LIST, AfterValidator(_distinct)] | None = Field(
        default=None,
        description="what is recorded, by name; an unknown name lists them all; the ten of the quickstart if left out",
    )

    @model_validator(mode="after")
    def _one_home_for_each_setting(self) -> SweepSpec:
        for field in ("depth", "activation"):
            fixed, swept = getattr(self.network, field), getattr(self.axes, field)
            if fixed is None and swept is None:
                raise ValueError(f"network.{field}: missing; give one value here, or a list under axes.{field}")
        for field in ("depth", "activation", "alpha"):
            if getattr(self.network, field) is not None and getattr(self.axes, field) is not None:
                raise ValueError(f"network.{field} and axes.{field} are both given; remove one of them")
        if self.network.output_bias and self.network.sigma_b == 0:
            raise ValueError("network.output_bias: found true with sigma_b = 0, which gives no bias; set sigma_b > 0")
        return self

    def fixed_settings(self) -> dict[str, Any]:
        """Everything but the name and the axes, flat, as plain values keyed ``section.field``."""
        return flat_settings(self.model_dump(mode="json", exclude={"name", "axes"}, exclude_none=True))
