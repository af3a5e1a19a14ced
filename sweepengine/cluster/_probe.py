"""What a machine says of itself. Ray sends this module to nodes as it is, so it imports the package only inside."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from typing import TypedDict

PACKAGES = ("torch", "ray", "zarr", "numpy")
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 -- where Ray keeps its objects on Linux
_NVIDIA_SECONDS = 20


class Facts(TypedDict):
    """Plain values, because they travel between machines that may have different versions.

    ``gpus`` is what the driver of the GPUs lists; ``cuda`` the CUDA version for which PyTorch was built, empty for a
    CPU build. Sizes are bytes; ``shm_free`` is -1 where there is no such folder. ``store`` says what is wrong with the
    store; it is empty where it works or was not asked for.
    """

    host: str
    python: str
    executable: str
    versions: dict[str, str]
    cpus: int
    disk: str
    disk_free: int
    shm_free: int
    gpus: int
    cuda: str
    store: str


def probe(store: str = "", token: str = "") -> Facts:
    """Look at this machine.

    Parameters
    ----------
    store : str
        Address of a store in which to write, read and delete an object; empty for none.
    token : str
        A token that another machine has put into that store, which this one should see; empty for none.
    """
    folder = tempfile.gettempdir()
    return Facts(
        host=platform.node(),
        python=platform.python_version(),
        executable=sys.executable,
        versions={"sweepengine": _own_version()} | {name: _version(name) for name in PACKAGES},
        cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        disk=folder,
        disk_free=shutil.disk_usage(folder).free,
        shm_free=shutil.disk_usage(_SHARED_MEMORY).free if os.path.isdir(_SHARED_MEMORY) else -1,
        gpus=_gpus(),
        cuda=_cuda(),
        store=try_store(store, token) if store else "",
    )


def clock() -> float:
    """Seconds since 1970 by this machine's clock."""
    return time.time()


def try_store(address: str, token: str = "") -> str:
    """Write an object to a store, read it and delete it; return what is wrong, empty if nothing is."""
    try:
        from sweepengine.store import delete_token, open_address, read_token, write_token

        store = open_address(address, read_only=False)
        own = write_token(store)
        try:
            if not read_token(address, own):
                return "what was written there is not read"
        finally:
            delete_token(store, own)
        if read_token(address, own):
            return "what was deleted there is still read"
        if token and not read_token(address, token):
            return "it is not the same place as on the machine of the driver"
    except Exception as error:  # noqa: BLE001 -- whatever it is, the user has to hear it
        return " ".join(f"{type(error).__name__}: {error}".split())
    return ""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _own_version() -> str:
    try:
        import sweepengine
    except ImportError:
        return ""
    return sweepengine.__version__


def _cuda() -> str:
    try:
        import torch
    except (ImportError, OSError):  # OSError: a build for other libraries than this machine has
        return ""
    return torch.version.cuda or ""


def _gpus() -> int:
    command = shutil.which("nvidia-smi")
    if command is None:
        return 0
    try:
        listed = subprocess.run(  # noqa: S603 -- the driver's own program, without arguments of anybody's
            [command, "--list-gpus"], capture_output=True, text=True, timeout=_NVIDIA_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
