"""Plugin files: read as text, executed once in a process, sent to workers as the text that was read."""

from __future__ import annotations

import hashlib
import linecache
import sys
import traceback
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType

from sweepengine.errors import Interrupted, SpecError
from sweepengine.files import open_plain_text
from sweepengine.plugins._registry import installing

_LARGEST_FILE = 1_000_000


@dataclass(frozen=True)
class Plugin:
    """A file of user code.

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
        """Hash of the text; what provenance keeps."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return Path(self.path).name


def read_plugin(path: str | Path) -> Plugin:
    """Read a file of user code; nothing is executed yet.

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


def install(plugin: Plugin) -> None:
    """Execute a plugin, unless this process has done so: its top level registers observables and models.

    Raises
    ------
    SpecError
        It raised; the message has file, line and error. Nothing of it stays registered.
    """
    with installing(plugin) as wanted:
        if wanted:
            _execute(plugin)


def _execute(plugin: Plugin) -> None:
    name = f"sweepengine_plugin_{plugin.sha256[:16]}"
    module = ModuleType(name)
    module.__file__ = plugin.path
    # Tracebacks show the text that was executed, on workers too, where there is no such file.
    linecache.cache[plugin.path] = (len(plugin.text), None, plugin.text.splitlines(keepends=True), plugin.path)
    sys.modules[name] = module  # dataclasses and annotations look their module up
    try:
        exec(compile(plugin.text, plugin.path, "exec"), module.__dict__)  # noqa: S102 -- the user named the file
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, Interrupted):
            raise
        raise SpecError(f"plugin: {_place(plugin, error)}: {type(error).__name__}: {_said(error)}") from error


def _place(plugin: Plugin, error: BaseException) -> str:
    """File and line of the plugin's own last frame."""
    if isinstance(error, SyntaxError) and error.filename == plugin.path:
        return f"{plugin.path}, line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == plugin.path]
    return f"{plugin.path}, line {lines[-1]}" if lines else plugin.path


def _said(error: BaseException) -> str:
    return error.msg if isinstance(error, SyntaxError) else str(error)
