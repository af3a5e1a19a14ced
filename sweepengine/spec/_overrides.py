"""Settings that are given beside a spec file and stand in place of the file's own: ``axes.seed=16``."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sweepengine.errors import SpecError, shown
from sweepengine.spec._yaml import load_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Override:
    """One setting in place of the file's own.

    Attributes
    ----------
    text : str
        As its author wrote it: ``axes.seed=16``.
    path : tuple of str
        Where the setting stands in the spec: its section and field, or deeper.
    value : object
        The plain value, of the type that it would have in the file.
    """

    text: str
    path: tuple[str, ...]
    value: Any

    def __str__(self) -> str:
        return f"--set {' '.join(self.text.split())}"

    def is_named_in(self, line: str) -> bool:
        """Whether the line of a message speaks of the setting, or of the section that the setting has made."""
        problem = line.partition(" Allowed here:")[0]
        place = tuple(problem.partition(":")[0].split("."))
        named = re.search(rf"(?<![\w.]){re.escape('.'.join(self.path))}(?!\w)", problem)
        return named is not None or self.path[: len(place)] == place


def parse_overrides(texts: Sequence[str]) -> tuple[Override, ...]:
    """Read settings from texts such as ``axes.seed=16``.

    Parameters
    ----------
    texts : sequence of str
        Each a dotted path, ``=``, and the value as YAML, as the file would have it: ``axes.width=[64, 256]``,
        ``training.method={name: sgd, batch_size: 16}``. ``null`` leaves a setting out.

    Raises
    ------
    SpecError
        A text has no path or no ``=``, its value is no plain YAML, or it replaces what another has set.
    """
    overrides: list[Override] = []
    for text in texts:
        path, equals, value = text.partition("=")
        override = Override(text, tuple(path.strip().split(".")), None)
        if not equals or not all(override.path):
            raise SpecError(f"{override}: expected PATH=VALUE, such as axes.seed=16 or training.time=10")
        for earlier in overrides:
            if earlier.path[: len(override.path)] == override.path:
                raise SpecError(f"{override}: it would replace {earlier}; keep one of them")
        try:
            overrides.append(replace(override, value=load_value(value)))
        except SpecError as error:
            raise SpecError(f"{override}: {error}") from None
    return tuple(overrides)


def overridden(content: Mapping[str, Any], overrides: Sequence[Override]) -> dict[str, Any]:
    """The content of a spec with some settings in place of its own; sections that it lacks are added.

    Raises
    ------
    SpecError
        A path leads through a value that has no fields.
    """
    result = dict(content)
    for override in overrides:
        section = result
        for depth, name in enumerate(override.path[:-1], start=1):
            inner = section.get(name)
            if not (inner is None or isinstance(inner, dict)):
                at = ".".join(override.path[:depth])
                raise SpecError(f"{override}: {at} is {shown(inner)}, which has no fields; set {at} as a whole")
            section[name] = section = dict(inner or {})
        section[override.path[-1]] = override.value
    return result


def blamed(message: str, overrides: Sequence[Override]) -> str:
    """A message about a spec, where each line that speaks of an override says so.

    Where no line does, the overrides may still be the reason, so they are named at the end.
    """
    lines, is_blamed = [], False
    for line in message.splitlines():
        at_fault = [str(each) for each in overrides if each.is_named_in(line)]
        is_blamed |= bool(at_fault)
        lines.append(f"{line} (from {', '.join(at_fault)})" if at_fault else line)
    if overrides and not is_blamed:
        lines.append(f"(with {' '.join(map(str, overrides))})")
    return "\n".join(lines)
