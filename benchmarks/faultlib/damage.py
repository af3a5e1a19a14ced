"""Ways to damage one object of a store; each says in words what it has done."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np

    from faultlib.objects import StoredObject


def damage(rng: np.random.Generator, store: Path, alike: Sequence[StoredObject]) -> str:
    """Damage one of some objects of a kind.

    Parameters
    ----------
    rng : Generator
        Chooses the object, the way and the place.
    store : Path
    alike : sequence of StoredObject
        Of one kind; those that are swapped or put in another's place are of it too.

    Returns
    -------
    str
        What was done.
    """
    names = [each.path for each in alike]
    victim = _Victim(rng, store, names[rng.integers(len(names))], names)
    ways = [each for each in _WAYS if each is not _changed_word or victim.path.suffix == ".json"]
    return f"{alike[0].kind}: {victim.path} {ways[rng.integers(len(ways))](victim)}"


@dataclass(frozen=True)
class _Victim:
    rng: np.random.Generator
    store: Path
    path: Path
    names: list[Path]

    @property
    def content(self) -> bytes:
        return (self.store / self.path).read_bytes()

    def write(self, content: bytes) -> None:
        (self.store / self.path).write_bytes(content)

    def place(self) -> int:
        return int(self.rng.integers(max(1, len(self.content))))

    def another(self) -> Path | None:
        """One that holds something else."""
        content = self.content
        others = [each for each in self.names if (self.store / each).read_bytes() != content]
        return others[self.rng.integers(len(others))] if others else None


def _masked(victim: _Victim, mask: int) -> str:
    content, at = bytearray(victim.content), victim.place()
    if not content:
        return _deleted(victim)
    content[at] ^= mask
    victim.write(content)
    return f"byte {at} of {len(content)} changed by {mask:#04x}"


def _flipped_bit(victim: _Victim) -> str:
    return _masked(victim, 1 << int(victim.rng.integers(8)))


def _changed_byte(victim: _Victim) -> str:
    return _masked(victim, int(victim.rng.integers(1, 256)))


def _changed_word(victim: _Victim) -> str:
    value, word = _other_word(victim.rng, json.loads(victim.content or "{}"))
    victim.write(json.dumps(value).encode())
    return f"says another {word or 'thing'}"


def _cut(victim: _Victim) -> str:
    content, at = victim.content, victim.place()
    victim.write(content[:at])
    return f"cut off at byte {at} of {len(content)}"


def _emptied(victim: _Victim) -> str:
    victim.write(b"")
    return "emptied"


def _deleted(victim: _Victim) -> str:
    (victim.store / victim.path).unlink()
    return "deleted"


def _swapped(victim: _Victim) -> str:
    other, content = victim.another(), victim.content
    if other is None:
        return _deleted(victim)
    victim.write((victim.store / other).read_bytes())
    (victim.store / other).write_bytes(content)
    return f"swapped with {other}"


def _replaced(victim: _Victim) -> str:
    other = victim.another()
    if other is None:
        return _deleted(victim)
    victim.write((victim.store / other).read_bytes())
    return f"replaced by {other}"


def _duplicated(victim: _Victim) -> str:
    """The next number is a name beside its own where it has one, else the same with something before."""
    path = victim.path
    name = f"{int(path.stem) + 7}{path.suffix}" if path.stem.isdigit() else f"copy-{path.name}"
    shutil.copyfile(victim.store / path, (victim.store / path).with_name(name))
    return f"duplicated as {name}"


_WAYS: tuple[Callable[[_Victim], str], ...] = (
    _flipped_bit,
    _changed_byte,
    _changed_word,
    _cut,
    _emptied,
    _deleted,
    _swapped,
    _replaced,
    _duplicated,
)


def _other_word(rng: np.random.Generator, value: Any) -> tuple[Any, str]:
    """JSON in which one name or value is another, near the top as likely as deep below; and which."""
    if isinstance(value, dict) and value:
        name = list(value)[rng.integers(len(value))]
        if rng.integers(4) == 0:
            return {f"{key}x" if key == name else key: each for key, each in value.items()}, f"{name} (the name)"
        changed, below = _other_word(rng, value[name])
        return value | {name: changed}, f"{name}.{below}".rstrip(".")
    if isinstance(value, list) and value:
        at = int(rng.integers(len(value)))
        changed, below = _other_word(rng, value[at])
        return [*value[:at], changed, *value[at + 1 :]], f"{at}.{below}".rstrip(".")
    if isinstance(value, bool) or value is None:
        return not value, ""
    return (value + 1 if isinstance(value, int | float) else f"{value or ''}x"), ""
