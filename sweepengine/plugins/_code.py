"""The users' code of one sweep: what travels to the workers, and what provenance keeps of it."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sweepengine.plugins._files import install
from sweepengine.plugins._registry import Entry, add, find

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sweepengine.plugins._plugin import Plugin
    from sweepengine.plugins._registry import CodeKind


@dataclass(frozen=True)
class Used:
    """What provenance keeps of one registered thing: its names and hashes, without its code.

    Attributes
    ----------
    kind, name, version : str
    file : str
        Name of the plugin's file; empty for a thing that was registered in Python.
    sha256 : str
        Hash of the file's text; of a thing that was registered in Python, its fingerprint.
    code : str
        Fingerprint of the code; see :class:`Entry`.
    """

    kind: str
    name: str
    version: str
    file: str
    sha256: str
    code: str

    @classmethod
    def of(cls, entry: Entry) -> Used:
        """Make it from an entry of the registry."""
        file, text = (entry.plugin.name, entry.plugin.sha256) if entry.plugin else ("", entry.fingerprint)
        return cls(entry.kind, entry.name, entry.version, file, text, entry.fingerprint)

    def provenance(self) -> dict[str, str]:
        """The attributes as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class UserCode:
    """The users' code of one sweep: plugin files as text, and things that were registered in Python as objects.

    Attributes
    ----------
    plugins : tuple of Plugin
    entries : tuple of Entry
        The things that were registered in Python. Ray serialises their functions for its tasks; they are never stored.
    used : tuple of Used
        Every registered thing that the sweep uses.
    """

    plugins: tuple[Plugin, ...] = ()
    entries: tuple[Entry, ...] = ()
    used: tuple[Used, ...] = ()

    @classmethod
    def of(cls, observables: Iterable[str], parts: Iterable[tuple[CodeKind, str]] = ()) -> UserCode:
        """The users' code that a sweep uses.

        Parameters
        ----------
        observables : iterable of str
            Names of the sweep's observables; those of the form ``name@version`` are users'.
        parts : iterable of (kind, ``name@version``)
            The other things of users that the sweep uses, such as models and terms.

        Raises
        ------
        SpecError
            A thing is not registered in this process.
        """
        wanted: list[tuple[CodeKind, str]] = [("observable", key) for key in observables if "@" in key]
        entries = [find(kind, key) for kind, key in dict.fromkeys([*wanted, *parts])]
        plugins = {entry.plugin.sha256: entry.plugin for entry in entries if entry.plugin}
        return cls(
            tuple(plugins.values()),
            tuple(entry for entry in entries if entry.plugin is None),
            tuple(Used.of(entry) for entry in entries),
        )

    def install(self) -> None:
        """Register the code in this process; plugin files that it has executed already are not executed again."""
        for plugin in self.plugins:
            install(plugin)
        for entry in self.entries:
            add(entry)

    def tag(self) -> str:
        """Text by which a state names the code that made it: the version of Python, and the fingerprints."""
        return json.dumps({"python": platform.python_version(), "code": sorted(used.code for used in self.used)})

    def has_made(self, tag: str) -> bool:
        """Whether this code has made the state that has a tag.

        True also for a tag of another version of Python, because its fingerprints cannot be compared with ours.
        """
        ours, theirs = json.loads(self.tag()), json.loads(tag)
        return bool(ours["python"] != theirs["python"] or ours["code"] == theirs["code"])

    def provenance(self) -> list[dict[str, str]]:
        """What provenance keeps of every thing that is used, as plain values; see :class:`Used`."""
        return [used.provenance() for used in self.used]
