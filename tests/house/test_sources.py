"""Everything that is cited can be opened: works in the bibliography, sections and claims in the page of conventions."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sweepengine.analysis._kinds import findings_of
from sweepengine.analysis.claims import CLAIMS
from sweepengine.observe import declared
from sweepengine.sources import SUBJECTS, WORKS, works_cited

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
THEORY = (ROOT / "docs" / "theory.md").read_text()
BIBLIOGRAPHY = (ROOT / "docs" / "bibliography.md").read_text()
HEADINGS = re.findall(r"^###? (\d+(?:\.\d+)?)\.? ", THEORY, flags=re.MULTILINE)
IDS = {claim.id for claim in CLAIMS}
KINDS = ("networks", "particles", "computation")


FOLDERS = ("analysis", "benchmarks", "docs", "jobs", "sweepengine", "tests")


def texts() -> Iterator[tuple[str, str]]:
    """Name and text of every file of the repository that may cite, without line breaks."""
    inside = (path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*")))
    for path in (*ROOT.glob("*.md"), *inside):
        name = path.relative_to(ROOT).as_posix()
        linked = name.startswith(("sweepengine/analysis/", "sweepengine/jobs/"))
        if path.suffix in {".py", ".md", ".yaml"} and not linked and path != Path(__file__):
            yield name, re.sub(r"\s*\n\s*(# )?", " ", path.read_text())


def sources() -> Iterator[tuple[str, str]]:
    """What is described, and its source: arrays of stores, quantities, expectations and claims."""
    for kind in KINDS:
        yield from ((f"{kind} {name}", each.variable.source) for name, each in declared(kind).items())
        yield from ((f"{kind} {each.name}", each.source) for each in findings_of(kind).quantities)
    for claim in CLAIMS:
        yield claim.id, claim.source
        for expectation in (each for evidence in claim.evidence for each in evidence.expected):
            yield claim.id, expectation.source
            yield f"{claim.id} {expectation.quantity.name}", expectation.quantity.source


def wrong_parts(source: str) -> list[str]:
    """The parts of a source that name neither a work nor a section, with a claim where the section is theirs."""
    found = []
    for part in source.split("; "):
        section = re.fullmatch(r"theory\.md §([\d.]+)(?: ([a-z0-9-]+))?", part)
        if section:
            known = section[1] in HEADINGS and (section[2] in IDS if section[1] == "7" else section[2] is None)
        else:
            known = part.split(", ", 1)[0] in WORKS
        found += [] if known else [part]
    return found


def test_every_source_names_works_and_sections_that_exist() -> None:
    found = list(sources())
    assert len(found) > 300
    assert {(what, *wrong) for what, source in found if (wrong := wrong_parts(source))} == set()


@pytest.mark.parametrize(
    "source",
    ["", "seed 3", "Jacot 2018", "theory.md §9", "theory.md §7 ntk", "theory.md §2.2 identity", "theory.md §7"],
)
def test_a_source_that_names_nothing_is_seen(source: str) -> None:
    assert wrong_parts(source) == [source]
    assert wrong_parts(f"Jacot et al. 2018, Thm 2; {source}") == [source]
    assert works_cited([f"Jacot et al. 2018, Thm 2; {source}"]) == (WORKS["Jacot et al. 2018"],)


def test_the_bibliography_has_the_entries_of_the_table() -> None:
    expected = {
        subject: [
            f'<a id="{work.anchor}"></a>**{work.label}.** {work.reference}.'
            + (f" [{work.link if work.link != work.address else 'address'}]({work.address})" if work.link else "")
            for work in works
        ]
        for subject, works in SUBJECTS.items()
    }
    found = {
        subject: [re.sub(r"\s+", " ", entry).strip() for entry in f"\n{entries}".split("\n* ")[1:]]
        for subject, entries in re.findall(
            r"^## ([^\n]*)\n(.*?)(?=^## |\Z)", BIBLIOGRAPHY, flags=re.MULTILINE | re.DOTALL
        )
    }
    assert found == expected
    assert len({work.anchor for work in WORKS.values()}) == len(WORKS) == sum(map(len, SUBJECTS.values()))
    for works in SUBJECTS.values():
        anchors = [work.anchor for work in works]
        assert anchors == sorted(anchors)


def test_sections_are_numbered_and_have_their_anchors() -> None:
    assert HEADINGS[0] == "1"
    for before, after in pairwise(HEADINGS):
        first, *second = map(int, before.split("."))
        allowed = {f"{first + 1}", f"{first}.{second[0] + 1}" if second else f"{first}.1"}
        assert after in allowed, after
    anchors = re.findall(r'^<a id="(s[\d-]+)"></a>\n\n###? ([\d.]+)', THEORY, flags=re.MULTILINE)
    assert [(f"s{number.strip('.').replace('.', '-')}", number) for _, number in anchors] == anchors
    assert [number.strip(".") for _, number in anchors] == HEADINGS
    assert set(re.findall(r"\(#([\w-]+)\)", THEORY)) <= {anchor for anchor, _ in anchors} | IDS


def test_every_section_that_a_text_cites_exists() -> None:
    cited: dict[str, set[str]] = {}
    for name, text in texts():
        for places in re.findall(r"theory\.md`?,? ((?:§[\d.]*\d(?:, )?)+)", text):
            cited.setdefault(name, set()).update(re.findall(r"[\d.]*\d", places))
        if name == "docs/theory.md":
            own = re.sub(r"(?:[A-Z]\S+ notes|\d{4}|There|there), (?:and )?§[\d.]*\d", "", text[: text.index("## 7. ")])
            cited[name] = set(re.findall(r"(?<!ch\. )§(\d(?:\.\d)?)\b", own))
    assert len(cited) > 100
    assert {name: wrong for name, found in cited.items() if (wrong := found - set(HEADINGS))} == {}


def test_every_work_that_a_text_cites_is_in_the_bibliography() -> None:
    """Authors with a year: "Xu 2021", "Cho & Saul 2009", "Du et al. 2019"."""
    name = r"[A-ZŠ][A-Za-zÀ-ž’-]+"
    pattern = re.compile(rf"\b({name}(?: et al\.| (?:&|and) {name})?),? \(?((?:18|19|20)\d\d)\b")
    labels = {f" {label}" for label in WORKS}
    cited: dict[str, set[str]] = {}
    for file, text in texts():
        if file not in {"sweepengine/sources.py", "docs/bibliography.md", "CHANGELOG.md"}:
            cited[file] = {f" {who} {year}".replace(" and ", " & ") for who, year in pattern.findall(text)}
    assert sum(map(len, cited.values())) > 150
    unknown = {
        file: {each for each in found if not any(label.endswith(each) for label in labels)}
        for file, found in cited.items()
    }
    assert {file: found for file, found in unknown.items() if found} == {}


def test_the_claims_in_the_page_are_those_that_are_decided() -> None:
    rows = re.findall(
        r'^\| <a id="([\w-]+)"></a>\[([\w-]+)\]\(claims\.md#([\w-]+)\) \|.* \| (.*) \|$', THEORY, re.MULTILINE
    )
    assert all(len(set(row[:3])) == 1 for row in rows)
    assert {row[0]: row[3] for row in rows} == {claim.id: claim.source for claim in CLAIMS}
    assert [row[0] for row in rows] == sorted(IDS)
    paragraphs = re.findall(r"^## ([\w-]+)$", (ROOT / "docs" / "claims.md").read_text(), flags=re.MULTILINE)
    assert sorted(paragraphs) == sorted(IDS)


def test_formulas_are_whole_and_survive_markdown() -> None:
    formulas = re.findall(r"\$\$.*?\$\$|\$[^$]+\$", THEORY, flags=re.DOTALL)
    assert len(formulas) > 300
    for each in formulas:
        assert each.count("{") == each.count("}"), each
        assert each.count(r"\left") - each.count(r"\leftarrow") == each.count(r"\right") - each.count(r"\rightarrow"), (
            each
        )
        assert not re.search(r"\\[^A-Za-z\s]|\|", each), each  # Markdown would take it for its own
        assert "\n\n" not in each, each
    assert not re.findall(
        r"^ *\d+\. .*", THEORY, flags=re.MULTILINE
    )  # a sentence's number that begins a line is a list


def test_no_text_cites_what_only_its_authors_can_open() -> None:
    mark = re.compile(r"\bS[0-4]( §| eqs? | lemma| fact| [Tt]hm| prop)|trial read|\bseed and equation", re.IGNORECASE)
    assert {name for name, text in texts() if mark.search(text)} == set()
