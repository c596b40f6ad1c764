"""What can go wrong with a request, and what it means: wait and try again, give up this one, or stop the run."""

from __future__ import annotations

import contextlib
import math
import random
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import tenacity

LONGEST_PAUSE_S = 60.0


class Unanswered(Exception):
    """No answer came: the connection could not be made, it broke, or time was up. The text says which."""

    def __init__(self, told: str, *, reached: bool = True, timed_out: bool = False) -> None:
        super().__init__(told)
        self.reached = reached
        """False if the server cannot have had the request."""
        self.timed_out = timed_out


class Declined(Exception):
    """An answer that is no success. The text is the server's own, as far as it has one."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Read what the server says.

        Args:
            status: HTTP's.
            headers: With names in lower case.
            body: OpenAI's ``{"error": {"message": …, "code": …, "param": …}}``, or whatever a proxy sends.
        """
        told = _read_error(body)
        words = told.get("message") or told.get("detail") or body.decode(errors="replace")
        super().__init__(_in_one_line(words) or f"no words, only status {status}")
        self.status = status
        self.headers = headers
        self.body = body
        self.code = str(told.get("code") or "")
        param = told.get("param")
        self.param = param if isinstance(param, str) else None
        """The field of the request that is to blame, if the server names one."""


class Broken(Exception):
    """Status 200 around something that is no completion. Proxies do this when the server behind them falls over."""


FAILURES = (Unanswered, Declined, Broken)
NO_MONEY = ("insufficient_quota", "billing_hard_limit_reached", "insufficient_balance")
_PASSING = frozenset({408, 409, 425, 429})


def may_pass(error: BaseException) -> bool:
    """Tell whether a failure may pass by itself: busy, timed out, dropped, broken; not refused."""
    if isinstance(error, Declined):
        return error.code not in NO_MONEY and (error.status in _PASSING or error.status >= 500)
    return isinstance(error, Unanswered | Broken)


def is_busy(error: BaseException | None) -> bool:
    """Tell whether a server says that it has too much to do: that says nothing against the request."""
    return isinstance(error, Declined) and (
        error.status == 429 or (error.status == 503 and retry_after_s(error) is not None)
    )


def pause_s(state: tenacity.RetryCallState) -> float:
    """Return how long to wait before the next try, in seconds: what the server asked for, or longer at each try.

    Both are jittered, so that requests that failed together do not come back together.
    """
    error = state.outcome.exception() if state.outcome else None
    asked = retry_after_s(error)
    if asked is not None:
        return asked + random.uniform(0, 0.1 + asked / 10)
    # Short at first: in a run of minutes, what the last few retries wait for is what the run waits for.
    longest = min(LONGEST_PAUSE_S, 0.15 * 2.0**state.attempt_number)
    return random.uniform(longest / 2, longest)


def retry_after_s(error: BaseException | None) -> float | None:
    """Return the seconds that a refusal asks to wait: ``retry-after-ms``, or ``Retry-After`` as seconds or a date."""
    if not isinstance(error, Declined):
        return None
    headers = error.headers
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        with contextlib.suppress(KeyError, ValueError):
            asked = float(headers[name]) * unit_s
            if math.isfinite(asked):
                return max(0.0, asked)
    from email.utils import parsedate_to_datetime  # a date is rare, and its reader takes long to load

    try:
        return max(0.0, parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time())
    except (KeyError, ValueError):
        return None


def is_filter(code: str, message: str) -> bool:
    """Tell whether a server refuses what a request is about."""
    text = f"{code} {message}".lower()
    return any(
        word in text for word in ("content_filter", "content_policy", "content management", "moderation", "flagged")
    )


def is_too_long(status: int, code: str, message: str) -> bool:
    """Tell whether a server refuses a request for its length."""
    text = f"{code} {message}".lower()
    return status == 413 or any(
        word in text
        for word in ("context_length", "context length", "context window", "prompt is too long", "input is too long")
    )


def status_of(error: BaseException) -> int:
    """Return the HTTP status that a failure stands for; 0 where there was no answer."""
    if isinstance(error, Declined):
        return error.status
    return 502 if isinstance(error, Broken) else 0


def message_of(error: BaseException) -> str:
    """Return an error's text in one line."""
    return _in_one_line(error)


def name_of(error: BaseException) -> str:
    """Return a failure in words that can be counted: a status, or what became of the connection."""
    match error:
        case Broken():
            return "no completion"
        case Declined():
            return f"status {error.status}"
        case Unanswered(timed_out=True):
            return "timed out"
        case _:
            return "connection lost"


def _in_one_line(told: object) -> str:
    return " ".join(str(told).split())[:300]


def _read_error(body: bytes) -> Mapping[str, Any]:
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    error = told.get("error", told) if isinstance(told, dict) else told
    return error if isinstance(error, dict) else {"message": error}
