"""The user code of one sweep: what travels to the workers, and what provenance keeps of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweepengine.plugins._files import Plugin, install
from sweepengine.plugins._registry import Entry, find, register

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sweepengine.plugins._registry import Kind


@dataclass(frozen=True)
class UserCode:
    """Plugin files as text, and what was registered in Python as it is.

    Attributes
    ----------
    plugins : tuple of Plugin
    entries : tuple of Entry
        Functions among them: Ray serialises those for its own tasks; they are never stored.
    registered : tuple of (kind, key, sha256)
        All that the sweep uses, for provenance.
    """

    plugins: tuple[Plugin, ...] = ()
    entries: tuple[Entry, ...] = ()
    registered: tuple[tuple[str, str, str], ...] = ()

    @classmethod
    def of(cls, used: Iterable[tuple[Kind, str]]) -> UserCode:
        """The code behind some ``name@version``. Raises :class:`SpecError` if one is not registered."""
        entries = [find(kind, key) for kind, key in used]
        plugins = {entry.plugin.sha256: entry.plugin for entry in entries if entry.plugin}
        return cls(
            tuple(plugins.values()),
            tuple(entry for entry in entries if entry.plugin is None),
            tuple((entry.kind, entry.key, entry.fingerprint) for entry in entries),
        )

    def install(self) -> None:
        """Make this process know it; what it knows already is left alone."""
        for plugin in self.plugins:
            install(plugin)
        for entry in self.entries:
            register(entry)

    def provenance(self) -> list[dict[str, Any]]:
        """Plain values: what is used, and the hash of the file or function that it came from."""
        files = {plugin.sha256: plugin.name for plugin in self.plugins}
        return [
            {kind: key, "sha256": sha256, "file": files.get(sha256, "registered in Python")}
            for kind, key, sha256 in self.registered
        ]
