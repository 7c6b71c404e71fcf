"""Where settings come from."""

from __future__ import annotations

import ipaddress
import re
import subprocess
import sys
from pathlib import Path

import pytest

import nba_broker
from nba_broker.cli import config
from nba_broker.records.errors import ConfigError


def test_flags_come_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "nba.toml"
    file.write_text('url = "ws://file"\nreminder = 1\nmax_hosts = 100\n')
    settings = config.load(
        file, {"NBA_REMINDER": "2", "NBA_MAX_HOSTS": "200", "HOME": "/"}, {"max_hosts": 300}
    )
    assert (settings.url, settings.reminder, settings.max_hosts) == ("ws://file", 2.0, 300)


def test_an_empty_variable_is_as_good_as_none(tmp_path: Path) -> None:
    file = tmp_path / "nba.toml"
    file.write_text(f'zeek = "{tmp_path}"\n')
    empty = {"NBA_ZEEK": "", "NBA_ANNOTATIONS": "", "NBA_POOLS": "", "NBA_MAX_HOSTS": ""}
    assert config.load(None, empty, {}) == config.load(None, {}, {})
    assert config.load(file, empty, {}).zeek == tmp_path


def test_lists_come_from_toml_lists_commas_and_repeated_flags(tmp_path: Path) -> None:
    file = tmp_path / "nba.toml"
    file.write_text('local = ["1.2.0.0/16"]\n')
    assert config.load(file, {}, {}).local == (ipaddress.ip_network("1.2.0.0/16"),)
    assert len(config.load(None, {"NBA_LOCAL": "1.0.0.0/8, 2.0.0.0/8"}, {}).local) == 2
    assert len(config.load(None, {}, {"local": ["1.0.0.0/8"]}).local) == 1


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("colour = 1\n", "unknown setting 'colour'"),
        ('max_hosts = "many"\n', "max_hosts = 'many' is not usable"),
        ('local = ["1.2.3.4/8"]\n', "host bits set"),
        ("url = \n", "nba.toml"),
        ('cert = "c.pem"\n', "cert and key go together"),
        ("max_hosts = 1\n", "from 16 to"),
        ("partition = -1\n", "partition must be from 0 to 999"),
        ("partition = 1000\n", "partition must be from 0 to 999"),
    ],
)
def test_a_setting_that_cannot_be_used_is_one_clear_error(
    tmp_path: Path, content: str, complaint: str
) -> None:
    file = tmp_path / "nba.toml"
    file.write_text(content)
    with pytest.raises(ConfigError, match=complaint):
        config.load(file, {}, {})


def imported_by(statement: str) -> set[str]:
    code = f"{statement}; import sys; print(' '.join({{m.split('.')[0] for m in sys.modules}}))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(result.stdout.split())


def test_the_live_worker_needs_neither_arrow_nor_torch_nor_training() -> None:
    modules = imported_by("import nba_broker.cli.main, nba_broker.worker.worker")
    assert modules.isdisjoint({"torch", "pyarrow", "pandas", "training", "sklearn", "onnx"})


def test_the_offline_reader_needs_nothing_of_the_trainer() -> None:
    modules = imported_by("import nba_broker.cli.main, nba_broker.archive.conn_log")
    assert modules.isdisjoint({"torch", "pandas", "training", "sklearn", "onnx"})


def sources() -> list[Path]:
    return sorted(Path(nba_broker.__file__).parent.glob("**/*.py"))


def test_only_the_wire_knows_zeekpy() -> None:
    assert [path.name for path in sources() if "zeekpy" in path.read_text()] == ["codec.py"]


def test_nothing_in_the_runtime_imports_training() -> None:
    importing = [
        path.name
        for path in sources()
        if "import training" in path.read_text() or "from training" in path.read_text()
    ]
    assert importing == []


def test_only_the_command_line_reads_the_environment() -> None:
    reads = re.compile(r"\b(environ|environb|getenv)\b")
    sets = 'os.environ["ORT_DISABLE_TELEMETRY"] = "1"\n'  # before any command line
    assert [p.name for p in sources() if sets in p.read_text()] == ["__init__.py"]
    assert [p.name for p in sources() if reads.search(p.read_text().replace(sets, ""))] == [
        "main.py"
    ]
