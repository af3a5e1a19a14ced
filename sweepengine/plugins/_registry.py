"""What users have registered in this process, by kind, name and version."""

from __future__ import annotations

import hashlib
import inspect
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sweepengine.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType

    from sweepengine.plugins._files import Plugin

Kind = Literal["observable", "model"]


@dataclass(frozen=True)
class Entry:
    """One registered thing.

    Attributes
    ----------
    kind : str
    name, version : str
        Together they are part of the id of every run that uses it.
    content : object
        The declaration with its function.
    fingerprint : str
        SHA-256 of the code: of the plugin's file without comments and layout, or of the function's own bytecode and its
        declaration. The same on one version of Python.
    plugin : Plugin or None
        The file that registered it; None for what was registered in Python.
    """

    kind: Kind
    name: str
    version: str
    content: Any
    fingerprint: str
    plugin: Plugin | None

    @property
    def key(self) -> str:
        """``name@version``, as runs name it."""
        return f"{self.name}@{self.version}"


class _Registry:
    """Entries by kind and name; for each name its versions, the one registered last at the end."""

    def __init__(self) -> None:
        self.entries: dict[tuple[Kind, str], dict[str, Entry]] = {}
        self.installing: Plugin | None = None
        self.installed: set[str] = set()


_REGISTRY = _Registry()


def make_entry(kind: Kind, name: str, version: str, content: object, code: Callable[..., Any]) -> Entry:
    """An entry that belongs to the plugin being installed, or to nobody.

    Raises
    ------
    SpecError
        A name or version that cannot be one, or something that is neither a function nor a class.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise SpecError(
            f"{kind}: found the name {name!r}; a name is made of small letters, digits and '_' and begins with a letter"
        )
    if not isinstance(version, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", version):
        raise SpecError(f"{kind} {name}: found the version {version!r}; expected text such as '1' or '2.1-beta'")
    if not (inspect.isfunction(code) or inspect.isclass(code)):
        raise SpecError(f"{kind} {name}: found {code!r}; register a function or a class")
    plugin = _REGISTRY.installing
    text = repr([(field, _code_text(value)) for field, value in vars(content).items()])
    fingerprint = plugin.code if plugin else hashlib.sha256(text.encode()).hexdigest()
    return Entry(kind, name, version, content, fingerprint, plugin)


def register(entry: Entry) -> None:
    """Add an entry; of several versions of a name the one registered last is the one that a spec means.

    Raises
    ------
    SpecError
        The same name and version stands for other code already.
    """
    versions = _REGISTRY.entries.setdefault((entry.kind, entry.name), {})
    known = versions.pop(entry.version, None)
    if known is not None and known.fingerprint != entry.fingerprint:
        versions[entry.version] = known
        raise SpecError(
            f"{entry.kind} {entry.name}: version {entry.version!r} is registered already, with other code "
            f"({_origin(known)}); give the changed one another version, because the version is what tells runs apart"
        )
    versions[entry.version] = entry


def find(kind: Kind, key: str) -> Entry:
    """The entry of a ``name@version``.

    Raises
    ------
    SpecError
        It is not registered in this process.
    """
    name, _, version = key.partition("@")
    entry = _REGISTRY.entries.get((kind, name), {}).get(version)
    if entry is None:
        raise SpecError(f"{kind} {key} is not registered; did you forget --plugin FILE, or plugins=[…] in Python?")
    return entry


def current(kind: Kind) -> dict[str, Entry]:
    """Name → the entry that a spec means by it."""
    return {name: list(versions.values())[-1] for (each, name), versions in _REGISTRY.entries.items() if each == kind and versions}


@contextmanager
def installing(plugin: Plugin) -> Iterator[bool]:
    """What is registered inside belongs to a plugin, all of it or nothing; gives whether it has to be executed still."""
    if plugin.sha256 in _REGISTRY.installed:
        for versions in _REGISTRY.entries.values():
            for version in [each for each, entry in versions.items() if entry.plugin == plugin]:
                versions[version] = versions.pop(version)  # named again: what a spec means now
        yield False
        return
    before = {place: dict(versions) for place, versions in _REGISTRY.entries.items()}
    outer, _REGISTRY.installing = _REGISTRY.installing, plugin
    try:
        yield True
        _REGISTRY.installed.add(plugin.sha256)
    except BaseException:
        _REGISTRY.entries = before
        raise
    finally:
        _REGISTRY.installing = outer


def _origin(entry: Entry) -> str:
    return f"from {entry.plugin.path}" if entry.plugin else "in Python"


def _code_text(thing: object, seen: tuple[object, ...] = ()) -> str:
    """What a value, a function or a class is, as text that comments and the place in a file do not change."""
    if any(thing is each for each in seen):
        return "itself"
    seen = (*seen, thing)
    if isinstance(thing, (staticmethod, classmethod)):
        return _code_text(thing.__func__, seen)
    if isinstance(thing, property):
        return "".join(_code_text(each, seen) for each in (thing.fget, thing.fset) if each)
    if inspect.isfunction(thing):
        cells = [_code_text(cell.cell_contents, seen) for cell in thing.__closure__ or ()]
        return f"{_bytecode_text(thing.__code__)}{thing.__defaults__!r}{thing.__kwdefaults__!r}{cells}"
    if inspect.isclass(thing):
        members = {name: value for name, value in vars(thing).items() if name not in _INCIDENTAL}
        bases = [base.__qualname__ for base in thing.__bases__]
        return f"{bases}{[(name, _code_text(value, seen)) for name, value in sorted(members.items())]}"
    return repr(thing)


_INCIDENTAL = frozenset({"__dict__", "__weakref__", "__module__", "__doc__", "__firstlineno__", "__static_attributes__"})
"""Attributes of a class that say nothing of what it does."""


def _bytecode_text(code: CodeType) -> str:
    constants = [_bytecode_text(each) if inspect.iscode(each) else repr(each) for each in code.co_consts]
    return f"{code.co_code.hex()}{constants}{code.co_names}{code.co_varnames}"
