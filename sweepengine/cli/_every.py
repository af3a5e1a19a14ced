"""All commands: each module of commands adds its own to the app."""

from sweepengine.cli import _clusters  # noqa: F401 -- adds its commands
from sweepengine.cli._app import app

__all__ = ["app"]
