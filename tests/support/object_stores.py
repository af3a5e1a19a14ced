"""A real S3 server for tests (moto's, in a process of its own), and a proxy that counts, delays, refuses and cuts."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVER = Path(__file__).parents[2] / ".s3-server" / "bin" / "python"
"""Python with moto, which `make s3-server` installs apart: its libraries and ours cannot agree on all versions."""
_SERVE = "import sys; from moto.server import main; main(['-H', '127.0.0.1', '-p', sys.argv[1]])"
_REQUEST = re.compile(rb"(GET|PUT|HEAD|DELETE|POST) /(\S*) HTTP/1\.1\r\n")
_LONGEST_LINE = 4096
_BUCKETS = (f"bucket-{number}" for number in itertools.count())
_START_SECONDS = 60.0


class Proxy:
    """Stands between a client and a server on loopback, in a thread of its own.

    Attributes
    ----------
    port : int
        Where it listens.
    delay : float
        Seconds that every piece of a request waits.
    refuses : bool
        Whether requests are answered with 503 instead of being passed on.
    cuts : int
        How many of the coming requests are cut off: the connection is closed when their first bytes arrive.
    loses : int
        How many of the coming requests are passed on while the connection is closed before their answers.
    requests : list of (str, str)
        Method and path of every request since the last :meth:`forget`.
    """

    def __init__(self, server: int) -> None:
        self.delay, self.refuses, self.cuts, self.loses = 0.0, False, 0, 0
        self.requests: list[tuple[str, str]] = []
        self._server, self.port = server, free_port()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        listening = self._loop.run_until_complete(asyncio.start_server(self._pass, "127.0.0.1", self.port))
        self._ready.set()
        self._loop.run_forever()
        listening.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(asyncio.gather(*asyncio.all_tasks(self._loop), return_exceptions=True))
        self._loop.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def forget(self) -> None:
        self.requests.clear()

    def counts(self) -> Counter[str]:
        """Method → number of requests."""
        return Counter(method for method, _ in self.requests)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back: asyncio.Task[None] | None = None
        there: asyncio.StreamWriter | None = None
        try:
            behind, there = await asyncio.open_connection("127.0.0.1", self._server)
            back = asyncio.create_task(_copy(behind, writer))
            rest = b""
            while piece := await reader.read(1 << 16):
                found = _REQUEST.findall(rest + piece)
                rest = b"" if found else piece[-_LONGEST_LINE:]
                self.requests += [(method.decode(), path.decode()) for method, path in found]
                await asyncio.sleep(self.delay)
                if found and self.refuses:
                    writer.write(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    await writer.drain()
                    return
                if found and self.cuts:
                    self.cuts -= 1
                    return
                if found and self.loses:
                    self.loses -= 1
                    back.cancel()
                    there.write(piece)
                    await there.drain()
                    await asyncio.wait_for(behind.read(1), 5)  # the server has done what it was asked
                    return
                there.write(piece)
                await there.drain()
        except (OSError, TimeoutError):
            return
        finally:
            if back is not None:
                back.cancel()
            for each in (writer, there):
                if each is not None:
                    each.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def s3_server() -> Iterator[int]:
    """Moto's server on a port of loopback."""
    port = free_port()
    process = subprocess.Popen(
        [str(SERVER) if SERVER.exists() else sys.executable, "-c", _SERVE, str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": ""},
    )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while process.poll() is None and not _answers(port):
            if time.monotonic() > deadline:
                raise TimeoutError(f"moto's server does not answer after {_START_SECONDS:g} s")
            time.sleep(0.05)
        if process.poll() is not None:
            raise RuntimeError(f"moto's server ended with {process.returncode}; `make s3-server` installs it")
        yield port
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/", timeout=5):
            return True
    except OSError:
        return False


def new_bucket(port: int) -> str:
    """Make a bucket; return its name."""
    bucket = next(_BUCKETS)
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/{bucket}", method="PUT")
    with urllib.request.urlopen(asked, timeout=30):  # noqa: S310
        return bucket


def settings_of(port: int) -> dict[str, str]:
    """Environment variables with which S3 is the server at a port."""
    return {
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }
