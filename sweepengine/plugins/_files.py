"""Execute plugin files: each once in a process, from the text that the driver has read."""

from __future__ import annotations

import linecache
import sys
import traceback
from types import ModuleType
from typing import TYPE_CHECKING

from sweepengine.errors import Interrupted, SpecError
from sweepengine.plugins._registry import installing

if TYPE_CHECKING:
    from sweepengine.plugins._plugin import Plugin


def install(plugin: Plugin) -> None:
    """Execute a plugin file, unless this process has done so. Its top level registers observables, models and others.

    Raises
    ------
    SpecError
        The plugin raised an error; the message has file, line and error. Nothing of the plugin stays registered.
    """
    with installing(plugin) as wanted:
        if wanted:
            _execute(plugin)


def _execute(plugin: Plugin) -> None:
    name = f"sweepengine_plugin_{plugin.sha256[:16]}"
    module = ModuleType(name)
    module.__file__ = plugin.path
    # So that tracebacks show the text that was executed, on workers too, where there is no such file.
    linecache.cache[plugin.path] = (len(plugin.text), None, plugin.text.splitlines(keepends=True), plugin.path)
    sys.modules[name] = module  # dataclasses and annotations look up their module
    try:
        exec(compile(plugin.text, plugin.path, "exec"), module.__dict__)  # noqa: S102 -- the user named the file
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, Interrupted):
            raise
        raise SpecError(f"plugin: {_place(plugin, error)}: {type(error).__name__}: {_said(error)}") from error


def _place(plugin: Plugin, error: BaseException) -> str:
    """File and line of the last frame that is in the plugin itself."""
    if isinstance(error, SyntaxError) and error.filename == plugin.path:
        return f"{plugin.path}, line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == plugin.path]
    return f"{plugin.path}, line {lines[-1]}" if lines else plugin.path


def _said(error: BaseException) -> str:
    return error.msg if isinstance(error, SyntaxError) else str(error)
