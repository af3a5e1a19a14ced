"""Keys of S3 from the files that the AWS tools share; obstore itself reads the environment and the machine's role."""

from __future__ import annotations

import configparser
from pathlib import Path
from typing import TYPE_CHECKING

from sweepengine.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILES = {"AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials", "AWS_CONFIG_FILE": "~/.aws/config"}
"""Environment variable → where the file lies if the variable is not set."""
_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_PLACES = {"region": ("AWS_REGION", "AWS_DEFAULT_REGION"), "endpoint_url": ("AWS_ENDPOINT_URL", "AWS_ENDPOINT")}
"""Setting of a file → environment variables that come before it."""


def shared_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Settings of S3 that the shared files have and the environment has not.

    Parameters
    ----------
    environment : mapping
        Environment variables; ``AWS_PROFILE`` names the section, else it is ``default``.

    Returns
    -------
    dict of str
        As obstore's ``config`` takes them; without keys where the environment has its own.

    Raises
    ------
    StoreError
        A file is there and cannot be understood, or lacks the profile that the environment names.
    """
    profile = environment.get("AWS_PROFILE", "default")
    found: dict[str, str] = {}
    for variable, usual in _FILES.items():
        found |= _section(Path(environment.get(variable, usual)).expanduser(), profile)
    if "AWS_PROFILE" in environment and not found:
        raise StoreError(f"store: AWS_PROFILE is {profile!r}, and neither ~/.aws/credentials nor ~/.aws/config has it")
    settings = {name: found[name] for name in _KEYS if name in found and "AWS_ACCESS_KEY_ID" not in environment}
    for name, variables in _PLACES.items():
        if name in found and not any(variable in environment for variable in variables):
            settings[f"aws_{name}"] = found[name]
    return settings


def _section(path: Path, profile: str) -> dict[str, str]:
    """A profile of a file; the file of settings writes ``profile NAME`` for all but the default."""
    files = configparser.RawConfigParser()
    try:
        files.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError, OSError) as error:
        raise StoreError(f"store: {path} cannot be read: {' '.join(str(error).split())}") from error
    for name in (profile, f"profile {profile}"):
        if files.has_section(name):
            return dict(files.items(name))
    return {}
