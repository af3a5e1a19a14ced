"""The user code of one sweep: what travels to the workers, and what provenance keeps of it."""

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
    """One registered thing, without its code.

    Attributes
    ----------
    kind, name, version : str
    file : str
        Name of the plugin's file; empty for what was registered in Python.
    sha256 : str
        Of the file's text, or of the function's code.
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
        """From an entry."""
        file, text = (entry.plugin.name, entry.plugin.sha256) if entry.plugin else ("", entry.fingerprint)
        return cls(entry.kind, entry.name, entry.version, file, text, entry.fingerprint)

    def provenance(self) -> dict[str, str]:
        """As plain values."""
        return asdict(self)


@dataclass(frozen=True)
class UserCode:
    """Plugin files as text, and what was registered in Python as it is.

    Attributes
    ----------
    plugins : tuple of Plugin
    entries : tuple of Entry
        Functions among them: Ray serialises those for its own tasks; they are never stored.
    used : tuple of Used
        All that the sweep uses.
    """

    plugins: tuple[Plugin, ...] = ()
    entries: tuple[Entry, ...] = ()
    used: tuple[Used, ...] = ()

    @classmethod
    def of(cls, observables: Iterable[str], parts: Iterable[tuple[CodeKind, str]] = ()) -> UserCode:
        """The code behind the observables of a sweep that are ``name@version``, and behind its other parts.

        Raises
        ------
        SpecError
            One is not registered.
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
        """Make this process know it; what it knows already is left alone."""
        for plugin in self.plugins:
            install(plugin)
        for entry in self.entries:
            add(entry)

    def tag(self) -> str:
        """What a state keeps of the code that made it."""
        return json.dumps({"python": platform.python_version(), "code": sorted(each.code for each in self.used)})

    def has_made(self, tag: str) -> bool:
        """Whether a state of this tag comes from this code; fingerprints can be compared for one version of Python."""
        ours, theirs = json.loads(self.tag()), json.loads(tag)
        return bool(ours["python"] != theirs["python"] or ours["code"] == theirs["code"])

    def provenance(self) -> list[dict[str, str]]:
        """Plain values: each thing that is used, where it came from, and the hash of that file or function."""
        return [each.provenance() for each in self.used]
