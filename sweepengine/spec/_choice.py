"""Fields whose allowed values are the entries of a table.

The table is looked up whenever a spec is read, so that an entry that was registered later is allowed at once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, get_args

from pydantic import BaseModel, Discriminator, TypeAdapter
from pydantic_core import PydanticKnownError, core_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.fields import FieldInfo
    from pydantic.json_schema import JsonSchemaValue


class OneOf:
    """Annotation of a section that is one of several classes; one of its fields names the class.

    Parameters
    ----------
    table : callable
        Returns the classes by name.
    key : str
        The field of the section that holds the class's name.
    """

    def __init__(self, table: Callable[[], Mapping[str, type[BaseModel]]], key: str) -> None:
        self._table, self.key = table, key

    @classmethod
    def within(cls, field: FieldInfo) -> OneOf | None:
        """The choice in a field's annotation; None where there is none."""
        return next((part for part in (*field.metadata, *_parts(field.annotation)) if isinstance(part, cls)), None)

    def model_of(self, content: object) -> type[BaseModel] | None:
        """The class of a section, or that which a mapping names; None where it names none."""
        if isinstance(content, BaseModel):
            return type(content)
        name = content.get(self.key) if isinstance(content, dict) else None
        return self._table().get(name) if isinstance(name, str) else None

    def names_with(self, field: str) -> list[str]:
        """Names of the classes that have a field."""
        return [name for name, model in self._table().items() if field in model.model_fields]

    @property
    def models(self) -> list[type[BaseModel]]:
        """The classes, in the order of the table."""
        return list(self._table().values())

    def _adapter(self) -> TypeAdapter[Any]:
        return _union(tuple(self.models), self.key)

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(
            lambda value: self._adapter().validate_python(value), core_schema.any_schema()
        )

    def __get_pydantic_json_schema__(
        self, _schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(self._adapter().core_schema)


def models_in(field: FieldInfo) -> list[type[BaseModel]]:
    """Every model class named in the type annotation of a field."""
    return [model for part in (field.annotation, *field.metadata) for model in _models_of(part)]


def _models_of(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, OneOf):
        return annotation.models
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_of(part)]


def _parts(annotation: Any) -> list[Any]:
    """The parts of a type annotation, inner parts too."""
    return [inner for part in get_args(annotation) for inner in (part, *_parts(part))]


@lru_cache(maxsize=16)
def _union(models: tuple[type[BaseModel], ...], key: str) -> TypeAdapter[Any]:
    union: Any = models[0]
    for model in models[1:]:
        union = union | model
    return TypeAdapter(Annotated[union, Discriminator(key)])


class NameOf:
    """Annotation of a text that must be one of the names in a table.

    Parameters
    ----------
    names : callable
        Returns the names, in the order of the table.
    written : sequence of str, optional
        How names with numbers are written, ``leaky_relu(SLOPE)``, that are allowed beside the table.
    canonical : callable, optional
        From a name with numbers to the one that is kept; raises ValueError.
    """

    def __init__(
        self,
        names: Callable[[], Sequence[str]],
        written: Sequence[str] = (),
        canonical: Callable[[str], str] | None = None,
    ) -> None:
        self._names, self._written, self._canonical = names, written, canonical

    def _known(self, value: Any) -> Any:
        names = self._names()
        if value in names:
            return value
        if self._canonical and isinstance(value, str) and "(" in value:
            return self._canonical(value)
        raise PydanticKnownError("literal_error", {"expected": ", ".join(map(repr, (*names, *self._written)))})

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self._known, core_schema.str_schema(strict=True))

    def __get_pydantic_json_schema__(
        self, _schema: core_schema.CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        plain: JsonSchemaValue = {"enum": list(self._names()), "type": "string"}
        heads = "|".join(name.partition("(")[0] for name in self._written)
        return {"anyOf": [plain, {"pattern": rf"^({heads})\(", "type": "string"}]} if heads else plain
