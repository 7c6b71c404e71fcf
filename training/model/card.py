"""The model card: training part, figures on later days, and limits of a model."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nba_broker.archive import results
from nba_broker.records.errors import ModelError
from training.metrics import outcome_tables

CARD_FILE = "README.md"

LIMITS = """\
## Limits

Do not rely on the model for:

- Devices that are not in the table. It chooses among its classes: another host is called `unknown`
  at best, and by a wrong name at worst.
- Other sites, countries and years. Clouds move and firmware changes, and in a mixture of data sets
  the site alone may separate the devices. Train on traffic of your own network.
- Proof. It names the device that a host behaves like; an attacker who imitates a device's
  destinations and rhythm gets the name of the device.
- Confusable devices: those of one maker with the same clouds and timers. When the tables show two
  of them below the others, read either name as "one of the two".
- Hosts with few sessions, and the first sessions after a change of behaviour.
"""


def render(manifest: dict[str, Any]) -> str:
    """The card of a model that was just fitted, as Markdown."""
    training, metrics = manifest["training"], manifest["metrics"]
    thresholds = manifest["thresholds"]
    lines = [
        f"# Model `{manifest['name']}`",
        "",
        "Names IoT devices by the destinations of their sessions and the intervals between them "
        '(Chen et al., "IoT Devices Classification Base on Network Behavior Analysis"). '
        "It uses no payload and no packet sizes.",
        "",
        f"- made {manifest['created']} by nba-broker {manifest['versions']['nba_broker']}, "
        f"feature version {manifest['feature_version']}",
        f"- windows of the last {manifest['window']} sessions of a host, from the "
        f"{manifest['min_sessions']}th on: every {manifest['early_stride']} sessions until a "
        f"window is full, then every {manifest['stride']}",
        f"- an LSTM with a state of {training['settings']['hidden']}, "
        f"{training['settings']['stacked']} sessions in a step",
        f"- pools by `{manifest['pool_scheme']}`, {len(manifest['pools'])} of them, named with "
        + ", ".join(f"{one['type']} of {one['built']}" for one in manifest["databases"]),
        f"- a host gets the name of the most probable class if its sessions support that class "
        f"against hosts in general, as {manifest['background']['devices']} devices show them, and "
        f"no other class is possible; error rate {thresholds['error_rate']:.0%}. "
        f"{thresholds['calibration']}",
        "",
        "## Training part",
        "",
        f"{training['sessions']} sessions of {len(training['hosts'])} hosts, seed "
        f"{training['seed']}.",
        "",
        "| device | category | hosts | sessions | from | to |",
        "| --- | --- | ---: | ---: | --- | --- |",
    ]
    for one in manifest["classes"]:
        hosts = [host for host in training["hosts"] if host["device"] == one["device"]]
        lines.append(
            f"| {one['device']} | {one['category']} | {len(hosts)} "
            f"| {sum(host['sessions'] for host in hosts)} "
            f"| {_date(min(host['first'] for host in hosts))} "
            f"| {_date(max(host['last'] for host in hosts))} |"
        )
    if left_out := training.get("left_out"):
        least = manifest["min_sessions"]
        lines += [
            "",
            f"Labelled but left out, because no host has {least} sessions: "
            + ", ".join(f"{device} ({most})" for device, most in left_out.items())
            + ".",
        ]
    lines += [
        "",
        "## Figures on later days",
        "",
        *later_days(manifest.get("rolling")),
        "",
        "## Single windows",
        "",
        "These are figures of single windows, not of hosts. A model that was trained in the same "
        f"way without the last {training['settings']['held_out']:.0%} of each host's sessions was "
        "asked about these sessions. They also chose the temperature and the thresholds, so the "
        "figures are optimistic:",
        "",
        *table(metrics),
        "",
        LIMITS,
    ]
    return "\n".join(lines)


def later_days(rolling: dict[str, Any] | None) -> list[str]:
    """The figures of rolling origins as lines of Markdown, or why there are none; see
    :func:`training.evaluation.rolling_days.rolling_days`."""
    if rolling is None:
        return ["The model was not measured on later days."]
    if "reason" in rolling:
        return [f"The model was not measured on later days: {rolling['reason']}."]
    models = rolling["models"]
    times = "once" if len(models) == 1 else f"{len(models)} times"
    return [
        f"The recipe was fitted {times}, to the sessions before a day. A worker with that model "
        "then followed all hosts to the end of the archive, as if each were new. Each host counts "
        "once a day (UTC), by its latest line in the log at the end of the day. The models:",
        "",
        *(
            f"- before {one['since']}: {one['trained_on']} sessions, {one['devices']} devices"
            for one in models
        ),
        "",
        *outcome_tables.table({**rolling["ages"], "all": rolling["all"]}, "age of the model"),
        "",
        *outcome_tables.sentences(rolling["all"]),
        "",
        *outcome_tables.table(rolling["devices"], "device"),
        *_not_followed(rolling["not_followed"]),
    ]


def _not_followed(devices: list[str]) -> list[str]:
    """A line about devices without figures of later days."""
    if not devices:
        return []
    return ["", f"Too short a time to measure on later days: {', '.join(devices)}."]


def table(metrics: dict[str, Any]) -> list[str]:
    """The figures of an evaluation as lines of readable Markdown."""
    width = max(len("device"), *(len(name) for name in metrics["classes"]))
    lines = [
        f"| {'device':{width}} | precision | recall |    F1 | decisions |",
        f"| {'-' * width} | --------: | -----: | ----: | --------: |",
    ]
    for name, one in metrics["classes"].items():
        lines.append(
            f"| {name:{width}} | {one['precision']:9.3f} | {one['recall']:6.3f} "
            f"| {one['f1']:5.3f} | {one['support']:9d} |"
        )
    lines += [
        "",
        f"Accuracy {metrics['accuracy']:.4f}, macro-F1 {metrics['macro_f1']:.4f} over "
        f"{metrics['windows']} decisions; with one decision per host and day "
        f"{metrics['host_day_accuracy']:.4f} of {metrics['host_days']}.",
    ]
    if waits := metrics.get("time_to_name"):
        lines += ["", *_waits(waits, width)]
    if counted := metrics.get("verdicts"):
        lines += ["", _verdicts(counted), *outcome_tables.confidence(counted)]
    return lines


def _verdicts(counted: dict[str, Any]) -> str:
    """The worker's verdicts at the end of each day, by host."""
    total = counted["right"] + counted["no_name"] + counted["wrong"]
    others = ", ".join(
        f"{one} was {other} ({number})" for one, other, number in counted["mistaken"]
    )
    strangers = counted.get("of_unknown_devices", 0)
    return (
        f"At the end of each day, the worker's verdicts were right for {counted['right']} of "
        f"{total} hosts, no name for {counted['no_name']}, and wrong for {counted['wrong']}"
        f"{f': {others}' if others else ''}."
        + (f" The model does not know {strangers} of them: no name is right." if strangers else "")
    )


