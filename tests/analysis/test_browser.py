"""Reports in a browser that tests control: keys, changes of the window's size, no requests, nothing said."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

import sweepengine
from sweepengine import analysis
from tests.support.browser import Browser, needs_chromium
from tests.support.particle_sweeps import WELLS, changed
from tests.support.synthetic import make_sweep

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = needs_chromium

LONG = "a scaling of a very long name that no narrow page has the room for"
SAMPLE = """(async () => {
  const inside = (part, whole) => part.top >= whole.top - 1 && part.bottom <= whole.bottom + 1
    && part.left >= whole.left - 1 && part.right <= whole.right + 1;
  const cut = (svg) => [...svg.querySelectorAll("text")].map((text) => [text, text.getBoundingClientRect()])
    .filter(([, own]) => own.width > 0 && !inside(own, svg.getBoundingClientRect())).map(([text]) => text.textContent);
  const inSight = () => [...document.querySelectorAll("svg.marks")].filter((svg) => {
    const { top, bottom } = svg.getBoundingClientRect();
    return top < innerHeight && bottom > 0;
  });
  window.frames_ = [];
  const sample = () => {
    const shown = inSight();
    window.frames_.push([shown.length, shown[0].getBoundingClientRect().width, shown.flatMap(cut)]);
    requestAnimationFrame(sample);
  };
  requestAnimationFrame(sample);
})()"""
BEYOND = """(() => {
  const edge = document.documentElement.clientWidth;
  const named = (each) => `${each.tagName} ${each.getAttribute("class")} ${each.textContent.slice(0, 60)}`;
  const wider = [...document.querySelectorAll("main *")]
    .filter((each) => !each.closest(".scroll, pre, script, details"))
    .filter((each) => each.getBoundingClientRect().right > edge + 1).map(named);
  const cut = [...document.querySelectorAll("svg.marks text")].filter((each) => {
    const [own, whole] = [each, each.closest("svg")].map((part) => part.getBoundingClientRect());
    return own.top < whole.top - 1 || own.right > whole.right + 1 || own.bottom > whole.bottom + 1;
  }).map(named);
  return [edge, wider, cut];
})()"""
FRAME = """(() => {
  const slider = document.querySelector(".slider input");
  const panels = [...slider.closest("figure").querySelectorAll(".panel")];
  const seen = panels.filter((panel) => getComputedStyle(panel).visibility === "visible");
  return [Number(slider.value), seen.map((panel) => panels.indexOf(panel)), slider.getAttribute("aria-valuetext"),
    seen[0].querySelector("h4").textContent];
})()"""
OPEN = "document.activeElement.closest('details').open"
MOST_STOPS = 60
"""Number of presses of Tab within which everything of these pages is reached."""


def tab_to(page: Browser, selector: str) -> None:
    """Press Tab until an element that a selector names has the focus."""
    for _ in range(MOST_STOPS):
        page.press("Tab")
        if page.find(f"document.activeElement.matches({selector!r})"):
            return
    raise AssertionError(f"no press of Tab reaches {selector}")


def test_no_name_in_sight_is_cut_while_the_window_changes_its_size(tmp_path: Path) -> None:
    ds, _ = make_sweep(gammas={"ntk": 0.5, LONG: 1.0}, seeds=2)
    written = analysis.write_report(ds, tmp_path / "report")
    with Browser(written.html, tmp_path / "profile", 1280) as page:
        page.wait_for_charts()
        page.find("document.querySelector('figure.plot').scrollIntoView({ behavior: 'instant' })")
        time.sleep(0.5)
        page.find(SAMPLE)
        for width in (700, 400, 1000):
            page.resize(width)
            time.sleep(0.6)
        frames = page.find("frames_")
        assert page.said == []
        assert page.asked == [written.html.as_uri()]
    assert len({round(width) for _, width, _ in frames}) == 4
    assert all(shown for shown, _, _ in frames)
    assert [names for _, _, names in frames if names] == []


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_wider_than_the_page(width: int, tmp_path: Path) -> None:
    ds, _ = make_sweep(gammas={"ntk": 0.5, LONG: 1.0, LONG.replace(" ", "_"): 0.75})
    written = analysis.write_report(ds, tmp_path / "report")
    with Browser(written.html, tmp_path / "profile", width) as page:
        page.wait_for_charts()
        for narrow in (width, int(0.6 * width)):
            page.resize(narrow)
            time.sleep(1.5)
            assert page.find(BEYOND) == [narrow, [], []]
        assert page.said == []


@pytest.fixture(scope="module")
def particles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a sweep of particles with five snapshots."""
    folder = tmp_path_factory.mktemp("keys")
    sweepengine.run(changed(WELLS, dynamics={"snapshots": 5}), folder / "w.zarr", executor="inline")
    return analysis.write_report(str(folder / "w.zarr"), folder).html


def test_the_slider_is_reached_and_moved_by_keys(particles: Path, tmp_path: Path) -> None:
    with Browser(particles, tmp_path / "profile", 400) as page:
        page.wait_for_charts()
        tab_to(page, ".slider input")
        assert page.find("getComputedStyle(document.activeElement).outlineStyle") != "none"
        found = [page.find(FRAME)]
        for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "End", "ArrowRight", "Home"):
            page.press(key)
            found.append(page.find(FRAME))
        assert page.said == []
    assert [value for value, *_ in found] == [0, 1, 2, 1, 4, 4, 0]
    assert all(shown == [value] and told == heading for value, shown, told, heading in found)


@pytest.mark.parametrize("key", [" ", "Enter"])
def test_toggles_are_reached_and_moved_by_keys(key: str, particles: Path, tmp_path: Path) -> None:
    with Browser(particles, tmp_path / "profile", 1280) as page:
        page.wait_for_charts()
        for selector in (".chart details > summary", "section > details > summary"):
            tab_to(page, selector)
            page.wait_for("getComputedStyle(document.activeElement).opacity === '1'")  # it fades in
            states = [page.find(OPEN)]
            for _ in range(2):
                page.press(key)
                states.append(page.find(OPEN))
            assert states == [False, True, False]
        page.press("Tab", shift=True)
        assert page.find("document.activeElement.matches('.scroll')")
        assert page.said == []
