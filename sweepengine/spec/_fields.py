"""The strict, frozen base class of the sections of a spec, and the ranges of their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sweepengine.spec._swept import axes_of, swept, values_of_axes, variants, with_first_values, without_swept

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sweepengine.plugins import CodeKind

# The ranges are wide enough for any experiment, and narrow enough that no product of such numbers overflows.
Positive = Annotated[float, Field(ge=1e-12, le=1e12)]
NonNegative = Annotated[float, Field(ge=0, le=1e12)]
Factor = Annotated[float, Field(ge=-1e12, le=1e12)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
# Names, parameters and costs are listed by layer; nobody trains deeper fully connected networks without skips.
Depth = Annotated[int, Field(ge=1, le=1000)]
Dimension = Annotated[int, Field(ge=1, le=10_000_000)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Section(BaseModel):
    """One mapping of a spec: it refuses unknown fields and converts no types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    def refuse_axis(self, field: str) -> None:
        """Raise ValueError where a sweep over a field of the section would change more than the field."""


def flat_settings(content: dict[str, Any]) -> dict[str, Any]:
    """The sections of a spec as one mapping ``section.field`` → plain value; entries that are no sections keep keys."""
    flat: dict[str, Any] = {}
    for section, fields in content.items():
        flat |= (
            {f"{section}.{key}": value for key, value in fields.items()}
            if isinstance(fields, dict)
            else {section: fields}
        )
    return flat


class RefineSection(Section):
    """What `sweepengine refine` narrows: intervals of exponents, by adding seeds or widths."""

    observable: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="name of the quantity whose exponents are narrowed, such as kernel_drift"
    )
    claim: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="id of a claim whose exponents are narrowed, in place of an observable"
    )
    target_halfwidth: Annotated[float, Field(gt=0)] = Field(
        description="half-width of the 95 % intervals at which the refinement ends"
    )
    max_runs: Count = Field(description="largest number of runs that the store may come to")

    @model_validator(mode="after")
    def _one_aim(self) -> Self:
        if (self.observable is None) == (self.claim is None):
            raise ValueError("refine: give either an observable or a claim")
        return self


class WholeSpec(Section):
    """Base of the specs of every kind; a subclass adds the fields of its kind, ``kind`` among them."""

    refine: RefineSection | None = Field(
        default=None,
        description="what a run of the spec, and `sweepengine refine STORE`, narrow; no run of the axes depends on it",
    )

    keep_states: bool | None = Field(
        default=None,
        description="true: the last state of every run is kept, so that a longer time goes on from there; runs go one "
        "at a time. No result depends on it",
    )

    if TYPE_CHECKING:

        @property
        def kind(self) -> str: ...

    @classmethod
    def reads(cls, content: Mapping[str, Any]) -> bool:
        """Whether a mapping is meant as a spec of this kind."""
        return content.get("kind", "networks") in get_args(cls.model_fields["kind"].annotation)

    @model_validator(mode="before")
    @classmethod
    def _complete_sections(cls, content: Any) -> Any:
        return with_first_values(cls, content) if isinstance(content, dict) else content

    @model_validator(mode="after")
    def _axes_fit(self) -> Self:
        axes = axes_of(type(self))
        for axis in self.swept:
            name, field = axes[axis].path
            getattr(self, name).refuse_axis(field)
        return self

    @property
    def swept(self) -> dict[str, tuple[Any, ...]]:
        """Axis → values, for the axes that list values of a setting. The setting itself has the first of them."""
        return swept(self)

    def variants(self) -> Iterator[Self]:
        """The plain sweeps whose union this sweep is; see :func:`sweepengine.spec._swept.variants`."""
        return variants(self, self.to_json())

    def values_of_axes(self) -> dict[str, Any]:
        """Axis → value of its setting in a plain sweep, which is its own only variant."""
        return values_of_axes(self)

    @property
    def workers_of_a_run(self) -> int:
        """Workers that advance one run together, where the executor has many."""
        return 1

    def users_parts(self) -> tuple[tuple[CodeKind, str], ...]:
        """Kind and ``name@version`` of each piece of users' code that the spec names, observables apart.

        Raises
        ------
        SpecError
            The spec names code that nobody has registered.
        """
        return ()

    def unlike_steps(self) -> str:
        """The field, with its value, because of which steps cannot be recorded once and replayed; empty if they can."""
        return f"kind {self.kind!r}"

    def fixed_settings(self) -> dict[str, Any]:
        """All settings but name, axes, refinement and what is kept, as one mapping ``section.field`` → plain value."""
        return flat_settings(
            {
                key: value
                for key, value in self.to_json().items()
                if key not in {"name", "axes", "refine", "keep_states"}
            }
        )

    def agreed_settings(self, used: Sequence[Mapping[str, str]]) -> dict[str, tuple[Any, ...]]:  # noqa: ARG002
        """Settings in which all specs of one store must agree: name → the values that the setting takes.

        Parameters
        ----------
        used : sequence of mapping
            Kind, name and version of each piece of users' code that the spec names.
        """
        axes = axes_of(type(self))
        settings = {key: (value,) for key, value in self.fixed_settings().items()}
        return settings | {axes[axis].setting: values for axis, values in self.swept.items()}

    def to_json(self) -> dict[str, Any]:
        """Plain values from which :func:`sweepengine.spec.make_spec` makes an equal spec."""
        return without_swept(self, self.model_dump(mode="json", exclude_none=True))
