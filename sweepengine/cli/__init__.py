"""The command line: thin, no logic of its own; commands import what they need when they run."""

from sweepengine.cli._main import main as main

__all__ = ["main"]
