"""The report: complete, strict, inert, self-contained, and drawn by a real browser."""

from __future__ import annotations

import json
import math
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

import sweepengine
from sweepengine import analysis
from sweepengine.analysis._markup import formula, script_json
from tests.support.browser import needs_chromium
from tests.support.pages import HOSTILE, Page, acted_upon, drawn_by_a_browser, hash_of
from tests.support.synthetic import make_sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import xarray as xr

STATUS = {("ntk", 2048, 3): "diverged", (HOSTILE, 64, 1): "failed"}


def hostile_sweep() -> xr.Dataset:
    ds, _ = make_sweep(
        gammas={"ntk": 0.5, HOSTILE: 1.0},
        activation="relu",
        status=STATUS,
        attrs={"title": HOSTILE, "spec": f"name: {HOSTILE}\n````\n", "history": HOSTILE,
               "provenance": json.dumps({"versions": {HOSTILE: HOSTILE}})},
    )  # fmt: skip
    return ds


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
    assert len(data) == 17
    assert any("</script>" in json.dumps(spec) for spec in data)  # the name is there, as data


def test_the_check_above_catches_plain_json_in_a_script() -> None:
    """The negative twin: the same name, written without escaping, opens a second script."""
    naive = Page(f'<script type="application/json">{json.dumps(HOSTILE)}</script>')
    assert len([1 for attrs, _ in naive.scripts if attrs.get("type") != "application/json"]) == 1


def test_what_could_end_a_script_is_written_otherwise(page: Page) -> None:
    assert json.loads(script_json({"a": HOSTILE})) == {"a": HOSTILE}
    assert not re.search("[<>&\u2028]", script_json({"a": HOSTILE}))  # of which names have lost the last already
    for attrs, text in page.scripts:
        assert attrs.get("type") != "application/json" or not re.search("[<>&\u2028]", text)


def test_only_our_scripts_may_run_and_nothing_may_connect(page: Page) -> None:
    policy = next(a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "unsafe-eval" not in policy
    assert "connect-src" not in policy
    digests = {hash_of(text) for attrs, text in page.scripts if attrs.get("type") != "application/json"}
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
                  "1 failed", "ntk-const", "mf-move", "to decide: ", "Jacot et al. 2018", "How a verdict is reached",
                  "results/quickstart.zarr"):  # fmt: skip
        assert words in page.text
    charts = [a for _, a in page.elements if "data-chart" in a]
    assert len(charts) == 17
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
    name = r"&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt; \`\|&lt;\!--\_e\_"
    assert f"| {name} |" in body


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


def test_a_url_is_opened_through_the_engine(tmp_path: Path, tiny: Callable[..., dict[str, Any]]) -> None:
    store = tmp_path / "x.zarr"
    sweepengine.run(tiny(name="opened"), store, executor="inline")
    document = json.loads(analysis.write_report(str(store), tmp_path).json.read_text(encoding="utf-8"))
    assert [run["id"] for run in document["finished_runs"]] == list(sweepengine.open_sweep(store).id.values)
    assert "<svg" in analysis.write_main_figure(store, tmp_path / "main.svg").read_text(encoding="utf-8")


def test_main_figure_is_svg_or_png_and_nothing_else(tmp_path: Path) -> None:
    ds, _ = make_sweep(widths=(8, 16, 32), seeds=2)
    svg = analysis.write_main_figure(ds, tmp_path / "main.svg").read_text(encoding="utf-8")
    assert svg.startswith("<svg")
    assert "kernel drift" in svg
    assert "relative movement" in svg
    assert analysis.write_main_figure(ds, tmp_path / "main.PNG").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(analysis.FigureFormatError, match=r"'main.gif'; its name must end in .svg, .pdf or .png"):
        analysis.write_main_figure(ds, tmp_path / "main.gif")


