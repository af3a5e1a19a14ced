"""From a file, a text or a mapping to a validated spec."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from sweepengine.errors import SpecError, about_file
from sweepengine.files import open_plain_text
from sweepengine.spec._fields import RefineSection
from sweepengine.spec._kinds import spec_of
from sweepengine.spec._messages import describe_all
from sweepengine.spec._overrides import blamed, overridden, parse_overrides
from sweepengine.spec._swept import describe_swept
from sweepengine.spec._yaml import LONGEST_TEXT, load_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sweepengine.spec._kinds import AnySpec
    from sweepengine.spec._overrides import Override


def make_spec(content: Mapping[str, Any]) -> AnySpec:
    """Validate a mapping and return its spec, of the kind that the mapping names.

    Raises
    ------
    SpecError
        Something in the mapping is not allowed; the message has one line for each problem.
    """
    model = spec_of(content)
    try:
        validated: Any = model.model_validate(dict(content))
    except ValidationError as error:
        raise SpecError(describe_swept(error, model, content)) from None
    spec: AnySpec = validated
    return spec


def make_refinement(content: Mapping[str, Any]) -> RefineSection:
    """Validate a mapping as the section ``refine`` of a spec. Raises :class:`SpecError` as :func:`make_spec` does."""
    try:
        return RefineSection.model_validate(dict(content))
    except ValidationError as error:
        raise SpecError(describe_all(error.errors(), RefineSection)) from None


def parse_spec(text: str) -> AnySpec:
    """Validate the YAML text of a spec. Raises :class:`SpecError` as :func:`make_spec` does."""
    return make_spec(load_yaml(text))


def read_spec(path: str | Path, overrides: Sequence[str] = ()) -> AnySpec:
    """Read and validate a spec file; the paths in it are relative to the folder of the file.

    Parameters
    ----------
    path : str or Path
    overrides : sequence of str
        Settings in place of those of the file, such as ``"axes.seed=16"``: a dotted path, and a value as YAML. They are
        typed and validated as if they stood in the file, and paths in them are relative to its folder too.

    Raises
    ------
    SpecError
        The file cannot be read or is not a valid spec; the message begins with the file's name. An override is no
        setting, or its value is not allowed; the message names the override.
    """
    settings = parse_overrides(overrides)
    try:
        with open_plain_text(path) as file:
            text = file.read(LONGEST_TEXT + 1)
    except FileNotFoundError as error:
        raise SpecError(f"{path}: there is no such file; name a spec, such as jobs/quickstart.yaml") from error
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: cannot be read as text: {error}; save it as UTF-8") from error
    except OSError as error:
        raise SpecError(f"{path}: cannot be read as text: {error}") from error
    with about_file(path):
        return _overridden_spec(load_yaml(text), settings).located(Path(path).parent)


def _overridden_spec(content: Mapping[str, Any], settings: Sequence[Override]) -> AnySpec:
    """The spec of a mapping with some settings in place of its own; an error says which of them is wrong."""
    content = overridden(content, settings)
    try:
        return make_spec(content)
    except SpecError as error:
        raise SpecError(blamed(str(error), settings)) from None


def as_spec(spec: AnySpec | Mapping[str, Any] | str | Path) -> AnySpec:
    """Return a spec as it is, or make it from a mapping, or read it from a YAML file.

    Raises
    ------
    SpecError
        As for :func:`make_spec` and :func:`read_spec`.
    """
    if isinstance(spec, str | Path):
        return read_spec(spec)
    return make_spec(spec) if isinstance(spec, Mapping) else spec
