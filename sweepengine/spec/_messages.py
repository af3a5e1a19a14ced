"""Validation errors in the user's terms: the field, what was found, what is allowed, what to do."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from sweepengine.spec._method import METHODS

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_EXPECTED = {
    "missing": "missing; add it",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "string_type": "expected text",
    "bool_type": "expected true or false",
    "tuple_type": "expected a list, such as [{found}]",
    "finite_number": "expected a finite number",
    "too_short": "the list is empty; give at least one value",
    "greater_than": "expected a number above {gt}",
    "greater_than_equal": "expected {ge} or more",
    "less_than": "expected a number below {lt}",
    "less_than_equal": "expected {le} or less",
    "literal_error": "allowed: {expected}",
    "union_tag_invalid": "allowed: {expected_tags}",
    "union_tag_not_found": "the key {discriminator} is missing; add it",
    "model_type": "expected a mapping of fields",
    "model_attributes_type": "expected a mapping of fields",
}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """Every model class named in a type annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The field names allowed at a place of the spec."""
    models = [model]
    for part in location:
        deeper = [
            inner
            for outer in models
            if part in outer.model_fields
            for inner in _models_in(outer.model_fields[str(part)].annotation)
        ]
        # A union's tag is part of pydantic's location, not of the spec's: it chooses a branch.
        branches = [each for each in models if any(part in get_args(f.annotation) for f in each.model_fields.values())]
        models = deeper or branches or models
    return sorted({name for each in models for name in each.model_fields})


def _is_field_path(part: int | str) -> bool:
    # pydantic puts the name of a union's branch, such as "literal['ntk','mean_field']", into the location.
    branches = {"float", "int", "log", "every", *METHODS}
    return isinstance(part, int) or (part.isidentifier() and part not in branches)


def describe(error: ErrorDetails, model: type[BaseModel]) -> str:
    """One line for one validation error of ``model``.

    Parameters
    ----------
    error : ErrorDetails
        An entry of ``pydantic.ValidationError.errors()``.
    model : type
        The model that was validated; its field names are offered for unknown keys.
    """
    location = tuple(error["loc"])
    path = ".".join(str(part) for part in location if _is_field_path(part)) or "the spec"
    kind, found, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "extra_forbidden":
        allowed = _fields_at(model, location[:-1])
        close = difflib.get_close_matches(str(location[-1]), allowed, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        return f"{path}: unknown key.{hint} Allowed here: {', '.join(allowed)}"
    if kind == "missing":
        return f"{path}: missing; add it"
    if kind == "value_error":
        text = str(context["error"])
        return text if path == "the spec" else f"{path}: {text}"
    expected = _EXPECTED.get(kind)
    text = repr(found)
    shown = text if len(text) <= 60 else f"{text[:57]}…"
    if expected is None:
        return f"{path}: found {shown}; {error['msg']}"
    return f"{path}: found {shown}; {expected.format(found=found, **context)}"


def describe_all(errors: list[ErrorDetails], model: type[BaseModel]) -> str:
    """All validation errors, one line for each place; a failed union says everything that its branches allow."""
    lines: dict[tuple[int | str, ...], list[str]] = {}
    places = [error["loc"] for error in errors]
    for error in errors:
        inner = [place for place in places if place[: len(error["loc"])] == error["loc"] and place != error["loc"]]
        if error["type"] == "too_short" and inner:
            continue  # the list is short only because its bad values were left out
        place = tuple(part for part in error["loc"] if _is_field_path(part))
        lines.setdefault(place, []).append(describe(error, model))
    merged = []
    for texts in lines.values():
        head, *rest = list(dict.fromkeys(texts))
        merged.append("; or ".join([head, *(text.split("; ", 1)[-1] for text in rest)]))
    return "\n".join(merged)
