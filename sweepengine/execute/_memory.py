"""How much memory this process has held, as the operating system counts it."""

from __future__ import annotations

from pathlib import Path

_REFUSED = "can't allocate memory"
"""Of the RuntimeError that PyTorch raises where the host refuses memory."""
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that the device or the host has too little memory left."""
    import torch

    return isinstance(error, MemoryError | torch.OutOfMemoryError) or _REFUSED in str(error)


class PeakMemory:
    """The most resident memory that this process has held since the object was made.

    Linux keeps a high-water mark of resident memory, which a process may reset; on other systems the peak is unknown.
    """

    def __init__(self) -> None:
        try:
            _RESET.write_text("5")  # 5 resets the high-water mark (proc(5))
            self._known = True
        except OSError:
            self._known = False

    def bytes(self) -> int:
        """Return the peak in bytes, or −1 if the system does not tell it."""
        if not self._known:
            return -1
        fields = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
        return 1024 * int(fields["VmHWM"].split()[0])
