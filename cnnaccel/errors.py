"""Every error a user can cause, or can mend. Each message says what, where, and what to do.

The command line turns these into one line and the exit code; a traceback is a bug of ours.
"""


class CnnaccelError(Exception):
    """An error that says what went wrong, where, and the way out."""

    exit_code = 1


class ConfigError(CnnaccelError):
    """A configuration file or a `--set` override that cannot be used."""


class DataError(CnnaccelError):
    """A dataset that is missing, truncated, or of the wrong shape."""


class DataMissingError(DataError):
    """A dataset that is neither on this machine nor can be downloaded."""

    exit_code = 4


class ModelError(CnnaccelError):
    """A model that cannot be imported, does not fit the data, or uses an unsupported layer."""


class CheckpointError(CnnaccelError):
    """A checkpoint that is missing, corrupt, foreign, or of another architecture."""


class GraphError(CnnaccelError):
    """An integer graph that breaks its own contract."""


class AccuracyError(CnnaccelError):
    """An int8 network that loses more accuracy than the configuration allows."""


class ProgramError(CnnaccelError):
    """A field out of its range, a layer without a mapping, or bytes that are no program."""


class MismatchError(CnnaccelError):
    """Two levels that must compute the same integers, and do not."""


class EngineError(CnnaccelError):
    """An engine that is not there, is another than expected, failed, or does not go on."""


class WorkspaceError(CnnaccelError):
    """A build folder that cannot be read or written, or whose artifacts do not fit together."""


class StaleError(WorkspaceError):
    """A stored stage that was made from other values than the configuration has.

    what: the stage, the values stored and asked for. again: the command that makes it again.
    """

    def __init__(self, what: str, again: str) -> None:
        super().__init__(f"{what}; {again} makes it again, --stored uses it as it is")
        self.what = what


class ToolError(CnnaccelError):
    """An external tool that is missing or failed."""

    exit_code = 3


class ToolTimeoutError(ToolError):
    """An external tool that is there, and did not end in time."""


class Interrupted(CnnaccelError):  # noqa: N818 - nothing went wrong, so not an Error
    """Ctrl-C during work that left a resumable state behind."""

    exit_code = 130
