"""Every command in README and docs: which test runs it, or why none does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "models/default/README.md",
]

# By how a block that is no command begins: JSON, YAML, CSV, a setting, Zeek, a formula, a message.
_DATA = re.compile(r"""[{"@<\d-]|NBA_|\w+ = |[\w., ]+:(?:\s|$)|[\w,]+,\w+$|redef |hook """)
_OURS = re.compile(r"(?:\S*/)?(nba-broker|nba-train) (model [a-z]+|[a-z]+)(.*)")
_PLACEHOLDER = re.compile(r"\.\.\.|\[|\b[A-Z]+\b(?!=)")

RUN_HERE = {
    "nba-broker label 02:4e:42:41:01:01 Hall_Doorbell --category doorbell"
    " --annotations annotations.csv",
    'nba-broker confirm 192.168.77.20 --reason "new firmware" --annotations annotations.csv',
    "nba-broker ignore --pool as:15169 --expires 2027-01-01 --annotations annotations.csv",
    "nba-broker score /opt/zeek/logs/2026-11-* --out results",
    "nba-broker hosts --state DIR [--format table|csv|json|ocsf]",
    "/opt/nba/bin/nba-broker doctor --state state",
}
"""Run by tests/unit/test_commands.py."""

RUN_IN_TRAINING = {
    "nba-train fit /opt/zeek/logs/2026-1* --labels labels.csv --until 2026-11-20 --out mymodel",
    "nba-train evaluate /opt/zeek/logs/2026-11-2* --labels labels.csv --model mymodel"
    " --since 2026-11-20 --json report.json",
}
"""Run by tests/training/test_training_commands.py."""

_FIRST_DAY = "tests/zeek/test_first_day.py"
_STORE = "tests/unit/model/test_model_store.py"
_TRIAGE = "tests/unit/triage/test_triage_app.py"
_WORKER = "tests/zeek/test_worker.py"
_MUD = "tests/unit/cli/test_mud.py"
_CARRIED = "tests/unit/test_carried_install.py"

RUN_ELSEWHERE = {
    "promtool test rules packaging/prometheus/nba.rules.test.yml": "tests/unit/test_packaging.py",
    "nba-broker run --model mymodel": _WORKER,
    "/opt/nba/bin/nba-broker run --state state": _WORKER,
    "nba-broker pcap capture.pcap --out results": _WORKER,
    "nba-broker run --partition 0 --state /var/lib/nba": "tests/zeek/test_partitions.py",
    "nba-broker run --partition 1 --state /var/lib/nba1": "tests/zeek/test_partitions.py",
    "nba-broker mud 02:4e:42:41:01:01 /opt/zeek/logs/2026-11-* --check /opt/zeek/logs/2026-12-0*"
    " --json doorbell.json": _MUD,
    "tar -czf nba.tar.gz wheels zeek-scripts packaging": _CARRIED,
    "tar -xzf nba.tar.gz": _CARRIED,
    "python3 -m venv /opt/nba && /opt/nba/bin/pip install --no-index --find-links wheels"
    " nba-broker": _CARRIED,
    "cp -r zeek-scripts /opt/zeek/share/zeek/site/zeek-nba": _CARRIED,
    "zkg install zeek-nba": "tests/zeek/test_zkg.py",
    "zkg install .": "tests/zeek/test_zkg.py",
    "zkg refresh && zkg upgrade": "tests/zeek/test_zeekctl.py",
    "zkg remove zeek-nba": "tests/zeek/test_zeekctl.py",
    "zeekctl deploy": "tests/zeek/test_zeekctl.py",
    "/opt/nba/bin/nba-broker run --state state --annotations annotations.csv": _WORKER,
    "/opt/nba/bin/nba-train labels logs": _FIRST_DAY,
    "/opt/nba/bin/nba-train fit logs --labels labels.csv --out mymodel": _FIRST_DAY,
    "/opt/nba/bin/nba-broker run --model mymodel --state state --annotations annotations.csv": (
        _FIRST_DAY
    ),
    "/opt/nba/bin/nba-broker hosts --state state": _FIRST_DAY,
    "/opt/nba/bin/nba-broker triage logs --annotations annotations.csv": _FIRST_DAY,
    "nba-broker model install candidate --model /etc/nba/model": _STORE,
    "nba-broker model rollback --model /etc/nba/model": _STORE,
    "nba-broker model show --model /etc/nba/model": _STORE,
    "nba-broker triage /opt/zeek/logs --annotations annotations.csv": _TRIAGE,
    "nba-broker triage /opt/zeek/logs --annotations /etc/nba/annotations.csv": _TRIAGE,
    'nba-broker triage /opt/zeek/logs --html ticket.html --filter "q=02:4e:42:41:01:01"': _TRIAGE,
    "nba-train refresh /opt/zeek/logs/2026-1* --labels labels.csv --annotations annotations.csv"
    " --model /etc/nba/model --out candidate --json refresh.json --html refresh.html": (
        "tests/training/test_training_refresh.py"
    ),
    "nba-train stress logs --labels labels.csv --model mymodel --judged 2020-09-16"
    " --json stress.json --html stress.html": "tests/unit/training/test_stress.py",
    "nba-train elsewhere office home --model mymodel --as Hue_White=Hall_Bulb --json elsewhere.json"
    " --html elsewhere.html": "tests/unit/training/test_elsewhere.py",
    "nba-train evaluate logs --labels labels.csv --rolling 2026-11-20 --every 7 --json rolling.json"
    " --html rolling.html": "tests/training/test_training_rolling_days.py",
    "nba-train evaluate /lake/zeek --labels labels.csv --model mymodel --json report.json"
    " --scheduler tcp://10.0.0.1:8786": "tests/training/test_training_cluster.py",
    "nba-broker score /lake/zeek --scheduler tcp://10.0.0.1:8786 --out results": (
        "tests/training/test_training_score.py"
    ),
}
"""Run by a test that needs more than Python, which is skipped without that."""

_CONTAINERS = "needs podman; tests/unit/test_containerfile.py runs the steps without it"
_CLUSTER = "needs an OpenSearch cluster"
_NETWORK = "fetches packages from the Internet"
_ROOT = "changes the system, as root"
_DASK = "opens a port; tests/training/test_training_cluster.py starts the same on loopback"
_LSIF = "needs traffic that is not in the repository, and up to hours"
_SENSOR = "needs a sensor; tests/unit/worker/test_worker.py runs a worker with a shadow"
_SOC = "needs an installation of that product"

NOT_RUN = {
    "dask scheduler --host tcp://10.0.0.1:8786": _DASK,
    "dask worker tcp://10.0.0.1:8786 --nworkers 16 --nthreads 1": _DASK,
    'make bench BENCH="pipeline decode"': "takes minutes",
    "make demo": _NETWORK,
    "make dist": _NETWORK,
    "make lint": "is what CI runs beside the tests",
    ".venv/bin/pytest tests/unit/wire": "is what runs the tests",
    "make test": "is what runs the tests",
    "pip install 'nba-broker[cluster]'": _NETWORK,
    "pip install 'nba-broker[train]'": _NETWORK,
    "pip install 'nba-broker[netbox]'": _NETWORK,
    "pip install 'nba-broker[triage]'": _NETWORK,
    "nba-broker run --model /etc/nba/model --shadow candidate --state /var/lib/nba": _SENSOR,
    "python -m benchmarks.same_log [--rows 10000000] [--archive DIR]": "takes 20 minutes",
    "python -m benchmarks.day --capture F.pcap.gz [--speed 72] [--undisturbed] [--keep DIR]": (
        "takes 20 minutes"
    ),
    "python -m benchmarks.soak --minutes 20 --rate 20000 [--keep DIR]": "takes 20 minutes",
    "python3 -m venv /opt/nba": _ROOT,
    "/opt/nba/bin/pip install --no-deps -c constraints.txt"
    " --index-url https://download.pytorch.org/whl/cpu torch": _NETWORK,
    "/opt/nba/bin/pip install -c constraints.txt '.[train,triage]'": _NETWORK,
    "mkdir -p logs && cd logs && zeek -i eth1 local": "needs a network interface to capture from",
    "pip wheel -c constraints.txt --wheel-dir wheels '.[triage]'": _NETWORK,
    "python3 -m venv /opt/nba && /opt/nba/bin/pip install nba-broker": _NETWORK,
    "python3 -m venv /opt/nba && /opt/nba/bin/pip install .": _NETWORK,
    "mkdir -p /etc/nba && touch /etc/nba/environment": _ROOT,
    "install -m 644 packaging/nba-broker.service /etc/systemd/system/": _ROOT,
    "systemctl disable --now nba-broker": _ROOT,
    "systemctl daemon-reload && systemctl enable --now nba-broker": _ROOT,
    "install -m 644 packaging/nba-broker.service /etc/systemd/system/nba-broker@.service": _ROOT,
    "install -D -m 644 -t /etc/systemd/system/nba-broker@.service.d"
    " packaging/nba-broker@.service.d/partition.conf": _ROOT,
    "systemctl daemon-reload && systemctl enable --now nba-broker@1": _ROOT,
    "(set -a; . /etc/nba/environment; /opt/nba/bin/nba-broker doctor --state /var/lib/nba)": _ROOT,
    "zeek-cut -d ts host state device confidence < nba_device.log": "needs Zeek's zeek-cut",
    "cd packaging/opensearch": _CLUSTER,
    "SEARCH=https://search.example:9200": _CLUSTER,
    "for log in nba_device nba_site nba_stats; do": _CLUSTER,
    "curl -X PUT \"$SEARCH/_ingest/pipeline/$log\" -H 'Content-Type: application/json'"
    ' -d "@$log.pipeline.json"': _CLUSTER,
    "curl -X PUT \"$SEARCH/_index_template/$log\" -H 'Content-Type: application/json'"
    ' -d "@$log.index-template.json"': _CLUSTER,
    "done": _CLUSTER,
    "podman build -t nba-broker -f packaging/Containerfile .": _CONTAINERS,
    "podman run -d --network host -v nba:/var/lib/nba nba-broker": _CONTAINERS,
    "cp -r zeek-scripts /opt/malcolm/zeek/custom/zeek-nba": _SOC,
    "echo '@load ./zeek-nba' >> /opt/malcolm/zeek/custom/__load__.zeek": _SOC,
    "sudo cp -r zeek-scripts /opt/so/saltstack/local/salt/zeek/policy/custom/zeek-nba": _SOC,
    "sudo cp packaging/opensearch/nba_device.pipeline.json"
    " /opt/so/saltstack/local/salt/elasticsearch/files/ingest/zeek.nba_device": _SOC,
    "sudo cp packaging/opensearch/nba_site.pipeline.json"
    " /opt/so/saltstack/local/salt/elasticsearch/files/ingest/zeek.nba_site": _SOC,
    "sudo cp packaging/opensearch/nba_stats.pipeline.json"
    " /opt/so/saltstack/local/salt/elasticsearch/files/ingest/zeek.nba_stats": _SOC,
    "python -m tools.names ARCHIVE... --labels labels.csv": _LSIF,
    "python -m tools.day_one ARCHIVE... --model DIR --truth labels.csv": _LSIF,
    "nba-train labels ARCHIVE --truth labels.csv --products tools/products.csv": _LSIF,
    "python -m tools.splice lsif --device 84:f3:eb:18:91:dd --attack beacon-30min --at 2019-07-12"
    " --out spliced": _LSIF,
    "nba-broker score spliced --out spliced": _LSIF,
    "nba-train fit lsif --labels lsif/labels.csv --until 2019-07-10 --out lsif-first": _LSIF,
    "nba-train alarms lsif --labels lsif/labels.csv --judged 2019-07-10 --model lsif-first"
    " --json lsif.json": _LSIF,
    "nba-train mud lsif --labels lsif/labels.csv --judged 2019-07-10T07:40 --json mud.json": _LSIF,
    "nba-train fit fit --labels fit/labels.csv --until 2021-03-13T15:00 --out fit-first": _LSIF,
    "nba-train alarms fit --labels fit/labels.csv --judged 2021-03-13T15:00 --model fit-first"
    " --json fit.json": _LSIF,
    "nba-train alarms lsif --labels lsif/labels.csv --rolling 2019-07-04 --every 2"
    " --json rolling.json": _LSIF,
    "nba-train alarms fit --labels fit/labels.csv --rolling 2021-03-11 --json rolling.json": _LSIF,
    "nba-train fit lsif --labels lsif/labels.csv --until 2019-07-06 --background-without lsif"
    " --out lsif-first": _LSIF,
    "nba-train stress lsif --labels lsif/labels.csv --model lsif-first --judged 2019-07-06"
    " --json lsif.json": _LSIF,
    "nba-train fit fit --labels fit/labels.csv --until 2021-03-12 --background-without fit"
    " --out fit-first": _LSIF,
    "nba-train stress fit --labels fit/labels.csv --model fit-first --judged 2021-03-12"
    " --json fit.json": _LSIF,
    "nba-train elsewhere fit sentinel uclfirewall thingscope iot23-benign non_iot"
    " --model lsif-first --json elsewhere.json": _LSIF,
    "nba-train elsewhere uclfirewall --model hue --as philips-hue=Philips_Hue_Bridge"
    " --json elsewhere.json": _LSIF,
    "nba-train unknowns lsif --labels lsif/labels.csv --confusable tp-link_LightBulb"
    " --confusable tp-link_SmartPlug --json unknowns.json": _LSIF,
    "nba-train unknowns sentinel --labels sentinel/labels.csv --json unknowns.json": _LSIF,
    "nba-train compare lsif non_iot --labels lsif/labels.csv --labels non_iot/labels.csv"
    " --protocol unit --by iot --json iot.json": _LSIF,
    "nba-train compare fit --labels fit/labels.csv --protocol unit --json units.json": _LSIF,
    "nba-train compare sentinel --labels sentinel/labels.csv --groups sentinel/setups.csv"
    " --protocol blocked --min-sessions 2 --merge Hue=HueBridge,HueSwitch"
    " --merge D-LinkHome=D-LinkHomeHub,D-LinkDoorSensor --json setups.json": _LSIF,
    "nba-train unknowns lsif --labels lsif/labels.csv --json unknowns.json"
    " --html unknowns.html": _LSIF,
    "nba-train compare lsif --labels lsif/labels.csv --protocol temporal"
    " --unknowns unknowns.json --json temporal.json --html temporal.html": _LSIF,
    "nba-train evaluate lsif --labels lsif-since.csv --model learned-before --json lsif.json"
    " --card card.md": _LSIF,
    "nba-train evaluate fit --labels fit-since.csv --model learned-before --json fit.json"
    " --card card.md": _LSIF,
    "nba-train evaluate non_iot --labels pc-1-since.csv --labels pc-2-since.csv"
    " --model learned-before --json non_iot.json --card card.md": _LSIF,
}
"""Not run by any test, and why. Of ours the options are looked at all the same."""


def shown(text: str) -> list[str]:
    """The commands in a document's indented blocks, without comments, continued lines joined."""
    found = []
    inside = data = False
    before = ""
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("    ") and (inside or not before.strip()):
            line = line.strip()
            if not inside:
                data = _DATA.match(line) is not None
            inside = True
            if line and not data:
                found.append(re.sub(r"\s{2,}#.*$", "", re.sub(r"\s{2,}(?!#)", " ", line)))
        else:
            inside = inside and not line.strip()
        before = line
    return found


def quoted(text: str) -> list[str]:
    """Our own commands that the running text names with options or arguments."""
    spans = re.findall(r"`([^`]+)`", re.sub(r"\s*\n\s*", " ", text))
    return [span for span in spans if _OURS.fullmatch(span)]


def is_synopsis(command: str) -> bool:
    """Whether it shows what a command of ours takes, instead of one to type."""
    ours = _OURS.fullmatch(command)
    return ours is not None and _PLACEHOLDER.search(ours[3]) is not None


def options(command: str) -> tuple[str, str, set[str]] | None:
    """Program, subcommand and option names of a command of ours."""
    ours = _OURS.search(command)
    if ours is None:
        return None
    return ours[1], ours[2], set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", ours[3]))


def words(command: str, **instead: str) -> list[str]:
    """What to give ``main``: the words behind the program, some of them replaced."""
    return [instead.get(word, word) for word in shlex.split(command)[1:]]