@pytest.mark.parametrize("module", ["altair", "vl_convert"])
def test_a_missing_extra_is_said_with_its_cure_and_nothing_is_written(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    ds, _ = make_sweep(widths=(8, 16, 32), seeds=2)
    with pytest.raises(analysis.MissingExtraError, match="pip install altair vl-convert-python") as caught:
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


def test_formulas_are_set_with_raised_and_lowered_signs() -> None:
    assert formula("‖W^l_t‖_F <b>") == "‖W<sup>l</sup><sub>t</sub>‖<sub>F</sub> &lt;b&gt;"
    assert formula("m^−1/2.") == "m<sup>−1/2</sup>."


def parts(spec: Any, key: str) -> Iterator[dict[str, Any]]:
    """The mappings within a chart, or several, that have a key."""
    if isinstance(spec, dict) and key in spec:
        yield spec
    for each in spec.values() if isinstance(spec, dict) else spec if isinstance(spec, list) else ():
        yield from parts(each, key)


def charts(page: Page) -> list[Any]:
    return [json.loads(text) for attrs, text in page.scripts if attrs.get("type") == "application/json"]


def test_log_axes_have_round_ticks(page: Page) -> None:
    """1, 2, 5 times powers of ten below two decades; 1, 3 below three; else the powers alone, if these are enough."""
    rules = set()
    for channel in parts(charts(page), "axis"):
        if channel.get("scale", {}).get("type") == "log" and channel["scale"].get("base") is None:
            low, high = channel["scale"]["domain"]
            decades = math.log10(high / low)
            digits = "125" if decades < 2 else "13" if decades < 3 else "1"
            numbers = sorted(float(f"{digit}e{power}") for digit in digits for power in range(-12, 12))
            expected = [each for each in numbers if low <= each <= high]
            if len(expected) < 3:
                continue  # so short an axis has evenly spaced ticks
            assert channel["axis"]["values"] == pytest.approx(expected)
            rules.add(digits)
    assert len(rules) > 1


@pytest.mark.parametrize("widths", [(8,), (32, 64, 128, 256, 512, 1024, 2048)])
def test_every_width_has_a_colour_of_its_own(widths: tuple[int, ...], tmp_path: Path) -> None:
    ds, _ = make_sweep(widths=widths, seeds=2)
    page = Page(analysis.write_report(ds, tmp_path).html.read_text(encoding="utf-8"))
    scales = [each["scale"] for each in parts(charts(page), "scale") if each["scale"].get("domain") == list(widths)]
    assert scales
    assert all(len(set(scale["range"])) == len(scale["range"]) == len(widths) for scale in scales)


@needs_chromium
def test_a_browser_draws_every_chart_from_the_file_alone(written: analysis.ReportPaths, tmp_path: Path) -> None:
    drawn, errors = drawn_by_a_browser(written.html, tmp_path)
    assert sum(tag == "svg" and "marks" in (a.get("class") or "") for tag, a in drawn.elements) == 17
    assert "could not be drawn" not in drawn.text
    assert "CONSOLE" not in errors
    assert not any(tag == "img" for tag, _ in drawn.elements)


REQUESTS = """
  await pause(300);
  return performance.getEntriesByType("resource").map((each) => each.name);
"""


@needs_chromium
def test_a_page_asks_for_nothing(written: analysis.ReportPaths, tmp_path: Path) -> None:
    found, said = acted_upon(written.html, tmp_path, REQUESTS, 1280)
    assert found == []
    assert "CONSOLE" not in said
    bad = tmp_path / "bad.html"
    bad.write_text('<body><img src="http://127.0.0.1:9/a.png"></body>')
    assert acted_upon(bad, tmp_path / "bad", REQUESTS, 1280)[0] == ["http://127.0.0.1:9/a.png"]


FADES = """
  const view = document.querySelector("[data-chart]");
  const faint = () => [...view.querySelectorAll(".mark-symbol path[opacity='0.05']")].length;
  const before = faint();
  view.querySelector(".role-legend-entry .mark-symbol path, .role-legend .mark-symbol path")
    .dispatchEvent(new MouseEvent("click", { bubbles: true }));
  await pause(100);
  return [before, faint()];
"""


@needs_chromium
def test_a_click_in_the_legend_singles_a_group_out(written: analysis.ReportPaths, tmp_path: Path) -> None:
    (before, after), said = acted_upon(written.html, tmp_path, FADES, 1280)
    assert before == 0
    assert after > 10
    assert "CONSOLE" not in said


PRINTS = """
  const widths = () => [...document.querySelectorAll(".chart svg.marks")].map((svg) => svg.getAttribute("width"));
  const before = widths();
  dispatchEvent(new Event("beforeprint"));
  await pause(200);
  const printed = widths();
  dispatchEvent(new Event("afterprint"));
  await pause(200);
  return [before, printed, widths()];
"""


@needs_chromium
def test_on_paper_charts_are_as_wide_as_their_columns(written: analysis.ReportPaths, tmp_path: Path) -> None:
    (before, printed, after), _ = acted_upon(written.html, tmp_path, PRINTS, 1280)
    assert {int(float(each)) for each in printed} == {690, 337, 219}
    assert after == before != printed
