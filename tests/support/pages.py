"""Pages as a reader of HTML sees them, and a text that would run code wherever it is not escaped."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from tests.support.browser import FLAGS

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u2028`|<!--_e_"


class Page(HTMLParser):
    """Elements with their attributes, the text of scripts, and all other text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] == "script" and self.cdata_elem == "script":
            attrs, text = self.scripts[-1]
            self.scripts[-1] = (attrs, text + data)
        else:
            self.text += data


def hash_of(script: str) -> str:
    """The source by which a Content-Security-Policy allows a script."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() + "'"


def drawn_by_a_browser(html: Path, folder: Path) -> tuple[Page, str]:
    """The page after Chromium has run its scripts, and what Chromium says."""
    flags = [*FLAGS, "--window-size=1400,1000", "--virtual-time-budget=8000", "--enable-logging=stderr",
             f"--user-data-dir={folder}", "--dump-dom"]  # fmt: skip
    done = subprocess.run(["chromium", *flags, html.as_uri()], capture_output=True, text=True, timeout=60, check=True)
    return Page(done.stdout), done.stderr


def acted_upon(html: Path, folder: Path, script: str, width: int) -> tuple[Any, str]:
    """What a script returns in a copy of a page, once its charts are drawn in a frame, and what Chromium says."""
    acts = f"""(async () => {{
      const pause = (milliseconds) => new Promise((resume) => setTimeout(resume, milliseconds));
      while (document.querySelectorAll(".chart svg.marks").length < document.querySelectorAll("[data-chart]").length)
        await pause(20);
      parent.postMessage(JSON.stringify(await (async () => {{ {script} }})()), "*");
    }})();"""
    text = html.read_text(encoding="utf-8").replace("script-src ", f"script-src {hash_of(acts)} ", 1)
    start, _, end = text.rpartition("</body>")  # the libraries hold this text too
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "copy.html").write_text(f"{start}<script>{acts}</script></body>{end}", encoding="utf-8")
    (folder / "frame.html").write_text(
        "<script>onmessage = (event) => { document.body.dataset.found = event.data; };</script>"
        f'<body><iframe src="copy.html" style="width: {width}px; height: 900px; border: 0"></iframe></body>'
    )
    page, said = drawn_by_a_browser(folder / "frame.html", folder / "profile")
    return json.loads(next(attrs["data-found"] or "" for tag, attrs in page.elements if tag == "body")), said
