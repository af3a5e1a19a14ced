"""How much memory this process has held, as the operating system counts it."""

from __future__ import annotations

from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

_REFUSED = "can't allocate memory"
"""Of the RuntimeError that PyTorch raises where the host refuses memory."""
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_PEAK = b"VmHWM:"


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that the device or the host has too little memory left."""
    import torch

    return isinstance(error, MemoryError | torch.OutOfMemoryError) or _REFUSED in str(error)


class PeakMemory:
    """The most resident memory that this process has held since the object was made.

    Linux keeps a high-water mark of resident memory, which a process may reset; on other systems the peak is unknown.
    Use it as a context manager, which closes the file that Linux has for it.
    """

    def __init__(self) -> None:
        self._status: FileIO | None = None
        try:
            _RESET.write_text("5")  # 5 resets the high-water mark (proc(5))
            self._status = FileIO(_STATUS)
        except OSError:
            pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._status is not None:
            self._status.close()

    def bytes(self) -> int:
        """Return the peak in bytes, or −1 if the system does not tell it."""
        if self._status is None:
            return -1
        self._status.seek(0)
        _, _, rest = self._status.readall().partition(_PEAK)
        return 1024 * int(rest.split(maxsplit=1)[0])
