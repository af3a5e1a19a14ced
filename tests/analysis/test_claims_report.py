"""The report on decided claims: inert, complete, strict, drawn by a browser, and readable in ASCII."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import xarray as xr
from rich.console import Console

from sweepengine import analysis
from sweepengine.analysis import Claim, Decision, Equality, Evidence, Exponent, Frequency, Inequality, Quantity, final
from sweepengine.analysis._ascii import in_ascii
from sweepengine.analysis._chart_parts import log_ticks
from sweepengine.analysis._claim_pictures import claim_figures
from sweepengine.analysis._of_networks import KERNEL_DRIFT, LOSS_TEST, MOVEMENT_OP, MOVEMENT_TOTAL
from tests.support.browser import needs_chromium
from tests.support.pages import HOSTILE, Page, drawn_by_a_browser, hash_of
from tests.support.synthetic import make_sweep

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
SIGNED = Quantity("signed", final("signed"), f"signed {HOSTILE}", f"formula {HOSTILE}", "of a test", fitted=False)


def always(*_: Any) -> bool:
    return True


def claim(name: str, expected: tuple[Any, ...], twin: Any = None, figures: tuple[tuple[str, str], ...] = ()) -> Claim:
    evidence = Evidence("quickstart", expected, twin=twin or (lambda sweep: sweep), says_twin=f"twin {HOSTILE}")
    return Claim(name, f"statement {HOSTILE}", (evidence,), source=f"source {HOSTILE}", figures=figures)


def reversed_time(sweep: xr.Dataset) -> xr.Dataset:
    """The widths in the opposite order: every exponent has the other sign."""
    width = sweep["width"].values
    return sweep.assign_coords(width=("run", width.max() * width.min() // width))


def decisions() -> list[Decision]:
    """Claims of every form: exponents with places, a value, limits on a linear and on two wide axes, a share."""
    ds, _ = make_sweep(gammas={"ntk": 0.5, HOSTILE: 1.0}, attrs={"store": f"results/{HOSTILE}.zarr"})
    ds["signed"] = ds["loss_test"] * (-1.0) ** ds["seed"] * 10.0 ** -(ds["seed"] % 5)
    theory = xr.Dataset()
    forms = [
        claim(
            "exponents",
            (
                Exponent(KERNEL_DRIFT, "bound", always, lambda *_: 0.5, f"seed {HOSTILE}"),
                Exponent(MOVEMENT_TOTAL, "sharp", always, lambda s, _: 1 - s.gamma, "none", note=f"note {HOSTILE}"),
                Exponent(MOVEMENT_OP, "sharp", always, lambda s, _: 1 - s.gamma, "none"),
            ),
            reversed_time,
            tuple(
                ("quickstart", f"sweepengine.analysis._kernel_figures:{name}_figures")
                for name in ("kernel", "spectrum")
            ),
        ),
        claim("a-value", (Equality(LOSS_TEST, always, lambda *_: 0.1, within=0.05, source="none"),)),
        claim("limits",
              (Inequality(SIGNED, always, "≤", lambda *_: 1e-5, "none"),
               Inequality(KERNEL_DRIFT, always, "≥", lambda *_: 1e-9, "none"))),
        claim("a-share", (Frequency(LOSS_TEST, always, lambda *_: 0.08, least=0.9, source="", runs="every width"),)),
        claim("nothing", (Equality(LOSS_TEST, lambda *_: False, lambda *_: 0.1, within=0.05, source="none"),)),
    ]  # fmt: skip
    return [analysis.decide(each, {"quickstart": (ds, theory)}) for each in forms]


@pytest.fixture(scope="module")
def decided() -> list[Decision]:
    return decisions()


@pytest.fixture(scope="module")
def written(decided: list[Decision], tmp_path_factory: pytest.TempPathFactory) -> analysis.ReportPaths:
    return analysis.write_claims(decided, tmp_path_factory.mktemp("claims") / "new", command=f"sweepengine {HOSTILE}")


@pytest.fixture(scope="module")
def page(written: analysis.ReportPaths) -> Page:
    return Page(written.html.read_text(encoding="utf-8"))


def charts(page: Page) -> list[dict[str, Any]]:
    return [json.loads(text) for attrs, text in page.scripts if attrs.get("type") == "application/json"]


def test_texts_are_inert_and_only_our_scripts_may_run(page: Page) -> None:
    executable = [text for attrs, text in page.scripts if attrs.get("type") != "application/json"]
    policy = next(a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy") or ""
    sources = re.search(r"script-src ([^;]*)", policy)
    assert sources is not None
    assert policy.startswith("default-src 'none';")
    assert set(sources[1].split()) == set(map(hash_of, executable))
    assert not any("alert(1)" in text for text in executable)
    assert not any(tag in {"img", "link", "iframe", "base"} for tag, _ in page.elements)
    assert not any(name.startswith("on") for _, attrs in page.elements for name in attrs)
    assert all((a.get("href") or "#").startswith("#") for _, a in page.elements)
    shown = HOSTILE.replace("\u2028", " ")
    for text in ("source", "twin", "seed", "note", "sweepengine", "signed"):
        assert f"{text} {shown}" in page.text, text
    assert f"statement {shown.replace('_e', 'e')}" in page.text  # a formula, with a lowered e
    assert any("</script>" in json.dumps(chart) for chart in charts(page))  # the text is there, as data


def test_the_contents_come_first_and_lead_to_every_claim(page: Page, decided: Sequence[Decision]) -> None:
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    links = [(a["href"] or "")[1:] for tag, a in page.elements if tag == "a"]
    order = ("violated", "differs", "undecided", "holds")
    expected = sorted(decided, key=lambda each: order.index(each.verdict))
    assert links == [f"claim-{each.claim.id}" for each in expected]
    assert set(links) <= set(ids)
    start = page.text.index("5 claims: ")
    for words in ("NOT CAUGHT", "Undecided", "How to read this page", "How to reproduce", "sweepengine run quickstart"):
        assert page.text.index(words) > start, words
    assert f"results/{HOSTILE}.zarr".replace("\u2028", " ") in page.text


def test_every_chart_is_valid_and_shows_what_its_rows_say(page: Page) -> None:
    import altair as alt

    found = charts(page)
    for chart in found:
        alt.Chart.from_dict(chart, validate=True)
    named = {name: rows for chart in found for name, rows in chart["datasets"].items() if rows}
    assert set(named) == {
        "band",
        "points",
        "names",
        "expected",
        "lines",
        "means",
        "rows",
        "bands",
        "limits",
        "entries",
        "eigenvalues",
    }
    first = next(chart for chart in found if "lines" in chart["datasets"])["datasets"]
    assert {row["e"] for row in first["expected"]} == {"≤ −1/2"}
    numbers = {row["k"] for row in first["names"] if row["s"].startswith("twin: ")}
    assert any(row["k"] in numbers for row in first["points"])
    assert all(band["y"] <= band["top"] for band in first["band"])
    scales = {
        json.dumps(chart["layer"][-1]["encoding"]["y"]["scale"].get("type", "linear"))
        for chart in found
        if "limits" in chart["datasets"]
    }
    assert scales == {'"linear"', '"log"', '"symlog"'}


def test_a_notebook_shows_what_the_report_shows(decided: list[Decision], tmp_path: Path) -> None:
    charts = [analysis.claim_chart(decision) for decision in decided[:-1]]
    for decision, chart in zip(decided, charts, strict=False):
        figures = claim_figures(decision)
        assert [len(row["concat"]) for row in chart.spec["vconcat"]] == [len(each.panels) for each in figures]
    svg = charts[0].save(tmp_path / "claim.svg").read_text(encoding="utf-8")
    assert svg.count("<path") > 20
    assert svg.count(">twin: ") == 4  # one legend in each panel of two quantities
    with pytest.raises(analysis.ContractError, match=r"nothing: there is nothing to draw"):
        analysis.claim_chart(decided[-1])


def test_json_is_strict_and_has_the_keys_that_the_docs_name(written: analysis.ReportPaths) -> None:
    def refuse(token: str) -> None:
        raise AssertionError(token)

    document = json.loads(written.json.read_text(encoding="utf-8"), parse_constant=refuse)
    assert document["schema"] == "sweepengine-claims/2"
    assert document["claims"][0]["seconds"] is None  # not known here
    described = (ROOT / "docs" / "claims-report.md").read_text()
    row = document["claims"][0]["parts"][0]["rows"][0]
    for name, content in (
        ("file", document),
        ("claim", document["claims"][0]),
        ("part", document["claims"][0]["parts"][0]),
        ("row", row),
        ("quantity", document["claims"][0]["quantities"][0]),
    ):
        table = re.search(rf"^### A {name}\n(.*?)(?=^#|\Z)", described, flags=re.MULTILINE | re.DOTALL)
        assert table is not None, name
        assert re.findall(r"^\| `(\w+)`", table[1], flags=re.MULTILINE) == list(content), name
    assert row["fit"]["widths"] == [32, 64, 128, 256, 512, 1024, 2048]
    assert document["claims"][1]["parts"][0]["rows"][0]["allowed"] == pytest.approx([0.05, 0.15])
    assert document["claims"][2]["parts"][0]["rows"][0]["allowed"] == [None, 1e-5]


def test_markdown_is_escaped_and_its_tables_are_whole(written: analysis.ReportPaths) -> None:
    text = written.markdown.read_text(encoding="utf-8")
    outside_code = re.sub(r"(`+) .*? \1", "", text)
    assert "<script" not in outside_code
    assert "<img" not in outside_code
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1, block
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    for link in re.findall(r"\]\(#([^)]*)\)", text):
        assert link in headings
    assert headings[:2] == ["Claims", "exponents"]
    assert headings.count("How to reproduce") == 5


def test_the_same_decisions_give_the_same_bytes(decided: list[Decision], tmp_path: Path) -> None:
    a, b = (analysis.write_claims(decided[:2], tmp_path / name) for name in "ab")
    for name in ("html", "json", "markdown"):
        assert getattr(a, name).read_bytes() == getattr(b, name).read_bytes()


@needs_chromium
def test_a_browser_draws_every_chart(written: analysis.ReportPaths, page: Page, tmp_path: Path) -> None:
    drawn, errors = drawn_by_a_browser(written.html, tmp_path)
    assert sum(tag == "svg" and "marks" in (a.get("class") or "") for tag, a in drawn.elements) == len(charts(page))
    assert "could not be drawn" not in drawn.text
    assert "CONSOLE" not in errors


def shown(what: Any, width: int, encoding: str) -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    Console(file=file, width=width, color_system=None, force_terminal=False).print(what)
    file.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
@pytest.mark.parametrize("width", [40, 80, 160])
def test_terminals_show_why_rows_are_undecided(decided: list[Decision], width: int, encoding: str) -> None:
    text = shown(analysis.DecisionsView(decided), width, encoding)
    assert max(map(len, text.splitlines())) <= width
    assert "nan" not in text
    flat = " ".join(text.split())
    undecided = [row for each in decided for row in each.rows if row.verdict == "undecided"]
    assert undecided
    for row in undecided:
        why = row.why if encoding == "utf-8" else in_ascii(row.why)
        assert " ".join(why.split()) in flat, row.why


def test_signs_of_the_claims_have_spellings_in_ascii() -> None:
    text = shown(analysis.StatementsView(analysis.CLAIMS), 200, "ascii")
    assert "?" not in text
    assert in_ascii("W₂ ≤ ½ √t, αm^−1 · Θ_∞ ± 0.1 x² T⁻¹ Šidák ★") == (
        "W_2 <= 1/2 sqrt t, alpha m^-1 | Theta_inf +/- 0.1 x^2 T^-1 Sidak ?"
    )


def test_logarithmic_axes_have_some_ticks_and_not_too_many() -> None:
    for domain in ([0.11, 0.19], [1.0, 1.02], [3e-7, 5e-7], [0.2, 1.1], [1e-27, 0.5]):
        ticks = log_ticks(domain)
        assert 3 <= len(ticks) <= 12
        assert all(domain[0] <= tick <= domain[1] for tick in ticks)


def test_a_row_says_how_long_the_seeds_take_that_would_decide_it() -> None:
    decision = replace(decisions()[0], seconds=60.0)
    row = replace(decision.rows[0], verdict="undecided", why="to decide: 5 more seeds", more_seeds=5)
    seeds = len(set(row.sample.seed.tolist()))
    assert decision.seconds_to_decide(row) == pytest.approx(60.0 * 5 / seeds)
    assert decision.why(row) == f"to decide: 5 more seeds (the seeds: about {300 / seeds:.2g} s here)"
    for unknown in (replace(row, more_seeds=None), row):
        which = decision if unknown.more_seeds is None else replace(decision, seconds=float("nan"))
        assert which.why(unknown) == unknown.why
