"""Sections that say what a sweep trains on: real data, arrays of a file, or points drawn from a law with a teacher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, TypeVar, get_args

from pydantic import Field, field_validator, model_validator

from sweepengine.errors import shown
from sweepengine.spec._choice import OneOf
from sweepengine.spec._fields import Count, Dimension, NonNegative, Section, Seed

if TYPE_CHECKING:
    from pathlib import Path

PreprocessName = Literal["center_sphere", "none"]
MOST_NUMBERS = 1_000_000_000
TargetsName = Literal["signs", "one_hot"]
_TARGETS = (
    "how labels become targets; signs: one column of −1 and +1 for two classes, one column of ±1 for each of three or "
    "more; one_hot: one column of 0 and 1 for each class. Default: signs for two classes, one_hot for more"
)


class DataSection(Section):
    """The section ``data`` of a spec: the base of the section of every data set.

    Attributes
    ----------
    loader : str
        Reference to a function from the section to a :class:`sweepengine.data.Dataset`.
    fresh_points : str or None
        Reference to a function that draws new points for one step of one run: (section, seed of the run, step) ↦
        (x, y), ndarrays of float64 with shapes (n_train, d) and (n_train,) or (n_train, k). None where the data set has
        a fixed number of points.
    is_recipe : bool
        Whether the settings determine the points, which are drawn or packaged. A store that has data of the same
        settings then has the points; all other points are read again, and compared with those of the store.
    """

    loader: ClassVar[str]
    fresh_points: ClassVar[str | None] = None
    is_recipe: ClassVar[bool] = False
    name: str

    def located(self, folder: Path) -> Self:  # noqa: ARG002
        """A copy whose file paths begin with a folder; the section itself where it names no file."""
        return self

    def settings(self) -> dict[str, Any]:
        """Plain values of the settings that make the content; equal contents may have other paths and targets."""
        return self.model_dump(mode="json", exclude_defaults=True, exclude={"path", "targets"})


def words_of_targets(section: DataSection | None) -> Any:
    """The targets of a data section as its spec names them, which its settings leave out; None where it names none."""
    return getattr(section, "targets", None)


DATASETS: dict[str, type[DataSection]] = {}
"""Name → section class; :func:`register_data` adds entries."""
_Data = TypeVar("_Data", bound=DataSection)


def register_data(section: type[_Data]) -> type[_Data]:
    """Decorate a section class to enter it in :data:`DATASETS`, under every name that its field ``name`` allows.

    Raises
    ------
    ValueError
        The field allows no name, or a name that is taken, or the loader is no ``module:name``.
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
    is_recipe = True
    name: Literal["digits"]
    classes: Annotated[tuple[Annotated[int, Field(ge=0, le=9)], ...], Field(strict=False)]
    n_train: Count
    n_test: Count
    preprocess: PreprocessName = Field(
        default="center_sphere", description="center_sphere: minus the training mean, each row scaled to norm √d"
    )
    seed: Seed = Field(default=0, description="decides which points are drawn, in which order, and their random labels")
    targets: TargetsName | None = Field(default=None, description=_TARGETS)
    random_labels: bool = Field(
        default=False, description="whether classes are drawn at random, whatever the image shows (Zhang et al. 2017)"
    )
    nested: bool = Field(
        default=False,
        description="whether a smaller n_train gives the beginning of a larger data set: the test points are then the "
        "last of the drawn order, and center_sphere subtracts the mean of all other points; if false, the test points "
        "follow the training points and the mean is theirs",
    )

    def refuse_axis(self, field: str) -> None:
        """Raise ValueError for ``n_train`` unless the data are nested."""
        if field == "n_train" and not self.nested:
            raise ValueError(
                "axes.n_train: with every other n_train the digits have other test points and another mean; set "
                "data.nested: true, which keeps both"
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
        description="path of a NumPy .npz of plain arrays, relative to the folder of the spec's file"
    )
    classes: Annotated[int, Field(ge=2, le=100_000)] | None = Field(
        default=None,
        description="number of classes: the arrays y then hold labels 0 … classes − 1; without it y holds the targets",
    )
    targets: TargetsName | None = Field(default=None, description=_TARGETS)
    preprocess: PreprocessName = Field(
        default="none", description="center_sphere: minus the mean of x_train, each row scaled to norm √d"
    )
    n_train: Count | None = Field(
        default=None, description="number of training points, the first of x_train; all of them where not given"
    )

    def located(self, folder: Path) -> Self:
        """A copy whose path, which was relative to ``folder``, begins with it."""
        return self.model_copy(update={"path": str(folder / self.path)})

    @model_validator(mode="after")
    def _targets_of_labels(self) -> FileData:
        if self.targets is not None and self.classes is None:
            raise ValueError(
                f"targets: found {self.targets!r} without classes; say how many classes the labels have, "
                "or leave targets out"
            )
        return self


@register_data
class DrawnData(DataSection):
    """Points drawn from a law in R^d; a teacher with one unit direction w_o for each output o gives their targets."""

    loader = "sweepengine.data._drawn:drawn"
    fresh_points = "sweepengine.data._drawn:fresh_points"
    is_recipe = True
    name: Literal["gaussian", "sphere"] = Field(
        description="law of x: gaussian is N(0, I_d); sphere is uniform on the sphere of radius √d, so that x·x/d = 1"
    )
    d: Dimension
    n_train: Count
    n_test: Count
    teacher: Literal["linear", "neuron", "quadratic", "sign", "random_signs"] = Field(
        description="target y_o; linear: w_o·x; neuron: max(w_o·x, 0), one relu neuron (theory.md §4.8); quadratic: "
        "(w_o·x)² − 1; sign: the sign of w_o·x; random_signs: ±1 at random, whatever x is (Zhang et al. 2017)"
    )
    outputs: Annotated[int, Field(ge=1, le=100_000)] = Field(default=1, description="number k of targets of each point")
    noise: NonNegative = Field(
        default=0.0,
        description="standard deviation of Gaussian noise on training targets; test targets are the teacher's own",
    )
    seed: Seed = Field(
        default=0,
        description="seed of points, teacher and noise; a larger data set of the same seed begins with the smaller one",
    )

    @model_validator(mode="after")
    def _fits_in_memory(self) -> DrawnData:
        _refuse_many_numbers((self.n_train + self.n_test) * (self.d + self.outputs))
        return self


@register_data
class ShellsData(DataSection):
    """Two concentric Gaussians: y = ±1 with equal chance and x | y ~ N(0, (1 + y Δ)² I_d).

    The data of Mei et al. 2018. Their radial symmetry makes the mean-field limit one-dimensional.
    """

    loader = "sweepengine.data._drawn:drawn"
    fresh_points = "sweepengine.data._drawn:fresh_points"
    is_recipe = True
    name: Literal["shells"]
    d: Dimension
    delta: Annotated[float, Field(gt=0, lt=1)] = Field(description="Δ")
    n_train: Count
    n_test: Count
    seed: Seed = Field(
        default=0, description="seed of the points; a larger data set of the same seed begins with the smaller one"
    )

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
