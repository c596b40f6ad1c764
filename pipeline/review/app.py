"""The page's addresses. Each is read into a view and a reviewer, asks the desk, and answers with HTML.

Starlette alone, without FastAPI on top of it: none of what that adds is used, and loading it would take half of the
second in which the first page is to be there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import jinja2
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from pipeline.errors import PipelineError
from pipeline.quality.wording import named
from pipeline.review import filters
from pipeline.review.desk import REASONS, Conflict, Desk
from pipeline.review.filters import View, address, pairs_of, read_view
from pipeline.review.guard import Guard
from pipeline.review.shown import visible
from pipeline.samples.verdicts import SECOND, clean_name

NAME = "reviewer"
"""Cookie with the reviewer's name, as it was typed in that browser."""
MOST_BYTES = 4_000_000  # of a form; a text of a million characters fits
_HERE = Path(__file__).parent
_FILES = {
    "review.css": "text/css; charset=utf-8",
    "review.js": "text/javascript; charset=utf-8",
    "picture.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "htmx.min.js": "text/javascript; charset=utf-8",
}
_A_YEAR = 31_536_000  # seconds; addresses of files name their content

Answer = Callable[[Request, dict[str, str]], Response]


def build_app(desk: Desk, *, title: str, name: str, token: str | None, notices: tuple[str, ...] = ()) -> Starlette:
    """Return the app.

    Args:
        desk: What it shows.
        title: Of the run or file.
        name: Under which verdicts go until somebody types another.
        token: See ``Guard``.
        notices: What the person should know of the samples.
    """
    page = _Page(desk, title, name, notices)
    routes = [
        Route("/", _answering(page.sample)),
        Route("/at/{number:int}", _answering(page.at)),
        Route("/counts", _answering(page.counts)),
        Route("/agreement", _answering(page.agreement)),
        Route("/image/{number:int}", _answering(page.image)),
        Route("/static/{digest}/{name}", _answering(page.file)),
        Route("/verdict", _answering(page.verdict), methods=["POST"]),
        Route("/note", _answering(page.note), methods=["POST"]),
        Route("/edit", _answering(page.edit), methods=["POST"]),
        Route("/undo", _answering(page.undo), methods=["POST"]),
        Route("/name", _answering(page.name), methods=["POST"]),
    ]
    return Starlette(routes=routes, middleware=[Middleware(Guard, token=token)])


