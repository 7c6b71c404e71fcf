"""TLS with client certificates between a real worker and a real Zeek."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest

from testing.worker import running_worker
from testing.zeek import Standalone, replay, wait_until
from tests.certificates import authority, signed
from tests.zeek.helpers import identified, speed

pytestmark = pytest.mark.usefixtures("zeek")


def says(worker: subprocess.Popen[str], text: str) -> bool:
    """Whether the worker has this in a message; it is ended after a minute without."""
    assert worker.stderr is not None
    patience = threading.Timer(60, worker.kill)
    patience.start()
    try:
        return any(text in line for line in worker.stderr)
    finally:
        patience.cancel()


def test_zeek_takes_a_worker_with_a_certificate_of_its_authority_and_no_other(
    sample_capture: Path, tmp_path: Path
) -> None:
    ours, other = authority(tmp_path, "ours"), authority(tmp_path, "other")
    certificate, key = signed(tmp_path, "zeek", ours)
    options = tmp_path / "tls.zeek"
    # As docs/options.md has it.
    options.write_text(
        f"""redef NBA::tls_options = Cluster::WebSocketTLSOptions($cert_file="{certificate}",
    $key_file="{key}", $enable_peer_verification=T, $ca_file="{ours}");\n"""
    )
    good, bad = signed(tmp_path, "worker", ours), signed(tmp_path, "stranger", other)
    traffic = (options, *replay(sample_capture, speed(40)))
    with Standalone(tmp_path / "zeek", traffic) as zeek:
        secure = zeek.url.replace("ws://", "wss://")
        for url, *arguments in (
            (zeek.url,),
            (secure, "--ca", ours),
            (secure, "--ca", ours, "--cert", bad[0], "--key", bad[1]),
            (secure, "--ca", other, "--cert", good[0], "--key", good[1]),
        ):
            with running_worker(url, *map(str, arguments)) as stranger:
                assert says(stranger, "no connection to Zeek")
                assert zeek.zeek.running
        assert zeek.rows("nba_device") == []
        ours_with = ("--ca", ours, "--cert", good[0], "--key", good[1])
        with running_worker(secure, *map(str, ours_with)):
            wait_until(lambda: identified(zeek))
