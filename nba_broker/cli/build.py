"""Builds pools, pipelines and TLS contexts from the settings."""

from __future__ import annotations

import logging
import ssl

from nba_broker.destinations import overrides
from nba_broker.destinations.databases import Database
from nba_broker.destinations.pools import Pools
from nba_broker.model.scorer import Scorer
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.errors import ConfigError
from nba_broker.verdicts.decision_settings import DecisionSettings
from nba_broker.verdicts.shadow import Shadow, fits
from nba_broker.wire.reorder import Reorder
from nba_broker.worker.settings import Settings

LOG = logging.getLogger(__name__)


def build_pools(settings: Settings, scheme: str) -> Pools:
    """The pools of a model's scheme; raises ConfigError or DatabaseError."""
    rules = overrides.read(settings.overrides) if settings.overrides else []
    return Pools(
        [Database(path) for path in settings.pools],
        scheme=scheme,
        lans=settings.lans,
        local=settings.local,
        overrides=rules,
        nat64=settings.nat64,
    )


def build_pipeline(
    settings: Settings,
    *,
    worker: str,
    reorder: Reorder | None = None,
    scorer: Scorer | None = None,
    shadow: Shadow | None = None,
    secret: bytes = b"",
    threads: int = 1,
) -> Pipeline:
    """A pipeline with the model, pools and decision of the settings.

    worker: the name in its verdicts.
    reorder, scorer: in place of those of the settings.
    secret: see Pipeline; random for a live worker, none for an archive or a capture.
    threads: of the model, without ``scorer``.

    Raises NBAError if a part cannot be built.
    """
    scorer = scorer or Scorer(settings.model, threads)
    manifest = scorer.manifest
    if shadow is not None:
        fits(shadow.scorer, manifest.pool_scheme)
    pools = build_pools(settings, manifest.pool_scheme)
    trained = {entry.get("sha256") for entry in manifest.databases}
    if not {database.fingerprint for database in pools.databases} & trained:
        LOG.warning(
            "the model was trained with another edition of the IP database: pools keep their "
            "names, but networks that have moved since then appear as new"
        )
    if pools.overrides != manifest.raw.get("overrides", ""):
        LOG.warning(
            "the model was trained with other overrides than %s: it does not know hosts by the "
            "pools that differ; train it with nba-train fit --overrides",
            settings.overrides or "none",
        )
    return Pipeline(
        pools,
        scorer,
        settings=DecisionSettings.of_model(manifest, settings.reminder),
        reorder=Reorder(settings.reorder) if reorder is None else reorder,
        max_hosts=settings.max_hosts,
        worker=worker,
        shadow=shadow,
        secret=secret,
    )


def build_tls(settings: Settings) -> ssl.SSLContext | None:
    """The TLS context for a wss:// URL, else None; raises ConfigError if a file is unusable."""
    if not settings.url.startswith("wss:"):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca)
        if settings.cert:
            context.load_cert_chain(settings.cert, settings.key)
    except OSError as error:
        raise ConfigError(f"TLS files ca, cert or key: {error}") from error
    return context
