"""The registry: what users have registered in this process, by kind, name and version."""

from __future__ import annotations

import inspect
import re
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from sweepengine.errors import SpecError, did_you_mean
from sweepengine.plugins._fingerprint import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sweepengine.plugins._plugin import Plugin

CodeKind = Literal["observable", "model", "potential", "kernel", "unit", "kind"]


@dataclass(frozen=True)
class Entry:
    """One registered thing.

    Attributes
    ----------
    kind : str
    name, version : str
        Together they are part of the id of every run that uses the thing.
    content : object
        The declaration with its function.
    fingerprint : str
        SHA-256 of the declaration and the code; see :func:`sweepengine.plugins._fingerprint.fingerprint`.
    plugin : Plugin or None
        The file that registered the thing; None if it was registered in Python.
    """

    kind: CodeKind
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
        self.entries: dict[tuple[CodeKind, str], dict[str, Entry]] = {}
        self.installed: set[str] = set()
        self.installing: list[Entry] | None = None


_REGISTRY = _Registry()


def register(kind: CodeKind, name: str, version: str, content: object, code: Callable[..., Any]) -> None:
    """Register a thing. If a name has several versions, a spec means the version that was registered last.

    Parameters
    ----------
    kind, name, version : str
    content : object
        A dataclass: the declaration with its functions.
    code : callable
        The user's function or class among them.

    Raises
    ------
    SpecError
        The name or the version is not allowed; ``code`` is neither a function nor a class; or the name and version
        stand for other code already.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise SpecError(
            f"{kind}: found the name {name!r}; a name is made of small letters, digits and '_' and begins with a letter"
        )
    if not isinstance(version, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", version):
        raise SpecError(f"{kind} {name}: found the version {version!r}; expected text such as '1' or '2.1-beta'")
    if not (inspect.isfunction(code) or inspect.isclass(code)):
        raise SpecError(f"{kind} {name}: found {code!r}; register a function or a class")
    entry = Entry(kind, name, version, content, "", None)
    if _REGISTRY.installing is None:
        add(replace(entry, fingerprint=fingerprint(content)))
    else:
        _REGISTRY.installing.append(entry)  # no fingerprint yet: helpers may stand further down in the file


def add(entry: Entry) -> None:
    """Add an entry. Raises :class:`SpecError` if its name and version stand for other code already."""
    versions = _REGISTRY.entries.setdefault((entry.kind, entry.name), {})
    known = versions.get(entry.version)
    if known is not None and known.fingerprint != entry.fingerprint:
        where = f"plugin: {entry.plugin.path}: " if entry.plugin else ""
        raise SpecError(
            f"{where}{entry.kind} {entry.name}: version {entry.version!r} is registered already, with other code "
            f"({_origin(known)}); give the changed one another version, because the version is what tells runs apart"
        )
    versions.pop(entry.version, None)
    versions[entry.version] = entry


def find(kind: CodeKind, key: str) -> Entry:
    """The entry of a ``name@version``.

    Raises
    ------
    SpecError
        The thing is not registered in this process.
    """
    name, _, version = key.partition("@")
    entry = _REGISTRY.entries.get((kind, name), {}).get(version)
    if entry is None:
        raise SpecError(f"{kind} {key} is not registered; did you forget --plugin FILE, or plugins=[…] in Python?")
    return entry


def current(kind: CodeKind) -> dict[str, Entry]:
    """Name → the entry that a spec means by it, with what a plugin that is being executed has registered so far."""
    named = ((name, versions) for (each, name), versions in _REGISTRY.entries.items() if each == kind)
    known = {name: list(versions.values())[-1] for name, versions in named if versions}
    return known | {each.name: each for each in _REGISTRY.installing or () if each.kind == kind}


def meant(kind: CodeKind, name: str, found: str) -> Entry:
    """The entry that a spec means by a name.

    Parameters
    ----------
    kind, name : str
    found : str
        How the message begins: the spec's field, and what it holds.

    Raises
    ------
    SpecError
        Nothing of this name is registered; the message lists the names that are.
    """
    known = current(kind)
    if name in known:
        return known[name]
    raise SpecError(
        f"{found}, which is not registered (registered: {', '.join(sorted(known)) or 'none'})."
        f"{did_you_mean(name, known)} Did you forget --plugin FILE, or plugins=[…] in Python?"
    )


@contextmanager
def installing(plugin: Plugin) -> Iterator[bool]:
    """Context within which a plugin registers: all of its things are registered, or none.

    Yields whether the plugin has to be executed; False if this process has executed it already.
    """
    if plugin.sha256 in _REGISTRY.installed:
        mine = [each for versions in _REGISTRY.entries.values() for each in versions.values()]
        for entry in (each for each in mine if each.plugin is not None and each.plugin.sha256 == plugin.sha256):
            add(entry)  # so that these are the versions registered last, which a spec means
        yield False
        return
    before = {place: dict(versions) for place, versions in _REGISTRY.entries.items()}
    collected: list[Entry] = []
    outer, _REGISTRY.installing = _REGISTRY.installing, collected  # a plugin may install another
    try:
        yield True
        for entry in collected:
            code = fingerprint(entry.content, with_helpers=True)
            add(replace(entry, fingerprint=code, plugin=plugin))
        _REGISTRY.installed.add(plugin.sha256)
    except BaseException:
        _REGISTRY.entries = before
        raise
    finally:
        _REGISTRY.installing = outer


def _origin(entry: Entry) -> str:
    return f"from {entry.plugin.path}" if entry.plugin else "in Python"
