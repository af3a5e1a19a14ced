"""What the specs of several kinds of sweeps are made of: names, axes, activations, schedules of records."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

from sweepengine.activations import ACTIVATIONS, NAMED_BY_SLOPES, canonical_activation, layer_activations
from sweepengine.errors import shown
from sweepengine.spec._choice import NameOf
from sweepengine.spec._column import Column
from sweepengine.spec._fields import Count, Section, Seed
from sweepengine.spec._swept import Sweeps

GAMMA_BY_LABEL = {"ntk": 0.5, "mean_field": 1.0}
"""The named scalings (theory.md §1.1): the output is multiplied by α m^{-γ}."""


def scaling_label(gamma: float) -> str:
    """How a scaling is called everywhere: ``ntk``, ``mean_field``, or ``gamma=0.75``."""
    return next((label for label, named in GAMMA_BY_LABEL.items() if named == gamma), f"gamma={float(gamma)!r}")


MAX_SEEDS = 100_000

ActivationName = Annotated[str, NameOf(layer_activations, NAMED_BY_SLOPES, canonical_activation)]
"""Activation of a network; units of particles have a few more to choose from."""
UnitActivationName = Annotated[str, NameOf(lambda: tuple(ACTIVATIONS), NAMED_BY_SLOPES, canonical_activation)]
# A tuple may be given as a list, as YAML has it; its entries stay strictly typed.
LIST = Field(strict=False, min_length=1)


def distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Refuse an axis that holds one value twice: its runs would be counted twice in every mean."""
    seen: set[Any] = set()
    for value in values:
        key = GAMMA_BY_LABEL.get(value, value) if isinstance(value, str) else value
        if key in seen:
            raise ValueError(f"{shown(value)} stands twice; keep it once")
        seen.add(key)
    return values


_Value = TypeVar("_Value")
Axis = Annotated[tuple[_Value, ...], LIST, AfterValidator(distinct)]
"""The values of an axis."""
OF_N_TRAIN = Sweeps("data.n_train", Column("int64", -1, "number N of training points"), "N")
OF_DATA_SEED = Sweeps("data.seed", Column("int64", -1, "seed of the data"), "data seed")


def _plain_name(value: str) -> str:
    value = unicodedata.normalize("NFC", value)  # file systems and stores compare names byte by byte
    if not re.fullmatch(r"[^\W_][\w.-]*", value):
        near = re.sub(r"[^\w.-]+", "-", value).strip("._-")
        raise ValueError(
            f"found {shown(value)}; a name is made of letters, digits, '.', '_' and '-' and begins with a letter or a "
            f"digit, because it names the store in the results folder{f'; take {near}' if near else ''}"
        )
    return value


def _count_of_seeds(value: Any) -> Any:
    if isinstance(value, float):
        raise ValueError(f"found {value}; a number of seeds is a whole number, such as 8")  # noqa: TRY004
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    if not 1 <= value <= MAX_SEEDS:
        raise ValueError(
            f"found {value}; a number of seeds lies between 1 and {MAX_SEEDS}; for one seed of this value give a list, "
            f"[{value}]"
        )
    return tuple(range(value))


Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_plain_name)]
Seeds = Annotated[
    tuple[Seed, ...],
    LIST,
    AfterValidator(distinct),
    BeforeValidator(_count_of_seeds),
    Field(
        description="8 means the seeds 0 … 7; [3, 5] means the seeds 3 and 5",
        json_schema_extra=lambda schema: schema.update(
            {
                "anyOf": [
                    {"type": "integer", "minimum": 1},
                    {key: schema.pop(key) for key in ("type", "items", "minItems")},
                ]
            }
        ),
    ),
]
"""The axis of seeds, which every kind of sweep has."""


Precision = Annotated[
    Literal["float32", "float64"],
    Field(
        description="float32 takes half the memory and is faster; float64 is for what must agree to rounding. With "
        "relu and other activations with kinks a float32 run can end elsewhere than the float64 one, by up to 4 % in "
        "the kernel late in training: rounding decides on which side of its kink a neuron goes on"
    ),
]
Matmul = Annotated[
    Literal["full", "tf32", "bf16"],
    Field(
        description="how float32 matrices are multiplied: in full, or with factors rounded to TF32 or bf16, which a "
        "device without such products refuses; the numbers differ, so the runs are different ones"
    ),
]


def refuse_matmul(matmul: str, precision: str) -> None:
    """Raise ValueError where float64 products are asked for in a precision that only float32 products have."""
    if matmul != "full" and precision != "float32":
        raise ValueError(
            f"matmul: found {matmul!r} with precision {precision!r}; it is of float32 alone: leave it out, or set "
            "precision: float32"
        )


class LogRecords(Section):
    """Records at t = 0, at the end, and evenly in log time between."""

    spacing: Literal["log"]
    count: Annotated[int, Field(ge=2)]


class EveryRecords(Section):
    """Records at every k-th step, at t = 0 and at the end."""

    spacing: Literal["every"]
    k: Count
