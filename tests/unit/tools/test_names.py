"""The coverage of an archive by names is counted per host, over public sessions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nba_broker.archive import conn_log
from tests.unit.helpers import pools
from tools import names

CONN = "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tlocal_orig\n"
DNS = "#fields\tts\tid.orig_h\tid.resp_p\tquery\tqtype_name\trtt\tanswers\tTTLs\n"


def conn(ts: float, dst: str) -> str:
    return f"{ts}\tC{ts:.0f}\t192.168.1.7\t40000\t{dst}\t443\ttcp\tT\n"


def test_a_name_counts_from_the_answer_on_and_only_public_sessions_count(tmp_path: Path) -> None:
    base = 1.7e9
    (tmp_path / "conn.log").write_text(
        CONN
        + "".join(conn(base + ts, dst) for ts, dst in
                  [(0, "1.0.0.1"), (10, "192.168.1.1"), (3600, "1.0.0.1"), (3700, "2.0.0.2")])
    )  # fmt: skip
    (tmp_path / "dns.log").write_text(
        DNS + f"{base + 20}\t192.168.1.7\t53\tfw.example\tA\t0.01\t1.0.0.1\t60.0\n"
    )
    archive = conn_log.read([tmp_path], names=True)
    (one,) = names.coverage(archive, pools()).values()
    assert (one.sessions, one.named, one.names) == (3, 1, {"fw.example"})
    assert one.first == pytest.approx(1.0)
    assert names.lines({"192.168.1.7": one}, {"192.168.1.7": "Cam"})[1].split() == [
        "Cam", "3", "1", "33.3%", "1", "1.00"]  # fmt: skip


def test_a_host_without_names_has_no_first(tmp_path: Path) -> None:
    (line, *_) = names.lines({"h": names.Coverage(0.0, sessions=2)}, {})[1:]
    assert line.split() == ["h", "2", "0", "0.0%", "0", "-"]
    assert np.isnan(names.Coverage(0.0).first)
