"""What a model says of the hosts of other sites: strangers, and devices that it knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nba_broker.model.scorer import Scorer
from nba_broker.records.errors import ConfigError
from training.data.labelled_sessions import LabelledSessions
from training.data.labels import Label
from training.evaluation.host_days import HostDay, by_device, figures, followed


def same_devices(pairs: Sequence[str], classes: Iterable[str]) -> dict[str, str]:
    """The class of the model that is the same device as a label's, from ``OTHER=NAME`` each.

    Raises ConfigError for another form, a name that is no class, and a device given twice.
    """
    known = set(classes)
    class_of: dict[str, str] = {}
    for pair in pairs:
        other, _, name = (part.strip() for part in pair.partition("="))
        if not other or not name or other in class_of:
            raise ConfigError(f"--as {pair}: not OTHER=NAME, or {other} is given twice")
        if name not in known:
            raise ConfigError(
                f"--as {pair}: the model has no class {name}; it has {', '.join(sorted(known))}"
            )
        class_of[other] = name
    return class_of


def require_labels(class_of: Mapping[str, str], labels: Iterable[Label]) -> None:
    """Raise ConfigError unless every device in ``class_of`` has a label."""
    if missing := set(class_of) - {one.device for one in labels}:
        raise ConfigError(f"--as: no archive has a label of {', '.join(sorted(missing))}")


def elsewhere(
    archives: Iterable[tuple[str, LabelledSessions]],
    scorer: Scorer,
    class_of: Mapping[str, str],
    *,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """The host-days of a new worker with this model in each archive, by its name.

    class_of: devices of labels that are a class of the model under another name; a device with the
    name of a class is that class.
    """
    found: dict[str, list[HostDay]] = {}
    own = {}
    for name, sessions in archives:
        own[name] = [one.device for one in sessions.labels]
        labels = tuple(
            replace(one, device=class_of.get(one.device, one.device)) for one in sessions.labels
        )
        # A scorer remembers the table of pools, which is another one in each archive.
        found[name] = followed(replace(sessions, labels=labels), Scorer(scorer.folder))
        counted = figures(found[name])
        say(
            f"{name}: {counted['host_days']} host-days, {counted['right']} right, "
            f"{counted['no_name']} no name, {counted['wrong']} wrong"
        )
    known: dict[str, dict[str, int]] = {}
    for name, days in found.items():
        counts = by_device([one for one in days if one.known])
        known |= {f"{device} in {name}": row for device, row in counts.items()}
    together = [one for days in found.values() for one in days]
    return {
        "model": scorer.manifest.id,
        "same": dict(class_of),
        "archives": {name: figures(days) for name, days in found.items()},
        "strangers": {
            name: figures([one for one in days if not one.known]) for name, days in found.items()
        },
        "known": known,
        "all": figures(together),
        "by_day": [
            {"archive": name, **one.row(), "labelled": own[name][one.series]}
            for name, days in found.items()
            for one in days
        ],
    }
