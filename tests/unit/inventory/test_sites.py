"""The site rules say where a host is, by its address."""

from __future__ import annotations

from pathlib import Path

import pytest

from nba_broker.inventory import sites
from nba_broker.records.errors import ConfigError


def rules(folder: Path, *lines: str) -> sites.SiteRules:
    path = folder / "sites.csv"
    path.write_text("\n".join(["cidr,site", *lines]) + "\n")
    return sites.read(path)


def test_the_narrowest_network_gives_the_site(tmp_path: Path) -> None:
    found = rules(tmp_path, "10.0.0.0/8,hamburg", "10.1.0.0/16,berlin", "2001:db8::/32,kiel")
    asked = ("10.0.0.1", "10.1.0.1", "192.168.0.1", "2001:db8::1", "fe80::1")
    assert [found.site_of(one) for one in asked] == ["hamburg", "berlin", "", "kiel", ""]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("10.0.0.1/8,hamburg", "sites.csv:2: 10.0.0.1/8 has host bits set"),
        ("10.0.0.0/8", "sites.csv:2: no site for 10.0.0.0/8"),
        ("10.0.0.0/8,a\n10.0.0.0/8,b", "sites.csv:3: 10.0.0.0/8 is at a already"),
    ],
)
def test_a_mistake_is_one_clear_error_with_its_line(
    line: str, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        rules(tmp_path, line)


def test_another_first_line_and_a_missing_file_are_clear_errors(tmp_path: Path) -> None:
    (tmp_path / "sites.csv").write_text("network;site\n")
    with pytest.raises(ConfigError, match="the first line must be cidr,site"):
        sites.read(tmp_path / "sites.csv")
    with pytest.raises(ConfigError, match="no-such-file"):
        sites.read(tmp_path / "no-such-file")
