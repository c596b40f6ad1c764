"""``python -m pipeline``."""

from __future__ import annotations

import gc
import io
import os
import sys
from pathlib import Path
from typing import Any, TextIO

from pipeline.errors import PipelineError


class _Outlet(io.RawIOBase):
    """Writes to standard output or standard error, and says what cannot be written in one line at most.

    A reader who has gone, like `head`, ends the process quietly. After a failure nothing more is written, so that
    Python does not complain again when it flushes at exit.
    """

    def __init__(self, raw: Any, *, is_error: bool) -> None:
        self._raw = raw
        self._is_error = is_error
        self._failed = False

    def writable(self) -> bool:
        """Return that it is."""
        return True

    def isatty(self) -> bool:
        """Return whether a person sees it at once."""
        return bool(self._raw.isatty())

    def fileno(self) -> int:
        """Return the descriptor."""
        return int(self._raw.fileno())

    def write(self, data: Any, /) -> int | None:
        """Write some bytes, and return how many.

        Raises:
            SystemExit: Nobody reads standard output any more.
            PipelineError: Standard output cannot be written.
        """
        if self._failed:
            return len(data)
        try:
            written: int | None = self._raw.write(data)
        except OSError as error:
            self._failed = True
            if self._is_error:  # there is nowhere left to say it, and no reason to stop a run
                return len(data)
            if isinstance(error, BrokenPipeError):
                raise SystemExit(0) from None
            raise PipelineError(f"cannot write to standard output: {error.strerror}") from None
        return written


def main() -> None:
    """Run the command that the person gave, and end the process with its exit code."""
    try:
        _open_streams()
        # Looking for garbage so often as usual takes a sixth of the time to load all this, and most of it stays.
        gc.set_threshold(200_000, 10, 10)
        # Pydantic would look through all that is installed for plugins that change how records are validated.
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
        from pipeline.cli import run_command  # here, because Ctrl-C may come while it loads

        code = run_command(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def _open_streams() -> None:
    """Make printing safe: into closed and full files, and of characters that the terminal's encoding lacks."""
    if sys.stdin is None:  # the shell closed it; the next file opened, perhaps the journal, would take its place
        sys.stdin = Path(os.devnull).open()  # noqa: SIM115
    sys.stdout = _outlet(sys.stdout, is_error=False)
    sys.stderr = _outlet(sys.stderr, is_error=True)


def _outlet(stream: TextIO | None, *, is_error: bool) -> TextIO:
    if stream is None:  # the shell closed it
        return Path(os.devnull).open("w")
    buffer = stream.buffer
    raw = _Outlet(getattr(buffer, "raw", buffer), is_error=is_error)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=is_error or stream.isatty(),
        write_through=not hasattr(buffer, "raw"),
    )


if __name__ == "__main__":
    main()
