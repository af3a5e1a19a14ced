"""The packaged jobs: spec files that are installed with the package and called by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sweepengine.errors import SpecError, did_you_mean, shown
from sweepengine.spec._read import make_spec, read_spec
from sweepengine.spec._yaml import load_yaml

if TYPE_CHECKING:
    from sweepengine.spec._kinds import AnySpec

_FOLDER = Path(__file__).parents[1] / "jobs"
_SIZES = _FOLDER / "sizes"


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
        raise SpecError(
            f"{shown(name)} is neither a file nor a packaged job.{did_you_mean(name, names)} Packaged jobs: "
            f"{', '.join(names)}; a file of your own ends in .yaml"
        )
    return _FOLDER / f"{name}.yaml"


def job_spec(name: str, size: Literal["small", "quick", "full"] = "small") -> AnySpec:
    """The spec of a packaged job: as its file has it (small), or with the axes by which claims are decided.

    Parameters
    ----------
    name : str
    size : {"small", "quick", "full"}
        The axes of the job's file; those of ``jobs/sizes/quick.yaml``, for a laptop, where that file has some; or those
        of ``jobs/sizes/full.yaml``, for a cluster.

    Raises
    ------
    SpecError
        There is no job of this name, or the job has no sizes for a cluster.
    """
    path = job_path(name)
    if size == "small":
        return read_spec(path)
    sizes = load_yaml((_SIZES / f"{size}.yaml").read_text(encoding="utf-8"))
    if name not in sizes and size == "full":
        raise SpecError(f"{name}: this job has no sizes for a cluster; add them to jobs/sizes/full.yaml")
    content = load_yaml(path.read_text(encoding="utf-8"))
    return make_spec(content | {"axes": content["axes"] | sizes.get(name, {})}).located(path.parent)


def job_plugin(job: Path) -> Path | None:
    """The plugin file beside a job, which registers the models that the job names; None where there is no such file."""
    plugin = job.with_suffix(".py")
    return plugin if plugin.is_file() else None


def is_job_name(word: str) -> bool:
    """Whether a word can only mean a packaged job: it has no folder and no suffix, and no file has this name."""
    return Path(word).name == word and not Path(word).suffix and not Path(word).exists()
