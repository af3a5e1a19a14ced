"""Chromium under the tests' control, by its own protocol over a pipe: widths, keys and what it says."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
import time
from typing import TYPE_CHECKING, Any, Self

import pytest

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--hide-scrollbars")  # fmt: skip
needs_chromium = pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium on the PATH")
KEYS = {"Tab": 9, "Enter": 13, " ": 32, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowRight": 39}
"""Keys and their codes."""
_PATIENCE = 60.0
"""Seconds until an answer that does not come is an error."""


class Browser:
    """A page in a window of a width, with real time and trusted events.

    Attributes
    ----------
    said
        What the console, uncaught errors among it, has said.
    asked
        Addresses of all requests, the page's own among them.
    """

    def __init__(self, html: Path, profile: Path, width: int) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self._number, self._rest = 0, b""
        self._process, self._out, self._in = _started(profile)
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._ask(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "light"}
        self._ask("Emulation.setEmulatedMedia", features=[scheme])
        self.resize(width)
        self._ask("Page.navigate", url=html.as_uri())
        self.wait_for("document.readyState === 'complete'")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.kill(self._process, signal.SIGTERM)
        os.waitpid(self._process, 0)
        os.close(self._out)
        os.close(self._in)

    def resize(self, width: int, height: int = 900) -> None:
        """Give the window another size; pages of phones are as wide as the phone."""
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def find(self, expression: str) -> Any:
        """What an expression is, or what the promise that it is becomes."""
        answer = self._ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Wait until an expression is true."""
        until = time.monotonic() + _PATIENCE
        while not self.find(expression):
            assert time.monotonic() < until, f"never true: {expression}"
            time.sleep(0.02)

    def wait_for_charts(self) -> None:
        """Wait until every chart is drawn."""
        self.wait_for(
            "document.querySelectorAll('.chart svg.marks').length === document.querySelectorAll('[data-chart]').length"
        )

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key and let it go."""
        event = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": KEYS[key]}
        event |= {"modifiers": 8} if shift else {}
        text = {"text": {" ": " ", "Enter": "\r"}[key]} if key in {" ", "Enter"} else {}
        self._ask("Input.dispatchKeyEvent", type="keyDown", **event, **text)
        self._ask("Input.dispatchKeyEvent", type="keyUp", **event)

    def _ask(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        asked = {"id": self._number, "method": method, "params": parameters}
        own = {"sessionId": self._session} if hasattr(self, "_session") else {}
        os.write(self._in, json.dumps(asked | own).encode() + b"\0")
        while True:
            message = self._next(method)
            if message.get("id") == self._number:
                if "error" in message:
                    raise AssertionError(f"{method}: {message['error']}")
                return message["result"]
            self._hear(message)

    def _next(self, method: str) -> dict[str, Any]:
        while b"\0" not in self._rest:
            readable, _, _ = select.select([self._out], [], [], _PATIENCE)
            got = os.read(self._out, 1 << 20) if readable else b""
            assert got, f"Chromium does not answer {method}"
            self._rest += got
        first, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(first)
        return message

    def _hear(self, message: dict[str, Any]) -> None:
        parameters = message.get("params", {})
        if message["method"] == "Network.requestWillBeSent":
            self.asked.append(parameters["request"]["url"])
        elif message["method"] in {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"}:
            self.said.append(json.dumps(parameters))


def _started(profile: Path) -> tuple[int, int, int]:
    """Number of a Chromium process, and the ends of the pipes to read from it and to write to it."""
    # Above those that Chromium takes, so that none overwrites another.
    to_read, to_write = ([fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in os.pipe()] for _ in range(2))
    quiet = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    actions = [(os.POSIX_SPAWN_DUP2, quiet, 1), (os.POSIX_SPAWN_DUP2, quiet, 2),
               (os.POSIX_SPAWN_DUP2, to_write[0], 3), (os.POSIX_SPAWN_DUP2, to_read[1], 4)]  # fmt: skip
    arguments = ["chromium", *FLAGS, "--remote-debugging-pipe", f"--user-data-dir={profile}"]
    process = os.posix_spawnp("chromium", arguments, dict(os.environ), file_actions=actions)
    for end in (to_write[0], to_read[1], quiet):
        os.close(end)
    return process, to_read[0], to_write[1]
