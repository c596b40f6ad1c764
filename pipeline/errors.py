"""What a person can fix. Everything else is a bug of ours and keeps its traceback.

PipelineError                      one line, exit code 2
└── RunStopped                     the same, after work was done: what was paid for is kept, the same command carries on
    └── Interrupted                the person stopped it; exit code 130
"""


class PipelineError(Exception):
    """What was wrong, the value, and the next move, in one line."""


class RunStopped(PipelineError):
    """A run that cannot go on: a refused key, a dead server, a full disk. All finished work is kept."""


class Interrupted(RunStopped):
    """The person pressed Ctrl-C; all that was in flight has been kept."""
