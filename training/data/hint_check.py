"""How often the hints of an archive's hosts are given, and how often they are right."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nba_broker.hosts.hint_table import table
from nba_broker.records.errors import ArchiveError
from training.data.hosts import Found
from training.data.labels import Label, LabelsError, devices_of

_COLUMNS = ("device", "maker", "kind")


@dataclass(frozen=True, slots=True)
class Product:
    """The maker and the kind of a device, each "" where it is not to be checked."""

    maker: str = ""
    kind: str = ""


def read_products(path: Path) -> dict[str, Product]:
    """Maker and kind by device, from a CSV file with the columns device, maker and kind; raises
    LabelsError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            if missing := sorted(set(_COLUMNS) - set(reader.fieldnames or ())):
                raise LabelsError(f"{path}: no column {missing[0]}; it needs {', '.join(_COLUMNS)}")
            rows = [{name: (row[name] or "").strip() for name in _COLUMNS} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabelsError(f"{path}: {error}") from error
    return {row["device"]: Product(row["maker"], row["kind"]) for row in rows}


def check(found: Found, truth: Sequence[Label], products: Mapping[str, Product]) -> list[str]:
    """How often a maker and a kind are given and right for the labelled hosts, in lines to print,
    with a line for each wrong hint.

    A hint is right if it is the truth, or a special case of it or the other way round: a doorbell
    is a camera. The kind of a device without a product is its label's category; a category that is
    no kind of the table is not checked. Raises ArchiveError when no host has a label.
    """
    devices = devices_of(truth)
    category = {label.device: label.category for label in truth}
    makers, kinds, wrong, hosts = Counter[str](), Counter[str](), [], 0
    for host in found.hosts:
        device = devices.get(host.host) or devices.get(host.address)
        if not device:
            continue
        hosts += 1
        product = products.get(device, Product())
        maker = _judged(host.hint.maker, product.maker, table().is_maker)
        kind = _judged(host.hint.kind, _kind(product.kind or category[device]), table().is_kind)
        makers[maker] += 1
        kinds[kind] += 1
        if "wrong" in (maker, kind):
            wrong.append(f"wrong hint for {host.host} {device}: {host.hint.text}")
    if not hosts:
        raise ArchiveError("the archive has no host of --truth; check its labels")
    return [
        f"hints for {hosts} labelled hosts: {_counts('maker', makers)}; {_counts('kind', kinds)}",
        *wrong,
    ]


def _kind(kind: str) -> str:
    return kind if kind in table().kind_of else ""


def _judged(hint: str, truth: str, is_same: Callable[[str, str], bool]) -> str:
    if not hint:
        return "not given"
    if not truth:
        return "unchecked"
    return "right" if is_same(hint, truth) or hint == truth else "wrong"


def _counts(what: str, judged: Counter[str]) -> str:
    given = judged.total() - judged["not given"]
    unchecked = f", {judged['unchecked']} unchecked" if judged["unchecked"] else ""
    return f"{what} given {given}, right {judged['right']}, wrong {judged['wrong']}{unchecked}"
