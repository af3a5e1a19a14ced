"""Progress that keeps what is said."""

from __future__ import annotations

from typing import Any


class Said:
    """What a sweep says, line by line; it shows nothing."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def start(self, runs: int, records: int, packs: int, seconds: float) -> None: ...

    def update(self, event: Any) -> None: ...

    def pack_finished(self) -> None: ...

    def stop(self) -> None: ...

    def say(self, message: str) -> None:
        self.lines.append(message)
