"""How much memory a piece of work took, as the operating system counts it."""

from __future__ import annotations

from pathlib import Path

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """The most memory that this process has held since this was made, beyond what it held then.

    Linux keeps a high-water mark of resident memory that a process may reset; elsewhere nothing is known.
    """

    def __init__(self) -> None:
        self._before: int | None = None
        try:
            _RESET.write_text("5")  # 5 resets the high-water mark (proc(5))
            self._before = _resident("VmRSS")
        except OSError:
            return

    def bytes(self) -> int:
        """Bytes; −1 where the system does not tell."""
        return -1 if self._before is None else max(0, _resident("VmHWM") - self._before)


def _resident(field: str) -> int:
    for line in _STATUS.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return 1024 * int(value.split()[0])
    raise OSError(f"{_STATUS} has no {field}")
