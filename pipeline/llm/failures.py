"""What can go wrong with a request, and what it means: wait and try again, give up this one, or stop the run."""

from __future__ import annotations

import contextlib
import math
import random
import time
from email.utils import parsedate_to_datetime

import openai
import tenacity

LONGEST_PAUSE_S = 60.0


class Broken(Exception):
    """Status 200 around something that is no completion. Proxies do this when the server behind them falls over."""

    status_code = 502


FAILURES = (openai.APIConnectionError, openai.APIStatusError, Broken)
NO_MONEY = ("insufficient_quota", "billing_hard_limit_reached", "insufficient_balance")
_PASSING = frozenset({408, 409, 425, 429})


def may_pass(error: BaseException) -> bool:
    """Tell whether a failure may pass by itself: busy, timed out, dropped, broken; not refused."""
    match error:
        case openai.APIConnectionError() | Broken():
            return True
        case openai.APIStatusError():
            if error.code in NO_MONEY:
                return False
            return error.status_code in _PASSING or error.status_code >= 500
        case _:
            return False


def is_busy(error: BaseException | None) -> bool:
    """Tell whether a server says that it has too much to do: that says nothing against the request."""
    status = getattr(error, "status_code", None)
    return status == 429 or (status == 503 and retry_after_s(error) is not None)


def pause_s(state: tenacity.RetryCallState) -> float:
    """Return how long to wait before the next try, in seconds: what the server asked for, or longer at each try.

    Both are jittered, so that requests that failed together do not come back together.
    """
    error = state.outcome.exception() if state.outcome else None
    asked = retry_after_s(error)
    if asked is not None:
        return asked + random.uniform(0, 0.25 + asked / 4)
    # Short at first: in a run of minutes, what the last few retries wait for is what the run waits for.
    longest = min(LONGEST_PAUSE_S, 0.15 * 2.0**state.attempt_number)
    return random.uniform(longest / 2, longest)


def retry_after_s(error: BaseException | None) -> float | None:
    """Return the seconds that a refusal asks to wait: ``retry-after-ms``, or ``Retry-After`` as seconds or a date."""
    if not isinstance(error, openai.APIStatusError):
        return None
    headers = error.response.headers
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        with contextlib.suppress(KeyError, ValueError):
            asked = float(headers[name]) * unit_s
            if math.isfinite(asked):
                return max(0.0, asked)
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


def message_of(error: BaseException) -> str:
    """Return an error's text in one line, without the client's decoration around the server's words."""
    body = getattr(error, "body", None)
    told = body.get("message") or body.get("detail") if isinstance(body, dict) else body
    if isinstance(error, openai.APIConnectionError) and error.__cause__:
        told = error.__cause__  # the client's own text is "Connection error." for all of them
    return " ".join(str(told or error).split())[:300]


def name_of(error: BaseException) -> str:
    """Return a failure in words that can be counted: a status, or what became of the connection."""
    match error:
        case Broken():
            return "no completion"
        case openai.APITimeoutError():
            return "timed out"
        case openai.APIStatusError():
            return f"status {error.status_code}"
        case _:
            return "connection lost"
