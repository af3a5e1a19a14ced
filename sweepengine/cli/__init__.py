"""The command line. It has no logic of its own, and its commands import what they need when they run."""

from sweepengine.cli._main import main as main
