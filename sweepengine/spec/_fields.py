"""What the sections of a spec share: a strict, frozen base and the ranges of their numbers."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

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
