"""The commands as the command line has them."""

from __future__ import annotations

from typing import Any

import typer

from sweepengine.cli._every import app


def commands() -> dict[str, Any]:
    """Name → command, whose ``params`` are its options and arguments."""
    group: Any = typer.main.get_command(app)
    return dict(group.commands)
