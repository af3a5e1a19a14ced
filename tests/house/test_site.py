"""The documentation's site: built by the Makefile's command, whole, and readable without a network."""

from __future__ import annotations

import importlib
import inspect
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import sweepengine
from tests.support.browser import needs_chromium
from tests.support.pages import Page, drawn_by_a_browser

ROOT = Path(__file__).parents[2]
PACKAGES = ("analysis", "networks", "observe", "particles", "spec", "store", "theory")
FETCHED = {
    "script": "src",
    "link": "href",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "object": "data",
}
"""Elements for which a browser fetches something, and the attribute that says what."""


def build(source: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """What `make docs` runs, with folders of the test's."""
    [recipe] = re.findall(r"^docs:.*\n\t(.*)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    python, *options, pages, folder = recipe.split()
    assert (python, pages, folder) == ("$(BIN)/python", "docs", "build/site")
    command = [sys.executable, *options, str(source), str(site)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=280)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    found = build(ROOT / "docs", folder)
    assert found.returncode == 0, found.stderr
    return folder


def foreign(page: Path, site: Path) -> list[str]:
    """What a page fetches that is no file of the site."""
    fetched = [
        attrs[FETCHED[tag]] or ""
        for tag, attrs in Page(page.read_text()).elements
        if tag in FETCHED and attrs.get(FETCHED[tag]) and attrs.get("rel") not in {"index", "search", "next", "prev"}
    ]
    return [
        url for url in fetched
        if urlsplit(url).netloc or not (page.parent / unquote(urlsplit(url).path)).resolve().is_relative_to(site)
        or not (page.parent / unquote(urlsplit(url).path)).is_file()
    ]  # fmt: skip


def test_no_page_asks_another_host_for_anything(site: Path, tmp_path: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 25
    assert {page.name: found for page in pages if (found := foreign(page, site))} == {}
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", sheet.read_text()), sheet
    bad = tmp_path / "bad.html"
    bad.write_text(
        '<script src="https://cdn.example.org/a.js"></script><img src="missing.svg"><a href="https://b.org">b</a>'
    )
    assert foreign(bad, tmp_path) == ["https://cdn.example.org/a.js", "missing.svg"]


def test_every_formula_of_the_theory_is_set(site: Path) -> None:
    source = re.sub(r"```.*?```|`[^`]*`", "", (ROOT / "docs" / "theory.md").read_text(), flags=re.DOTALL)
    blocks, rest = (
        re.findall(r"\$\$.*?\$\$", source, flags=re.DOTALL),
        re.sub(r"\$\$.*?\$\$", "", source, flags=re.DOTALL),
    )
    lines = re.findall(r"\$[^$]+\$", rest)
    page = Page((site / "theory.html").read_text())
    shown = [attrs.get("display") for tag, attrs in page.elements if tag == "math"]
    assert (shown.count("block"), shown.count("inline")) == (len(blocks), len(lines))
    assert len(blocks) > 30
    assert "$" not in page.text
    assert "\\" not in page.text
    assert "𝔼" in page.text


def test_the_reference_leads_to_the_formulas(site: Path) -> None:
    places = set(re.findall(r'id="(s[\d-]+)"', (site / "theory.html").read_text()))
    pages = "".join(page.read_text() for page in (site / "reference").glob("*.html"))
    named = set(re.findall(r'href="\.\./theory\.html#(s[\d-]+)"', pages))
    assert len(named) > 10
    assert named <= places


def public(package: str) -> set[str]:
    """Functions and classes that a package offers."""
    module = importlib.import_module(package)
    return {
        f"{package}.{name}" for name, thing in vars(module).items()
        if not name.startswith("_") and (inspect.isclass(thing) or inspect.isfunction(thing))
        and str(thing.__module__).startswith("sweepengine")
    }  # fmt: skip


def test_the_reference_has_every_public_name(site: Path) -> None:
    inventory = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    described = {line.split()[0] for line in zlib.decompress(inventory).decode().splitlines() if " py:" in line}
    offered = {name for each in PACKAGES for name in public(f"sweepengine.{each}")}
    assert {"sweepengine.theory.kernels", "sweepengine.networks.mlp", "sweepengine.spec.SweepSpec"} <= offered
    elsewhere = {
        "SweepSpec",
        "ModelSpec",
        "ParticleSpec",
        "errors",
        "__version__",
    }  # described where they live, or named
    whole = {f"sweepengine.{name}" for name in sweepengine.__all__ if name not in elsewhere}
    assert (whole | offered) - described == set()


@needs_chromium
@pytest.mark.parametrize("name", ["index.html", "theory.html", "reference/theory.html"])
def test_a_browser_shows_the_page_from_its_files_alone(name: str, site: Path, tmp_path: Path) -> None:
    drawn, errors = drawn_by_a_browser(site / name, tmp_path)
    assert "CONSOLE" not in errors
    assert "sweepengine" in drawn.text


@pytest.mark.parametrize(
    ("text", "said"),
    [("[a page](missing.md)", "missing.md"), ("[a place](index.md#nowhere)", "nowhere"),
     (r"$\fraq12$", "does not know a command")],
    ids=["page", "anchor", "formula"],
)  # fmt: skip
def test_what_is_wrong_in_a_page_is_refused(text: str, said: str, tmp_path: Path) -> None:
    for name in ("conf.py", "site.css"):
        shutil.copy(ROOT / "docs" / name, tmp_path)
    (tmp_path / "index.md").write_text(f"# Title\n\n{text}\n")
    found = build(tmp_path, tmp_path / "site")
    assert found.returncode != 0
    assert said in found.stderr
