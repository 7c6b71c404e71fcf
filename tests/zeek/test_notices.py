"""The model of Zeek's manager that training counts notices with raises those that Zeek raises."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from nba_broker.records.verdicts import REASONS, STATES
from testing.zeek import PACKAGE, read_rows
from training.evaluation.notices import Manager

SCRIPTS = Path(__file__).parent / "btest" / "Scripts"
BEGIN = 1_700_000_000.0
HOUR, DAY = 3600.0, 86_400.0
SLACK = 60.0
"""Seconds: Zeek looks every ten seconds for what it need not suppress any more."""

NOTICES = {
    "unknown": "NBA::Unknown_Device",
    "changed": "NBA::Changed_Device",
    "misbehaving": "NBA::Misbehaving_Device",
    "impostor": "NBA::Impostor_Device",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A verdict, as far as notices depend on it."""

    ts: float
    host: str
    vlan: str
    first_seen: float
    state: str
    device: str
    reason: str

    @property
    def zeek(self) -> str:
        """This line as a Zeek script has it."""
        return (
            f"Test::steps += Test::Verdict($ts={self.ts}, $host={self.host}, "
            f'$vlan="{self.vlan}", $first_seen={self.first_seen}, $since={self.ts}, '
            f'$state="{self.state}", $device="{self.device}", $reason="{self.reason}");'
        )


def generated(seed: int, number: int, suppression: float, baseline: float) -> list[Line]:
    """Verdicts of nine hosts, three at each address, most of which change back and forth between
    few states; their baselines are over for long, for a second, just now, or in a second."""
    random = Random(seed)
    hosts = [(f"10.0.0.{last}", vlan) for last in (1, 2, 3) for vlan in ("", "10", "20")]
    favourites = {host: random.sample(STATES, 3) for host in hosts}
    ts, lines = BEGIN, []
    raised: dict[tuple[object, ...], list[float]] = {}
    while len(lines) < number:
        ts += random.choice((1, 1, 30, 600, HOUR, suppression / 3)) + random.randrange(1, 60)
        host, vlan = one = random.choice(hosts)
        state = random.choice(favourites[one] if random.random() < 0.8 else STATES)
        device = "" if state in ("learning", "unknown") else random.choice(("Lens", "Lamp"))
        reason = "change" if random.random() < 0.8 else random.choice(REASONS)
        times = raised.setdefault((one, state, device), [])
        if all(abs(ts - before - suppression) > SLACK for before in times):
            times.append(ts)
            first_seen = ts - baseline - random.choice((DAY, 1, 0, -1 if baseline else 0))
            lines.append(Line(ts, host, vlan, first_seen, state, device, reason))
    return lines


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("suppression", "baseline"), [(DAY, 7 * DAY), (HOUR, 2 * DAY), (0.0, 0.0)])
def test_the_model_of_the_manager_raises_the_notices_that_zeek_raises(
    zeek: Path, tmp_path: Path, seed: int, suppression: float, baseline: float
) -> None:
    lines = generated(seed, 400, suppression, baseline)
    script = tmp_path / "lines.zeek"
    body = "\n\t".join(line.zeek for line in lines)
    script.write_text(f"event zeek_init()\n\t{{\n\t{body}\n\t}}\n")
    subprocess.run(
        [
            *(zeek, PACKAGE, SCRIPTS / "verdict.zeek", Path(__file__).parent / "steps.zeek"),
            *(script, f"NBA::notice_suppression={suppression:.0f}secs"),
            f"NBA::baseline={baseline:.0f}secs",
        ],
        cwd=tmp_path,
        check=True,
        timeout=120,
    )
    manager = Manager(baseline=baseline, suppression=suppression)
    expected = [
        (line.ts, NOTICES[line.state], line.host)
        for line in lines
        if manager.raises(
            line.ts,
            (line.host, line.vlan),
            STATES.index(line.state),
            line.device,
            line.reason,
            line.first_seen,
        )
    ]
    rows = read_rows(tmp_path / "notice.log")
    assert [(float(row["ts"]), row["note"], row["src"]) for row in rows] == expected
    assert len(read_rows(tmp_path / "nba_device.log")) == len(lines)
    if suppression:  # both limits have held back something
        changes = [one for one in lines if one.reason == "change" and one.state in NOTICES]
        early = [one for one in changes if one.ts - one.first_seen < baseline]
        assert 50 < len(expected) < len(changes) - sum(one.state == "unknown" for one in early)
