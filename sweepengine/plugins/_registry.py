"""What users have registered in this process, by kind, name and version."""

from __future__ import annotations

import difflib
import inspect
import re
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from sweepengine.errors import SpecError
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
        Together they are part of the id of every run that uses it.
    content : object
        The declaration with its function.
    fingerprint : str
        SHA-256 of the declaration and the code; see :func:`sweepengine.plugins._fingerprint.fingerprint`.
    plugin : Plugin or None
        The file that registered it; None for what was registered in Python.
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
    """Register something; of several versions of a name the one registered last is the one that a spec means.

    Parameters
    ----------
    kind, name, version : str
    content : object
        A dataclass: the declaration with its functions.
    code : callable
        The user's own among them.

    Raises
    ------
    SpecError
        A name or version that cannot be one; something that is neither a function nor a class; or a name and version
        that stands for other code already.
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
        _REGISTRY.installing.append(entry)  # what else it uses may stand further down in the file


def add(entry: Entry) -> None:
    """Add an entry. Raises :class:`SpecError` if its name and version stands for other code already."""
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
        It is not registered in this process.
    """
    name, _, version = key.partition("@")
    entry = _REGISTRY.entries.get((kind, name), {}).get(version)
    if entry is None:
        raise SpecError(f"{kind} {key} is not registered; did you forget --plugin FILE, or plugins=[…] in Python?")
    return entry


def current(kind: CodeKind) -> dict[str, Entry]:
    """Name → the entry that a spec means by it; in a file that is being executed, what it has registered so far too."""
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
        Nobody has registered it; the message lists what is.
    """
    known = current(kind)
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise SpecError(
        f"{found}, which is not registered (registered: {', '.join(sorted(known)) or 'none'}).{hint} "
        "Did you forget --plugin FILE, or plugins=[…] in Python?"
    )


@contextmanager
def installing(plugin: Plugin) -> Iterator[bool]:
    """What is registered inside belongs to a plugin, all of it or nothing; gives whether it has to be executed still."""
    if plugin.sha256 in _REGISTRY.installed:
        mine = [each for versions in _REGISTRY.entries.values() for each in versions.values() if each.plugin == plugin]
        for entry in mine:
            add(entry)  # named again: what a spec means now
        yield False
        return
    before = {place: dict(versions) for place, versions in _REGISTRY.entries.items()}
    collected: list[Entry] = []
    _REGISTRY.installing = collected
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
        _REGISTRY.installing = None


def _origin(entry: Entry) -> str:
    return f"from {entry.plugin.path}" if entry.plugin else "in Python"
