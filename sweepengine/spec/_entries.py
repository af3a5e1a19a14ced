"""Fields of a spec whose choices are the entries of a table.

The table is read when a spec is validated or described, so an entry is all that a new choice needs. Errors and schema are
those that pydantic has for a literal and for a discriminated union.
"""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, TypeAdapter
from pydantic_core import PydanticKnownError, core_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler

    from sweepengine.spec._fields import Section


@dataclass(frozen=True)
class NameIn:
    """Marks a text as one of the names of a table.

    Attributes
    ----------
    names : callable
        Gives the names that are allowed now, in the order of messages.
    """

    names: Callable[[], tuple[str, ...]]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """What pydantic validates by."""
        return core_schema.no_info_plain_validator_function(self._checked)

    def __get_pydantic_json_schema__(
        self,
        schema: core_schema.CoreSchema,
        handler: GetJsonSchemaHandler,
    ) -> dict[str, Any]:
        """What the schema says: the names of now."""
        return handler(core_schema.literal_schema(list(self.names())))

    def _checked(self, value: object) -> str:
        names = self.names()
        if not isinstance(value, str) or value not in names:
            *most, last = map(repr, names)
            raise PydanticKnownError("literal_error", {"expected": f"{', '.join(most)} or {last}"})
        return value


@dataclass(frozen=True, eq=False)
class SectionIn:
    """Marks a section as one of those of a table, told apart by their key ``name``.

    Attributes
    ----------
    table : mapping
        Name → section.
    """

    table: Mapping[str, type[Section]]

    @property
    def sections(self) -> tuple[type[Section], ...]:
        """Every section once, though it may stand under several names."""
        return tuple(dict.fromkeys(self.table.values()))

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """What pydantic validates by."""
        return core_schema.no_info_plain_validator_function(lambda value: _union(self.sections).validate_python(value))

    def __get_pydantic_json_schema__(
        self,
        schema: core_schema.CoreSchema,
        handler: GetJsonSchemaHandler,
    ) -> dict[str, Any]:
        """What the schema says: the sections of now."""
        return handler(_union(self.sections).core_schema)


@functools.cache
def _union(sections: tuple[type[Section], ...]) -> TypeAdapter[Any]:
    either: Any = functools.reduce(operator.or_, sections)
    return TypeAdapter(Annotated[either, Field(discriminator="name")])
