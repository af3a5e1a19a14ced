"""The sweep that the words of a command name: its spec, with what stands in place of the file's own, and its store."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sweepengine.spec import AnySpec


@dataclass(frozen=True)
class Sweep:
    """A sweep as a user names it on the command line.

    Attributes
    ----------
    word : str
        A spec file, or the name of a packaged job.
    overrides : sequence of str
        Settings in place of the file's own: ``axes.seed=16``.
    plugins : sequence of str
        Files that register what the spec names.
    store, store_dir : str or None
        Address of the store, or the folder that holds it.
    """

    word: str
    overrides: Sequence[str] = ()
    plugins: Sequence[str] = ()
    store: str | None = None
    store_dir: str | None = None

    @cached_property
    def file(self) -> str | Path:
        """The spec file: what the word names, or the file of a packaged job."""
        from sweepengine.spec import is_job_name, job_path

        return job_path(self.word) if is_job_name(self.word) else self.word

    def spec(self) -> AnySpec:
        """Read the spec; print a packaged job's file, and the plugin that the user has to name.

        The plugins that the user has named are executed first, because a plugin may register the kind of the spec.
        """
        from sweepengine.spec import job_plugin, read_spec

        install_plugins(self.plugins)
        if isinstance(self.file, Path):
            plugin = job_plugin(self.file)
            needs = f"; it needs --plugin {plugin}" if plugin else ""
            Console(stderr=True).print(f"job:    {self.file}{needs}", markup=False, highlight=False, soft_wrap=True)
        return read_spec(self.file, self.overrides)

    def address(self, spec: AnySpec) -> str | Path:
        """Where the store of the spec is."""
        from sweepengine.execute import store_address

        return store_address(spec, self.store, self.store_dir)


def install_plugins(paths: Sequence[str]) -> None:
    """Execute the plugins that the user has named."""
    from sweepengine.plugins import install, read_plugin

    for path in paths:
        install(read_plugin(path))
