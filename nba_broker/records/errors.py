"""The errors that users see: one line each, with the problem and the remedy."""


class NBAError(Exception):
    """Base of all errors raised on purpose; the command line prints them and exits with 1."""


class ConfigError(NBAError):
    """A setting, flag or configuration file is invalid."""


class ModelError(NBAError):
    """A model folder is missing, damaged or made for other features than this version's."""


class DatabaseError(NBAError):
    """An IP database is missing, damaged or of a type that maps no pools."""


class ArchiveError(NBAError):
    """An archive, or a file of it, cannot be read."""


class AnnotationError(NBAError):
    """An annotation, or a file of annotations, is invalid."""


class MessageError(NBAError):
    """A message from Zeek breaks the wire contract; it is counted and dropped."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind


class LinkError(NBAError):
    """The connection to Zeek is unusable, and a retry would not help."""


class SnapshotError(NBAError):
    """A snapshot is damaged or was written for another worker; it is set aside."""


class ZeekError(NBAError):
    """Zeek cannot be found, or its process failed."""


class InventoryError(NBAError):
    """An inventory, such as NetBox, is unreachable or refuses what it is given."""
