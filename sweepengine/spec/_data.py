"""What a sweep trains on: real data, arrays of a file, or points drawn from a law with a teacher's targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self, TypeVar, get_args

from pydantic import Field, field_validator, model_validator

from sweepengine.errors import shown
from sweepengine.spec._choice import OneOf
from sweepengine.spec._fields import Count, Section, Seed

if TYPE_CHECKING:
    from pathlib import Path

PreprocessName = Literal["center_sphere", "none"]
MOST_NUMBERS = 1_000_000_000
TargetsName = Literal["signs", "one_hot"]
_TARGETS = (
    "targets of labels; signs: one column of −1 and +1 for two classes, a column of ±1 for each of more; "
    "one_hot: a column of 0 and 1 for each. signs for two classes and one_hot for more where not given"
)


class DataSection(Section):
    """What the section of every data set has.

    Attributes
    ----------
    loader : str
        Reference to what makes its points: from the section to a :class:`sweepengine.data.Dataset`.
    fresh_points : str or None
        Reference to what draws new points for one step of one run: (section, seed of the run, step) ↦ (x, y), ndarray of
        float64, shapes (n_train, d) and (n_train,) or (n_train, k); None where there are no more points.
    """

    loader: ClassVar[str]
    fresh_points: ClassVar[str | None] = None
    name: str

    def located(self, folder: Path) -> Self:  # noqa: ARG002
        """The same with the files that it names looked for from a folder."""
        return self


DATASETS: dict[str, type[DataSection]] = {}
"""Name → section; :func:`register_data` adds to it."""
_Data = TypeVar("_Data", bound=DataSection)


def register_data(section: type[_Data]) -> type[_Data]:
    """Add a section to the table, by each name that its field ``name`` may have.

    Raises
    ------
    ValueError
        The field allows no name, or one that is taken, or the loader is no ``module:name``.
    """
    names = get_args(section.model_fields["name"].annotation)
    if not names or not DATASETS.keys().isdisjoint(names):
        raise ValueError(f"{section.__name__}.name: found {names}; give it a Literal of names that no other data has")
    if getattr(section, "loader", "").count(":") != 1:
        raise ValueError(f"{section.__name__}: found no loader; name it as package.module:function")
    DATASETS.update(dict.fromkeys(names, section))
    return section


@register_data
class DigitsData(DataSection):
    """Handwritten digits (8 × 8 pixels, d = 64) that scikit-learn ships; two classes have the targets −1 and +1."""

    loader = "sweepengine.data._digits:digits"
    name: Literal["digits"]
    classes: Annotated[tuple[Annotated[int, Field(ge=0, le=9)], ...], Field(strict=False)]
    n_train: Count
    n_test: Count
    preprocess: PreprocessName = Field(
        default="center_sphere", description="center_sphere: minus the training mean, each row scaled to norm √d"
    )
    seed: Seed = Field(default=0, description="which points are drawn, and their random labels")
    targets: TargetsName | None = Field(default=None, description=_TARGETS)
    random_labels: bool = Field(
        default=False, description="classes drawn at random, whatever the image shows (S4 §3.2)"
    )

    @field_validator("classes")
    @classmethod
    def _different_classes(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(value) < 2 or len(set(value)) < len(value):
            raise ValueError(
                f"found {shown(list(value))}; name two different digits or more; of two, −1 and +1 in this order"
            )
        return value


@register_data
class FileData(DataSection):
    """Arrays ``x_train`` (N, d), ``y_train`` (N) or (N, k), ``x_test`` and ``y_test`` of a ``.npz`` file."""

    loader = "sweepengine.data._file:file_points"
    name: Literal["file"]
    path: Annotated[str, Field(min_length=1)] = Field(
        description="of a NumPy .npz of plain arrays; relative to the folder of the spec's file"
    )
    classes: Annotated[int, Field(ge=2, le=100_000)] | None = Field(
        default=None, description="the y are labels 0 … classes − 1; where not given they are the targets themselves"
    )
    targets: TargetsName | None = Field(default=None, description=_TARGETS)
    preprocess: PreprocessName = Field(
        default="none", description="center_sphere: minus the training mean, each row scaled to norm √d"
    )

    def located(self, folder: Path) -> Self:
        """The same with its file looked for from a folder."""
        return self.model_copy(update={"path": str(folder / self.path)})

    @model_validator(mode="after")
    def _targets_of_labels(self) -> FileData:
        if self.targets is not None and self.classes is None:
            raise ValueError(
                f"targets: found {self.targets!r} without classes; say how many classes the labels have, or leave it out"
            )
        return self


@register_data
class DrawnData(DataSection):
    """Points drawn from a law in R^d, targets from a teacher with unit directions w_o, one for each output."""

    loader = "sweepengine.data._drawn:drawn"
    fresh_points = "sweepengine.data._drawn:fresh_points"
    name: Literal["gaussian", "sphere"] = Field(
        description="x ~ N(0, I_d), or uniform on the sphere of radius √d, so that x·x/d = 1"
    )
    d: Annotated[int, Field(ge=1, le=10_000_000)]
    n_train: Count
    n_test: Count
    teacher: Literal["linear", "neuron", "quadratic", "sign", "random_signs"] = Field(
        description="y_o = w_o·x; one relu neuron max(w_o·x, 0) (S4 §10); (w_o·x)² − 1; the sign of w_o·x; "
        "±1 at random, whatever x is (S4 §3.2)"
    )
    outputs: Annotated[int, Field(ge=1, le=100_000)] = Field(default=1, description="targets k of each point")
    noise: Annotated[float, Field(ge=0, le=1e12)] = Field(
        default=0.0,
        description="standard deviation of Gaussian noise on training targets; test targets are the teacher's own",
    )
    seed: Seed = Field(default=0, description="of points, teacher and noise; more points begin with the fewer")

    @model_validator(mode="after")
    def _fits_in_memory(self) -> DrawnData:
        _refuse_many_numbers((self.n_train + self.n_test) * (self.d + self.outputs))
        return self


@register_data
class ShellsData(DataSection):
    """Two concentric Gaussians: y = ±1 with equal chance and x | y ~ N(0, (1 + y Δ)² I_d).

    Mei, Montanari & Nguyen (PNAS 2018), whose radial symmetry makes the mean-field limit one-dimensional.
    """

    loader = "sweepengine.data._drawn:drawn"
    fresh_points = "sweepengine.data._drawn:fresh_points"
    name: Literal["shells"]
    d: Annotated[int, Field(ge=1, le=10_000_000)]
    delta: Annotated[float, Field(gt=0, lt=1)] = Field(description="Δ")
    n_train: Count
    n_test: Count
    seed: Seed = Field(default=0, description="of the points; more points begin with the fewer")

    @model_validator(mode="after")
    def _fits_in_memory(self) -> ShellsData:
        _refuse_many_numbers((self.n_train + self.n_test) * (self.d + 1))
        return self


def _refuse_many_numbers(numbers: int) -> None:
    if numbers > MOST_NUMBERS:
        raise ValueError(
            f"found {numbers} numbers in all, more than the {MOST_NUMBERS} that drawn data may have; "
            "take fewer points, or a smaller d"
        )


DataSpec = Annotated[DataSection, OneOf(lambda: DATASETS, "name")]
