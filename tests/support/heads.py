"""A head of Ray of a test's own: its own ports, its own folder, a token that only the test knows, loopback alone."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
_START_SECONDS, _END_SECONDS = 240.0, 15.0
_RAY = "import sys; from ray.scripts.scripts import main; sys.argv[0] = 'ray'; main()"


@dataclass(frozen=True)
class Head:
    """A running head.

    Attributes
    ----------
    url : str
        Address of its dashboard, where the job server is.
    gcs : str
        Address by which programs join it.
    environment : dict
        Variables with which a program may use it.
    process : psutil.Process
        ``ray start --block``, which has started the head's daemons.
    """

    url: str
    gcs: str
    environment: dict[str, str]
    process: psutil.Process

    def lose(self) -> None:
        """SIGKILL all that the head has started, and its tasks with it."""
        family = [self.process, *self.process.children(recursive=True)]
        for each in family:
            each.kill()
        psutil.wait_procs(family, timeout=_END_SECONDS)

    def sweepengine(self, *words: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run the command line in a process of its own; a variable that is changed to nothing is left out."""
        environment = {name: value for name, value in (self.environment | changes).items() if value}
        command = [sys.executable, "-m", "sweepengine", *words]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=300, env=environment, cwd=ROOT
        )


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens at."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def running_head(cpus: int = 2, gcs: int = 0) -> Iterator[Head]:
    """A head with a dashboard, while the context lasts; programs join it at a free port, or at one that is named."""
    # Not below a test's own folder, whose name would be too long for Ray's sockets.
    with tempfile.TemporaryDirectory(prefix="head-", ignore_cleanup_errors=True) as folder:
        yield from _running_head(Path(folder), cpus, gcs)


def _running_head(folder: Path, cpus: int, gcs: int) -> Iterator[Head]:
    free, dashboard, agent, client = free_ports(4)
    gcs = gcs or free
    environment = os.environ | {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # listens at loopback only
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": "0123456789abcdef" * 4,
        # Jobs run the python that is first there.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    options = {
        "node-ip-address": "127.0.0.1",
        "port": gcs,
        "dashboard-host": "127.0.0.1",
        "dashboard-port": dashboard,
        "dashboard-agent-listen-port": agent,
        "ray-client-server-port": client,
        "num-cpus": cpus,
        "object-store-memory": 100 * 2**20,
        "temp-dir": folder,
    }
    words = ["start", "--head", "--block", *(f"--{name}={value}" for name, value in options.items())]
    # The nodes of a cluster do not see this checkout: the code has to travel.
    own = environment | {"PYTHONPATH": ""}
    said = folder / "head.log"
    with said.open("w") as log:
        command = [sys.executable, "-c", _RAY, *words]
        head = subprocess.Popen(command, env=own, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    process = psutil.Process(head.pid)
    try:
        url = f"http://127.0.0.1:{dashboard}"
        _await(url, head, said)
        yield Head(url, f"127.0.0.1:{gcs}", environment, process)
    finally:
        family = process.children(recursive=True) if process.is_running() else []
        head.terminate()
        _, alive = psutil.wait_procs([process, *family], timeout=_END_SECONDS)
        for each in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        head.wait()


def _await(url: str, head: subprocess.Popen[bytes], said: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and head.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/api/version", timeout=5).close()  # noqa: S310 -- of loopback
        except urllib.error.HTTPError as error:
            if error.code == 401:  # it answers, and wants the token
                error.close()
                return
            raise
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"no head answers: {said.read_text()[-2000:]}")
