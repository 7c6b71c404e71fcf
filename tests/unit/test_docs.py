"""The documentation speaks of what there is, and of all of it."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from nba_broker.records.site_events import KINDS, SiteEvent
from nba_broker.records.site_spans import WORDS
from nba_broker.records.verdicts import Row
from nba_broker.worker.settings import Settings
from tests.unit.helpers import ROOT, columns, scripts


def exported(text: str) -> str:
    return "\n".join(re.findall(r"^export \{$(.*?)^\t?\}$", text, re.MULTILINE | re.DOTALL))


def table(document: str, *, after: str) -> dict[str, str]:
    """The first two cells of a section's table, by each name in the first."""
    section = (ROOT / document).read_text().split(after, 1)[1].split("\n## ", 1)[0]
    rows = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) > 1 and cells[0].startswith("`"):
            rows |= dict.fromkeys(re.findall(r"`([^`]+)`", cells[0]), cells[1])
    return rows


def test_every_option_of_the_package_is_documented_with_its_default() -> None:
    text = exported(scripts())
    found = re.findall(r"^\t(option|const) (\w+)(?:: [\w\[\] ]+)? = (.*?)(?: &redef)?;", text, re.M)
    options = {
        f"NBA::{name}": (kind, default)
        for kind, name, default in found
        if kind == "option" or (f"const {name}" in text and "&redef" in _line(text, name))
    }
    documented = table("docs/options.md", after="## The Zeek package")
    assert set(documented) == set(options)
    for name, (kind, default) in options.items():
        if name != "NBA::tls_options":
            assert documented[name] == f"{kind}, `{default}`"


def _line(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if re.match(rf"\tconst {name}\b", line))


def test_every_setting_of_the_worker_is_documented() -> None:
    documented = table("docs/options.md", after="## The worker")
    assert set(documented) == {field.name for field in dataclasses.fields(Settings)}


def test_every_column_of_the_device_log_is_documented_in_its_order() -> None:
    names = [field.name for field in dataclasses.fields(Row)]
    assert list(table("docs/logs.md", after="## nba_device.log")) == names
    assert list(columns("DeviceInfo")) == names


def test_every_column_and_kind_of_the_site_log_is_documented_in_its_order() -> None:
    names = [field.name for field in dataclasses.fields(SiteEvent)]
    documented = table("docs/logs.md", after="## nba_site.log")
    assert list(documented) == [*names, *KINDS]
    assert {kind: documented[kind] for kind in KINDS} == WORDS
    assert list(columns("SiteInfo")) == names


def test_every_notice_is_documented() -> None:
    types = "".join(
        re.findall(r"redef enum Notice::Type \+= \{(.*?)^\t\};", scripts(), re.M | re.S)
    )
    notices = {f"NBA::{name}" for name in re.findall(r"^\t\t(\w+),$", types, re.M)}
    assert len(notices) > 5
    for document in ("README.md", "docs/logs.md"):
        text = (ROOT / document).read_text()
        assert set(re.findall(r"^\| `(NBA::\w+)` \|", text, re.M)) == notices


def test_every_column_of_the_stats_log_is_documented() -> None:
    assert set(table("docs/logs.md", after="## nba_stats.log")) == set(columns("StatsInfo"))


DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "models/default/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]


def anchors(document: Path) -> set[str]:
    """The headings of a document as links name them."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}


def test_links_between_documents_lead_somewhere() -> None:
    for document in DOCUMENTS:
        for path, anchor in re.findall(
            r"\]\((?!http)([^)#]*)(?:#([^)]+))?\)", document.read_text()
        ):
            target = document.parent / path if path else document
            assert target.exists(), f"{document}: {path}"
            assert not anchor or anchor in anchors(target), f"{document}: {path}#{anchor}"


def test_files_that_documents_name_exist() -> None:
    folders = "nba_broker|training|zeek-scripts|tests|testing|tools|benchmarks|packaging|docs"
    for document in DOCUMENTS:
        for path in re.findall(rf"`((?:{folders})/[\w./@-]+\.\w+)`", document.read_text()):
            assert (ROOT / path).exists(), f"{document.name}: {path}"
