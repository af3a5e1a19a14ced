"""What travels to a cluster: this package as it is installed here, a spec, the files that it names, and plugins."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import sweepengine
from sweepengine.errors import DataError, SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sweepengine.spec import AnySpec

SPEC_NAME = "spec.yaml"
_PACKAGE = "sweepengine"


@dataclass(frozen=True)
class Parcel:
    """A folder that is sent to a cluster, where it is the working directory of the driver and of all workers.

    Attributes
    ----------
    folder : Path
        The folder on this machine.
    words : tuple of str
        Words of the command line that name the spec and the plugins in it.
    digest : str
        SHA-256 of what the sweep is made of: all files but the package itself.
    """

    folder: Path
    words: tuple[str, ...]
    digest: str


def pack(spec: AnySpec, plugins: Sequence[str | Path], folder: Path) -> Parcel:
    """Put all that a sweep needs into an empty folder.

    Parameters
    ----------
    spec : spec of any kind
        A spec whose paths can be opened from here, as :func:`sweepengine.spec.read_spec` returns it.
    plugins : sequence of str or Path
        The plugin files that the user has named.
    folder : Path

    Raises
    ------
    DataError
        A file that the spec names cannot be read.
    SpecError
        A plugin file cannot be read.
    """
    pack_package(folder)
    moved, sources = _moved(spec)
    places = dict(sources)
    words = [SPEC_NAME]
    for number, plugin in enumerate(plugins):
        place = f"plugins/{number}/{Path(plugin).name}"
        places[place] = Path(plugin)
        words += ["--plugin", place]
    text = json.dumps(moved.to_json(), indent=2, ensure_ascii=False).encode()  # JSON is YAML
    (folder / SPEC_NAME).write_bytes(text)
    digest = hashlib.sha256(text)
    for place, source in places.items():
        try:
            content = source.read_bytes()
        except OSError as error:
            kind = SpecError if place.startswith("plugins/") else DataError
            raise kind(f"{source}: cannot be read, and has to travel to the cluster: {error}") from error
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        digest.update(f"\n{place} {hashlib.sha256(content).hexdigest()}".encode())
    return Parcel(folder, tuple(words), digest.hexdigest())


def pack_package(folder: Path) -> None:
    """Put this package into a folder, with the files that its links lead to."""
    here = Path(sweepengine.__file__).parent
    shutil.copytree(here, folder / _PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))


def _moved(spec: AnySpec) -> tuple[AnySpec, dict[str, Path]]:
    """A copy of a spec whose files lie in the parcel, and those files by their places there."""
    sources: dict[str, Path] = {}

    class Files(PurePosixPath):
        """A folder that takes in every file which is looked for in it."""

        def __truediv__(self, name: str | PurePosixPath) -> PurePosixPath:  # type: ignore[override]
            place = f"files/{len(sources)}/{Path(name).name}"
            sources[place] = Path(name)
            return PurePosixPath(place)

    folder: Any = Files()
    return spec.located(folder), sources