def _waits(waits: dict[str, dict[str, float | None]], width: int) -> list[str]:
    """Time until a worker names the hosts of each device, medians; - when most get no name."""
    lines = [
        f"| {'device':{width}} | hosts | named after | hours | rightly after | hours |",
        f"| {'-' * width} | ----: | ----------: | ----: | ------------: | ----: |",
    ]
    for name, one in waits.items():
        cells = [
            f"{'-' if value is None else format(value, spec):>{size}}"
            for value, spec, size in zip(
                one.values(), (".0f", ".0f", ".1f", ".0f", ".1f"), (5, 11, 5, 13, 5), strict=True
            )
        ]
        lines.append(f"| {name:{width}} | {' | '.join(cells)} |")
    return lines


def require(path: Path) -> None:
    """Raise ModelError unless an evaluation can be added to a card there."""
    _parts(path)


def add(path: Path, command: str, metrics: dict[str, Any]) -> None:
    """Add an evaluation to the later days of a card; raises ModelError when there is no card."""
    before, after = _parts(path)
    section = [
        f"Model `{metrics['model']}`:",
        "",
        f"    {command}",
        "",
        *table(metrics),
        "",
        "",
    ]
    results.write(path, before + "\n".join(section) + LIMITS + after)


def _parts(path: Path) -> tuple[str, str]:
    """The text before and after the limits."""
    try:
        before, found, after = path.read_text("utf-8").partition(LIMITS)
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: not a readable model card ({error})") from error
    if not found:
        raise ModelError(f"{path}: not a model card of this version of nba-train")
    return before, after


def _date(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d")
