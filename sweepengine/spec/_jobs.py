"""The packaged jobs: spec files that are installed with the package and called by name."""

from __future__ import annotations

import difflib
from pathlib import Path

from sweepengine.errors import SpecError, shown

_FOLDER = Path(__file__).parents[1] / "jobs"


def job_names() -> list[str]:
    """Names of the packaged jobs, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def job_path(name: str) -> Path:
    """The file of a packaged job.

    Raises
    ------
    SpecError
        There is no job of this name; the message lists the names of all jobs.
    """
    names = job_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise SpecError(
            f"{shown(name)} is neither a file nor a packaged job.{hint} Packaged jobs: {', '.join(names)}; "
            "a file of your own ends in .yaml"
        )
    return _FOLDER / f"{name}.yaml"


def job_plugin(job: Path) -> Path | None:
    """The plugin file beside a job, which registers the models that the job names; None where there is no such file."""
    plugin = job.with_suffix(".py")
    return plugin if plugin.is_file() else None


def is_job_name(word: str) -> bool:
    """Whether a word can only mean a packaged job: it has no folder and no suffix, and no file has this name."""
    return Path(word).name == word and not Path(word).suffix and not Path(word).exists()
