"""Records what a running NetBox answers to ``nba-broker netbox``, for the contract tests.

Run ``python -m tests.contract.record_netbox URL`` in the root of a checkout. The NetBox must be
empty, without sites, devices and tags. NBA_NETBOX_TOKEN is the token of a user who has the
permissions that docs/inventory.md names and no others, NBA_NETBOX_ADMIN that of a superuser. With
``MAX_PAGE_SIZE = 3`` in its configuration NetBox answers in pages, as it does with many devices.
"""

from __future__ import annotations

import os
import sys

from tests.contract.netbox_play import Play, play
from tests.contract.netbox_recording import FOLDER, Exchange, Recorder, write


def main(url: str) -> None:
    """Play with the NetBox, and keep what was said."""
    exchanges: list[Exchange] = []
    try:
        play(
            Play(
                url,
                Recorder("command", url, exchanges),
                os.environ["NBA_NETBOX_TOKEN"],
                Recorder("person", url, exchanges),
                os.environ["NBA_NETBOX_ADMIN"],
            )
        )
    finally:
        version = exchanges[0]["version"] if exchanges else "unknown"
        write(FOLDER / f"{version}.jsonl", exchanges)
        print(f"{version}: {len(exchanges)} requests")


if __name__ == "__main__":
    main(sys.argv[1])
