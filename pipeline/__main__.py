"""``python -m pipeline``."""

from __future__ import annotations

import os
import sys

from pipeline.cli import run_command


def main() -> None:
    """Run the command that the person gave, and end the process with its exit code."""
    try:
        code = run_command(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # Somebody like `head` has read enough. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


if __name__ == "__main__":
    main()
