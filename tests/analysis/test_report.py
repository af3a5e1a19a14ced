"""The report: complete, strict, inert, self-contained, and drawn by a real browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import sweepengine
from sweepengine import analysis
from sweepengine.analysis._chart_parts import log_ticks, ramp
from sweepengine.analysis._markdown import inline
from sweepengine.analysis._markup import formula, script_json
from tests.support.synthetic import make_sweep

if TYPE_CHECKING:
    import xarray as xr

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u2028`|<!--"
STATUS = {("ntk", 2048, 3): "diverged", (HOSTILE, 64, 1): "failed"}


def hostile_sweep() -> xr.Dataset:
    ds, _ = make_sweep(
        gammas={"ntk": 0.5, HOSTILE: 1.0},
        activation="relu",
        status=STATUS,
        attrs={"title": HOSTILE, "spec": f"name: {HOSTILE}\n````\n", "history": HOSTILE, "provenance": json.dumps({"versions": {HOSTILE: HOSTILE}})},
    )  # fmt: skip
    return ds


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


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> analysis.ReportPaths:
    return analysis.write_report(hostile_sweep(), tmp_path_factory.mktemp("report") / "new" / "folder")


@pytest.fixture(scope="module")
def page(written: analysis.ReportPaths) -> Page:
    return Page(written.html.read_text(encoding="utf-8"))


def test_files_are_where_the_paths_say(written: analysis.ReportPaths) -> None:
    assert [p.name for p in (written.html, written.json, written.markdown)] == [
        "report.html",
        "report.json",
        "report.md",
    ]
    assert sorted(p.name for p in written.html.parent.iterdir()) == ["report.html", "report.json", "report.md"]
    assert written.html.stat().st_size < 4_000_000


def test_names_and_specs_are_inert(page: Page) -> None:
    executable = [(a, text) for a, text in page.scripts if a.get("type") != "application/json"]
    assert len(executable) == 2
    assert not any("alert(1)" in text for _, text in executable)
    assert not any(tag == "img" for tag, _ in page.elements)
    assert not any(name.startswith("on") for _, attrs in page.elements for name in attrs)
    assert HOSTILE.replace("\u2028", " ") in page.text
    data = [json.loads(text) for a, text in page.scripts if a.get("type") == "application/json"]
    assert len(data) == 9
    assert any("</script>" in json.dumps(spec) for spec in data)  # the name is there, as data


def test_the_check_above_catches_plain_json_in_a_script() -> None:
    """The negative twin: the same name, written without escaping, opens a second script."""
    naive = Page(f'<script type="application/json">{json.dumps(HOSTILE)}</script>')
    assert len([1 for attrs, _ in naive.scripts if attrs.get("type") != "application/json"]) == 1
    safe = Page(f'<script type="application/json">{script_json(HOSTILE)}</script>')
    assert len(safe.scripts) == 1


def test_only_our_scripts_may_run_and_nothing_may_connect(page: Page) -> None:
    policy = next(a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "unsafe-eval" not in policy
    assert "connect-src" not in policy
    digests = {
        "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
        for attrs, text in page.scripts
        if attrs.get("type") != "application/json"
    }
    script_src = re.search(r"script-src ([^;]*)", policy)
    assert script_src is not None
    assert set(script_src[1].split()) == digests
    for tag, attrs in page.elements:
        assert not {"src", "srcset", "action", "data"} & set(attrs), tag
        assert tag not in {"link", "iframe", "object", "embed", "base"}
        assert (attrs.get("href") or "#").startswith("#")
    assert sum(tag == "style" for tag, _ in page.elements) == 1
    assert "@import" not in page.text  # the style's rules are part of the text here
    assert "url(" not in page.text


def test_page_says_everything_that_was_promised(page: Page) -> None:
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    for key in (
        "glance",
        "figures",
        "claims",
        "fits",
        "runs",
        "definitions",
        "provenance",
        "table-claims",
        "table-fits",
    ):
        assert key in ids
    for words in ("Kernel drift and movement against width", "Train loss over time", "residual trend", "1 diverged",
                  "1 failed", "ntk-const", "mf-move", "to decide: ", "S3 Thm 2", "How a verdict is reached",
                  "results/quickstart.zarr"):  # fmt: skip
        assert words in page.text
    charts = [a for _, a in page.elements if "data-chart" in a]
    assert len(charts) == 9
    assert all(a["aria-label"] and a["data-chart"] in ids for a in charts)
    assert sum(tag == "figcaption" for tag, _ in page.elements) >= 5


def test_every_chart_is_valid_vega_lite(page: Page) -> None:
    import altair as alt

    for attrs, text in page.scripts:
        if attrs.get("type") == "application/json":
            alt.Chart.from_dict(json.loads(text), validate=True)


def test_json_is_strict_complete_and_unrounded(written: analysis.ReportPaths) -> None:
    def refuse(token: str) -> None:
        raise AssertionError(token)

    document: dict[str, Any] = json.loads(written.json.read_text(encoding="utf-8"), parse_constant=refuse)
    ds = hostile_sweep()
    summary = analysis.summarise(ds)
    assert document["schema"] == analysis.REPORT_SCHEMA
    assert document["runs"] == summary.counts
    assert document["claims"] == [c.to_dict() for c in summary.claims]
    assert document["groups"][0]["fits"]["kernel_drift"]["p"]["low"] == summary.groups[0].fits["kernel_drift"].p.low
    assert len(document["finished_runs"]) == 110
    first = document["finished_runs"][0]
    assert first["kernel_drift"] == float(ds["kernel_drift"].isel(run=0).max())
    assert set(first["movement_op"]) == {"W0", "W1"}
    assert document["spec"] == ds.attrs["spec"]


def test_markdown_is_escaped_and_has_the_tables(written: analysis.ReportPaths) -> None:
    text = written.markdown.read_text(encoding="utf-8")
    body, _, spec = text.partition("## Spec")
    assert "<script" not in body
    assert "<img" not in body
    assert spec.startswith("\n\n`````yaml\n")  # longer than the longest fence inside
    rows = [line for line in body.splitlines() if line.startswith("| ntk")]
    assert rows
    for block in re.findall(r"(?:^\|.*\n)+", body, flags=re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1, block
    assert "−0." in body
    assert inline("a|b`c<d>_e_") == r"a\|b\`c&lt;d&gt;\_e\_"


def test_the_same_sweep_gives_the_same_bytes(tmp_path: Path) -> None:
    ds, _ = make_sweep(widths=(8, 16, 32), seeds=2)
    a, b = (analysis.write_report(ds, tmp_path / name) for name in "ab")
    assert a.html.read_bytes() == b.html.read_bytes()
    assert a.json.read_bytes() == b.json.read_bytes()
    assert a.markdown.read_bytes() == b.markdown.read_bytes()


def test_a_sweep_without_finished_runs_has_a_report(tmp_path: Path) -> None:
    every = {(s, m, 0): "pending" for s in ("ntk", "mean_field") for m in (8, 16, 32)}
    ds, _ = make_sweep(widths=(8, 16, 32), seeds=1, status=every, attrs={"provenance": "{not json"})
    text = analysis.write_report(ds, tmp_path).html.read_text(encoding="utf-8")
    assert "No run is done yet" in text
    assert "provenance (not a JSON object)" in text


def test_a_url_is_opened_through_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ds, _ = make_sweep(widths=(8, 16, 32), seeds=2)
    asked: list[str] = []

    def open_sweep(url: str) -> xr.Dataset:
        asked.append(url)
        return ds

    monkeypatch.setattr(sweepengine, "open_sweep", open_sweep, raising=False)
    monkeypatch.setattr(sweepengine, "open_theory", lambda _: None, raising=False)
    analysis.write_report("results/x.zarr", tmp_path)
    analysis.write_main_figure(Path("results/y.zarr"), tmp_path / "main.svg")
    assert asked == ["results/x.zarr", "results/y.zarr"]


def test_main_figure_is_svg_or_png_and_nothing_else(tmp_path: Path) -> None:
    ds, _ = make_sweep(widths=(8, 16, 32), seeds=2)
    svg = analysis.write_main_figure(ds, tmp_path / "main.svg").read_text(encoding="utf-8")
    assert svg.startswith("<svg")
    assert "kernel drift" in svg
    assert "relative movement" in svg
    assert analysis.write_main_figure(ds, tmp_path / "main.PNG").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(analysis.FigureFormatError, match=r"'main.gif'; its name must end in .svg or .png"):
        analysis.write_main_figure(ds, tmp_path / "main.gif")


@pytest.mark.parametrize("module", ["altair", "vl_convert"])
def test_a_missing_extra_is_said_with_its_cure_and_nothing_is_written(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    ds, _ = make_sweep(widths=(8, 16, 32), seeds=2)
    with pytest.raises(analysis.MissingExtraError, match=r'pip install "sweepengine\[report\]"') as caught:
        analysis.write_report(ds, tmp_path / "out")
    assert isinstance(caught.value, ImportError)
    assert not (tmp_path / "out").exists()
    analysis.summarise(ds)  # works without


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    ds, _ = make_sweep(widths=(8, 16, 32), seeds=2)
    with pytest.raises(analysis.ReportWriteError, match=r"Cannot write .*Choose a directory") as caught:
        analysis.write_report(ds, tmp_path / "file")
    assert isinstance(caught.value, OSError)


def test_small_pieces() -> None:
    assert formula("‖W^l_t‖_F <b>") == "‖W<sup>l</sup><sub>t</sub>‖<sub>F</sub> &lt;b&gt;"
    assert formula("m^−1/2.") == "m<sup>−1/2</sup>."
    assert json.loads(script_json({"a": HOSTILE})) == {"a": HOSTILE}
    assert not re.search("[<>&\u2028]", script_json({"a": HOSTILE}))
    assert log_ticks([0.04, 1.3]) == pytest.approx([0.05, 0.1, 0.2, 0.5, 1.0])
    assert log_ticks([1e-4, 1.0]) == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1.0])
    assert len(set(ramp(7))) == 7
    assert len(ramp(1)) == 1


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium on the PATH")
def test_a_browser_draws_every_chart_from_the_file_alone(written: analysis.ReportPaths, tmp_path: Path) -> None:
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
             "--disable-background-networking", "--disable-component-update", "--virtual-time-budget=8000",
             "--enable-logging=stderr", f"--user-data-dir={tmp_path}", "--dump-dom"]  # fmt: skip
    done = subprocess.run(["chromium", *flags, written.html.as_uri()], capture_output=True, text=True, timeout=60, check=True)  # fmt: skip
    drawn = Page(done.stdout)
    assert sum(tag == "svg" and "marks" in (a.get("class") or "") for tag, a in drawn.elements) == 9
    assert "could not be drawn" not in drawn.text
    assert "CONSOLE" not in done.stderr
    assert not any(tag == "img" for tag, _ in drawn.elements)
