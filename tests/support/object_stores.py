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
_REQUEST = re.compile(rb"([A-Z]+) /(\S*) HTTP/1\.1\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_BUCKETS = (f"bucket-{number}" for number in itertools.count())
_START_SECONDS = 60.0


class Proxy:
    """Stands between a client and a server on loopback, in a thread of its own.

    Attributes
    ----------
    port : int
        Where it listens.
    delay : float
        Seconds that every request waits.
    passes : int
        How many of the coming requests go through before those that meet a fault.
    refuses, cuts, loses : float
        How many of the coming requests are answered with 503; are cut off when they arrive; are passed on and cut off
        before the answer. They come in this order.
    requests : list of (str, str)
        Method and path of every request since the list was cleared.
    """

    def __init__(self, server: int) -> None:
        self.delay, self.passes = 0.0, 0
        self.refuses, self.cuts, self.loses = 0.0, 0.0, 0.0
        self.requests: list[tuple[str, str]] = []
        self._server, self.port = server, free_port()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        listening = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        self._ready.set()
        self._loop.run_forever()
        listening.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def counts(self) -> Counter[str]:
        """Method → number of requests."""
        return Counter(method for method, _ in self.requests)

    def heal(self) -> None:
        """Pass everything on from now on."""
        self.passes, self.refuses, self.cuts, self.loses = 0, 0.0, 0.0, 0.0

    def _fault(self) -> str:
        """The fault that the next request meets; empty for none."""
        if self.passes:
            self.passes -= 1
            return ""
        for name in ("refuses", "cuts", "loses"):
            if getattr(self, name) > 0:
                setattr(self, name, getattr(self, name) - 1)
                return name
        return ""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there: asyncio.StreamWriter | None = None
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            behind, there = await asyncio.open_connection("127.0.0.1", self._server)
            while await self._pass(reader, writer, behind, there):
                pass
        for each in (writer, there):
            if each is not None:
                each.close()

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        behind: asyncio.StreamReader,
        there: asyncio.StreamWriter,
    ) -> bool:
        """Pass one request and its answer on. Returns whether the connection lives."""
        head, body = await _message(reader)
        found = _REQUEST.match(head)
        assert found, head
        self.requests.append((found[1].decode(), found[2].decode()))
        await asyncio.sleep(self.delay)
        fault = self._fault()
        if fault == "refuses":
            writer.write(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return True
        if fault == "cuts":
            return False
        there.write(head + body)
        await there.drain()
        answer, content = await _message(behind, bare=found[1] == b"HEAD")
        if fault == "loses":
            return False
        writer.write(answer + content)
        await writer.drain()
        return b"connection: close" not in answer.lower()


async def _message(reader: asyncio.StreamReader, *, bare: bool = False) -> tuple[bytes, bytes]:
    """Head and body of a request or of an answer; an answer to HEAD is ``bare``."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    if bare or length is None:
        return head, b""
    return head, await reader.readexactly(int(length[1]))


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
