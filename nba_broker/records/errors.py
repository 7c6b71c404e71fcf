"""The errors a user meets: one clear line each, that says what is wrong and what to do."""


class NBAError(Exception):
    """Base of every error raised on purpose; the command line prints it and exits 1."""


class ConfigError(NBAError):
    """A setting, flag or configuration file that cannot be used."""


class ModelError(NBAError):
    """A model folder that is missing, damaged or does not fit this version's features."""


class DatabaseError(NBAError):
    """An IP database that is missing, damaged or of a kind that maps no pools."""


class ArchiveError(NBAError):
    """An archive of logs in which nothing can be read."""


class AnnotationError(NBAError):
    """A file of annotations, or an annotation, that cannot be used."""


class MessageError(NBAError):
    """A message from Zeek that does not follow the wire contract; counted and dropped."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind


class LinkError(NBAError):
    """The connection to Zeek cannot be used and a retry would not help."""


class SnapshotError(NBAError):
    """A snapshot that is damaged or was not written for this worker; it is set aside."""


class ZeekError(NBAError):
    """A Zeek process that cannot be found or failed."""
