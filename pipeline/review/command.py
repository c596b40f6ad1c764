"""``review``: serve the page until Ctrl-C, or write the samples again with the verdicts applied."""

from __future__ import annotations

import getpass
import importlib.util
import secrets
import socket
import tempfile
import threading
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from pipeline.errors import PipelineError
from pipeline.review.settings import ReviewSettings
from pipeline.review.source import Source, check_writable, open_source
from pipeline.samples.verdicts import clean_name

if TYPE_CHECKING:
    from starlette.applications import Starlette

PORT = 8770
_NEEDED = ("duckdb", "starlette", "uvicorn")


def review(path: Path, settings: ReviewSettings, say: Callable[[str], None]) -> None:
    """Review a run or a file.

    Args:
        path: A run folder, finished or not; a Parquet file; or JSON or JSON lines that others made.
        settings: What the person asked for.
        say: Takes lines for the person.

    Raises:
        PipelineError: There is nothing to review, verdicts cannot be kept, or the address is taken.
    """
    if any(importlib.util.find_spec(name) is None for name in _NEEDED):
        raise PipelineError("the page needs DuckDB, Starlette and Uvicorn; pip install -e '.[review]'")
    with tempfile.TemporaryDirectory(prefix="review-") as scratch:
        source = open_source(path, settings, Path(scratch))
        for notice in source.notices:
            say(notice)
        if settings.apply:
            from pipeline.review.applied import apply_verdicts

            say(apply_verdicts(source, settings.reviewed).told)
        else:
            check_writable(source.verdicts)
            _serve(source, settings, say)


def _serve(source: Source, settings: ReviewSettings, say: Callable[[str], None]) -> None:
    import uvicorn

    from pipeline.review.guard import LOOPBACK

    with _listening(settings) as listener:
        token = None if settings.host in LOOPBACK else secrets.token_urlsafe(24)
        app = assemble(source, settings, token)
        link = _link(settings.host, listener.getsockname()[1], token)
        say(f"{source.title} is at {link}")
        say(f"verdicts go to {source.verdicts}; Ctrl-C ends the review, and the same command carries on")
        if settings.browser:
            # Not from this thread: a browser in the terminal would keep the server from answering it.
            threading.Thread(target=webbrowser.open, args=[link], daemon=True).start()
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, lifespan="off", timeout_graceful_shutdown=1
        )
        with suppress(KeyboardInterrupt):  # which is how a review ends; Uvicorn has closed all by then
            uvicorn.Server(config).run(sockets=[listener])


def assemble(source: Source, settings: ReviewSettings, token: str | None) -> Starlette:
    """Return the app that serves a source.

    Raises:
        PipelineError: The source has no samples.
    """
    from pipeline.review.app import build_app
    from pipeline.review.board import Board
    from pipeline.review.desk import Desk
    from pipeline.review.images import ImageFolder
    from pipeline.review.index import Samples
    from pipeline.review.rechecking import Rechecker
    from pipeline.samples.verdicts import VerdictLog

    samples = Samples(source.samples)
    if not samples.count:
        raise PipelineError(f"{source.samples} has no sample")
    board = Board(samples, VerdictLog(source.verdicts), settings.second_look)
    return build_app(
        Desk(board, ImageFolder(source.images), Rechecker(source.categories)),
        title=source.title,
        name=clean_name(settings.reviewer or "") or clean_name(_login()) or "reviewer",
        token=token,
        notices=source.notices,
    )


def _listening(settings: ReviewSettings) -> socket.socket:
    """Return a socket that listens at the address asked for; without a port, at the usual one or, if taken, any."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    ports = [PORT, 0] if settings.port is None else [settings.port]
    for port in ports:
        # The protocol is named, as asyncio sends answers without delay, 40 ms of it, only on sockets that name it.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((settings.host, port))
            listener.listen()
            return listener
        except OSError as error:
            listener.close()
            told = error.strerror or str(error)
    raise PipelineError(f"cannot listen at {settings.host}, port {port}: {told}; pass another --host or --port")


def _link(host: str, port: int, token: str | None) -> str:
    shown = f"[{host}]" if ":" in host else socket.gethostname() if host == "0.0.0.0" else host
    return f"http://{shown}:{port}/" + (f"?token={quote(token)}" if token else "")


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a user without a name, as in a container
        return "reviewer"
