"""How often a task tells its driver something."""

from __future__ import annotations

EVENT_SECONDS = 0.5
BEATS = 4
"""Signs of life that a task gives within a run's timeout."""


def pace(timeout: float | None) -> float:
    """Seconds between two events of a task."""
    return EVENT_SECONDS if timeout is None else min(EVENT_SECONDS, timeout / BEATS)