def _answering(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that reads the form and answers in a thread, as queries and the disk would hold others up."""

    async def endpoint(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MOST_BYTES:
                return PlainTextResponse("the text is too long; nothing was kept", 413)
        form = dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
        try:
            return await run_in_threadpool(answer, request, form)
        except PipelineError as error:
            return PlainTextResponse(str(error), 409)

    return endpoint


class _Page:
    """Answers requests."""

    def __init__(self, desk: Desk, title: str, name: str, notices: tuple[str, ...]) -> None:
        self._desk = desk
        self._title = title
        self._name = name
        self._notices = notices
        self._files = {file: (_HERE / "static" / file).read_bytes() for file in _FILES}
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {"visible": visible, "named": named}
        self._environment.globals |= {
            "title": visible(title),
            "reasons": REASONS,
            "SECOND": SECOND,
            "address": address,
            "static": self._static,
            "notices": notices,
            "empty": View(),
        }

    def sample(self, request: Request, form: dict[str, str]) -> Response:
        """Answer with a sample of a view, as a page or, for a page that is there already, as a part of it."""
        view, reviewer = self._asked(request)
        wanted = request.query_params.get("sample")
        number = None if wanted is None else self._desk.samples.find(wanted)
        toast = "" if wanted is None or number is not None else f"There is no sample {wanted[:80]!r}."
        return self._shown(request, view, reviewer, number, toast=toast)

    def at(self, request: Request, form: dict[str, str]) -> Response:
        """Answer with a sample by its number."""
        view, reviewer = self._asked(request)
        return self._shown(request, view, reviewer, request.path_params["number"], toast="")

    def counts(self, request: Request, form: dict[str, str]) -> Response:
        """Answer with the histograms of a view."""
        view, reviewer = self._asked(request)
        self._desk.board.refresh()
        told = {
            "view": view,
            "sample": request.query_params.get("sample"),
            "histograms": self._desk.board.histograms(view, reviewer),
            "toggled": filters.toggled,
            "pairs": pairs_of,
            "share": self._desk.board.share,
        }
        return self._html("counts.html.jinja", told)

    def agreement(self, request: Request, form: dict[str, str]) -> Response:
        """Answer with who agrees with whom."""
        raters, pairs = self._desk.agreement()
        told = {
            "raters": raters,
            "pairs": pairs,
            "unreadable": self._desk.log.unreadable,
            "stale": self._desk.board.stale(),
            "reviewer": self._reviewer(request),
            "between": lambda one, other: View(chosen={"by": (one, other), "verdict": ("disputed",)}),
            "by": lambda one: View(chosen={"by": (one,)}),
            "file": self._desk.log.path,
        }
        return self._html("agreement.html.jinja", told)

    def image(self, request: Request, form: dict[str, str]) -> Response:
        """Answer with the image file of a sample."""
        found = self._desk.image(request.path_params["number"])
        if not found:
            return PlainTextResponse("no picture\n", 404)
        return Response(found[0], media_type=found[1], headers={"cache-control": "private, max-age=600"})

    def file(self, request: Request, form: dict[str, str]) -> Response:
        """Answer with a file of the page."""
        name = request.path_params["name"]
        if name not in self._files:
            return PlainTextResponse("no such file\n", 404)
        headers = {"cache-control": f"public, max-age={_A_YEAR}, immutable"}
        return Response(self._files[name], headers=headers | {"content-type": _FILES[name]})

    def verdict(self, request: Request, form: dict[str, str]) -> Response:
        """Keep a verdict and the note beside it, and answer with the next sample."""
        view, reviewer = self._asked(request)
        number, verdict = _number(form), form.get("verdict")
        if verdict not in ("accepted", "rejected", "none"):
            raise PipelineError("a verdict is accepted, rejected or none; nothing was kept")
        if "note" in form:
            self._desk.note(number, reviewer, form["note"])
        reasons = [reason for reason in [form.get("reason", "")] if reason and verdict == "rejected"]
        decided = None if verdict == "none" else verdict
        try:
            sample = self._desk.decide(number, reviewer, view.look, decided, reasons, form.get("seen", ""))  # type: ignore[arg-type]
        except Conflict as conflict:
            return self._swapped(view, reviewer, number, toast=f"{conflict}.")
        why = f" ({reasons[0]})" if reasons else ""
        toast = f"{'Verdict taken back' if verdict == 'none' else str(verdict).capitalize()}: {sample}{why}."
        if verdict == "none":
            return self._swapped(view, reviewer, number, toast=toast, changed=True)
        following = self._desk.board.spot(view, reviewer, number).following
        if following is None:
            toast += " That was the last one of this view."
        return self._swapped(view, reviewer, number if following is None else following, toast=toast, changed=True)

    def note(self, request: Request, form: dict[str, str]) -> Response:
        """Keep a note; the sample on the page stays as it is."""
        kept = self._desk.note(_number(form), self._reviewer(request), form.get("note", ""))
        return self._html("toast.html.jinja", {"toast": "Note kept." if kept else ""}, changed=kept)

    def edit(self, request: Request, form: dict[str, str]) -> Response:
        """Keep another wording, and answer with the sample as it is then."""
        view, reviewer = self._asked(request)
        number, message = _number(form), form.get("message", "")
        try:
            at = int(message) if message.isdecimal() else -1
            kept = self._desk.edit(number, reviewer, at, form.get("text", ""), form.get("seen", ""))
        except Conflict as conflict:
            return self._swapped(view, reviewer, number, toast=f"{conflict}.")
        toast = "Edit kept." if kept else "Nothing was changed."
        return self._swapped(view, reviewer, number, toast=toast, changed=kept)

    def undo(self, request: Request, form: dict[str, str]) -> Response:
        """Take back what the reviewer did last, and answer with the sample that it was about."""
        view, reviewer = self._asked(request)
        undone = self._desk.undo(reviewer)
        if not undone:
            return self._swapped(view, reviewer, _number(form), toast="There is nothing left to undo.")
        what = {"verdict": "Verdict", "note": "Note", "edit": "Edit"}[undone.act]
        number = self._desk.samples.find(undone.sample)
        toast = f"{what} undone: {undone.sample}."
        return self._swapped(view, reviewer, _number(form) if number is None else number, toast=toast, changed=True)

    def name(self, request: Request, form: dict[str, str]) -> Response:
        """Keep the reviewer's name in the browser."""
        name = clean_name(form.get("name", ""))
        response = RedirectResponse(f"/?{request.url.query}" if request.url.query else "/", 303)
        if name:
            response.set_cookie(NAME, quote(name), max_age=_A_YEAR, httponly=True, samesite="strict")
        return response

    def _asked(self, request: Request) -> tuple[View, str]:
        return read_view(request.query_params.multi_items()), self._reviewer(request)

    def _reviewer(self, request: Request) -> str:
        return clean_name(unquote(request.cookies.get(NAME, ""))) or self._name

    def _shown(self, request: Request, view: View, reviewer: str, number: int | None, *, toast: str) -> Response:
        if "hx-request" in request.headers and "hx-history-restore-request" not in request.headers:
            return self._swapped(view, reviewer, number, toast=toast)
        return self._html("page.html.jinja", self._fragment(view, reviewer, number, toast=toast))

    def _fragment(self, view: View, reviewer: str, number: int | None, *, toast: str) -> dict[str, Any]:
        """Return what the part of the page about a sample needs."""
        board = self._desk.board
        if not view.everything:
            board.refresh()
        spot = board.spot(view, reviewer, number)
        if number is None:
            number = spot.first
            spot = board.spot(view, reviewer, number) if number is not None else spot
        at = None if number is None else self._desk.look(number, reviewer, view)
        return {
            "view": view,
            "reviewer": reviewer,
            "spot": spot,
            "at": at,
            "toast": toast,
            "progress": board.progress(reviewer, view.look),
            "here": address(view, at.shown.id if at else None),
            "query": address(view, page="").removeprefix("?"),
        }

    def _swapped(self, view: View, reviewer: str, number: int | None, *, toast: str, changed: bool = False) -> Response:
        told = self._fragment(view, reviewer, number, toast=toast)
        response = self._html("part.html.jinja", told, changed=changed)
        response.headers["hx-push-url"] = told["here"]
        following = told["spot"].following
        if following is not None:  # read while the person looks at this one
            response.background = BackgroundTask(self._desk.samples.row, following)
        return response

    def _html(self, template: str, told: Mapping[str, Any], *, changed: bool = False) -> Response:
        response = HTMLResponse(self._environment.get_template(template).render(told))
        if changed:
            response.headers["hx-trigger"] = json.dumps({"review-changed": {}})
        return response

    def _static(self, name: str) -> str:
        digest = hashlib.sha256(self._files[name]).hexdigest()[:12]
        return f"/static/{digest}/{name}"


def _number(form: Mapping[str, str]) -> int:
    number = form.get("number", "")
    if not (number.isascii() and number.isdecimal() and len(number) < 10):
        raise PipelineError("the request names no sample; nothing was kept")
    return int(number)
