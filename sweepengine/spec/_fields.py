"""What the sections of a spec share: a strict, frozen base and the ranges of their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sweepengine.plugins import CodeKind

# Wide enough for any experiment, narrow enough that no product of them overflows.
Positive = Annotated[float, Field(ge=1e-12, le=1e12)]
Factor = Annotated[float, Field(ge=-1e12, le=1e12)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
# Names, parameters and costs are listed by layer; nobody trains deeper fully connected networks without skips.
Depth = Annotated[int, Field(ge=1, le=1000)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Section(BaseModel):
    """One mapping of a spec: it knows its fields, takes no others, and changes no type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


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


class WholeSpec(Section):
    """What the specs of every kind have in common; each has its own fields, ``kind`` among them."""

    if TYPE_CHECKING:

        @property
        def kind(self) -> str: ...

    @classmethod
    def reads(cls, content: Mapping[str, Any]) -> bool:
        """Whether a mapping is meant as a spec of this kind."""
        return content.get("kind", "networks") in get_args(cls.model_fields["kind"].annotation)

    @property
    def workers_of_a_run(self) -> int:
        """Workers that advance one run together, where the executor has many."""
        return 1

    def users_parts(self) -> tuple[tuple[CodeKind, str], ...]:
        """Kind and ``name@version`` of what users have registered and the spec names, observables apart.

        Raises
        ------
        SpecError
            Nobody has registered one of them.
        """
        return ()

    def unlike_steps(self) -> str:
        """Why the steps of a run cannot be recorded once and replayed: the field, and what it holds; empty where they can."""
        return f"kind {self.kind!r}"

    def fixed_settings(self) -> dict[str, Any]:
        """Everything but the name and the axes, flat, as plain values keyed ``section.field``."""
        return flat_settings({key: value for key, value in self.to_json().items() if key not in {"name", "axes"}})

    def agreed_settings(self, used: Sequence[Mapping[str, str]]) -> dict[str, tuple[Any, ...]]:  # noqa: ARG002
        """Settings in which the specs of one store agree, each with the values that it may have.

        Parameters
        ----------
        used : sequence of mapping
            Kind, name and version of the users' code that the names of the spec mean.
        """
        return {key: (value,) for key, value in self.fixed_settings().items()}

    def to_json(self) -> dict[str, Any]:
        """Plain values from which :func:`sweepengine.spec.make_spec` makes an equal spec."""
        return self.model_dump(mode="json", exclude_none=True)
