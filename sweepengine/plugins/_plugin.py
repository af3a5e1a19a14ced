"""Plugin files, as the text that was read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sweepengine.errors import SpecError
from sweepengine.files import open_plain_text

_LARGEST_FILE = 1_000_000


@dataclass(frozen=True)
class Plugin:
    """A file of users' code.

    Attributes
    ----------
    path : str
        As the user gave it, for messages.
    text : str
    """

    path: str
    text: str

    @cached_property
    def sha256(self) -> str:
        """Hash of the text, which provenance keeps."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return Path(self.path).name


def read_plugin(path: str | Path) -> Plugin:
    """Read a file of users' code; nothing is executed yet.

    Raises
    ------
    SpecError
        The file cannot be read as text.
    """
    try:
        with open_plain_text(path) as file:
            text = file.read(_LARGEST_FILE + 1)
    except FileNotFoundError as error:
        raise SpecError(f"plugin: there is no file {path}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"plugin: {path} cannot be read as text: {error}") from error
    if len(text) > _LARGEST_FILE:
        raise SpecError(f"plugin: {path} is longer than {_LARGEST_FILE} characters; it travels with every task")
    return Plugin(str(path), text)
