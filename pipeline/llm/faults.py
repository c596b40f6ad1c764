"""What the loopback server may do instead of answering, and the answers that a test can script.

``Faults`` throws dice over the requests of a whole run; ``script`` plays a few answers in order.
"""

import math
import random
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from itertools import chain, repeat
from typing import Any, Self

import msgspec
from pydantic import ConfigDict, Field, model_validator

from pipeline.validated import Record


class Fault(Enum):
    """One thing that goes wrong with one request."""

    BUSY = "busy"
    """Status 429 at once, with Retry-After."""
    BROKEN = "broken"
    """Status 500."""
    DROPPED = "dropped"
    """The connection is closed without an answer."""
    HUNG = "hung"
    """No answer for as long as the client waits."""
    MALFORMED = "malformed"
    """Status 200, a normal end, and content that is not what was asked for."""


class Faults(Record):
    """Trouble to rehearse. The defaults are a server without any."""

    model_config = ConfigDict(allow_inf_nan=False)

    latency_s: float = Field(default=0, ge=0)
    """Seconds that a reply takes."""
    latency_per_load_s: float = Field(default=0, ge=0)
    """Seconds a reply takes longer for each other request in flight when it arrives, as where many share one GPU."""
    ceiling: int = Field(default=0, ge=0)
    """Requests at once beyond which a request is refused with status 429; 0 for no ceiling."""
    share_429: float = Field(default=0, ge=0, le=1)
    """Share of requests refused at once with status 429, from 0 to 1."""
    retry_after_s: float = Field(default=1, ge=0)
    """Seconds that a 429 asks to wait, in its Retry-After header; 0 for no such header."""
    share_500: float = Field(default=0, ge=0, le=1)
    """Share of requests that fail with status 500 after the latency, from 0 to 1."""
    share_dropped: float = Field(default=0, ge=0, le=1)
    """Share of requests whose connection is closed after the latency without an answer, from 0 to 1."""
    share_hung: float = Field(default=0, ge=0, le=1)
    """Share of requests that are never answered, from 0 to 1."""
    share_malformed: float = Field(default=0, ge=0, le=1)
    """Share of requests answered in turn with JSON cut short, with prose and with nothing, from 0 to 1."""
    seed: int = 0
    """Seed of the dice: a request's number in order of arrival decides its fate."""

    @model_validator(mode="after")
    def _check_shares(self) -> Self:
        total = sum(share for _, share in self._shares())
        if total > 1 + 1e-9:
            raise ValueError(f"the shares of faults add up to {total:g}, but there is only 1 to share")
        return self

    def _shares(self) -> list[tuple[Fault, float]]:
        return [
            (Fault.BUSY, self.share_429),
            (Fault.BROKEN, self.share_500),
            (Fault.DROPPED, self.share_dropped),
            (Fault.HUNG, self.share_hung),
            (Fault.MALFORMED, self.share_malformed),
        ]

    def fates(self) -> Iterator[Fault | None]:
        """Yield each request's fault, or None for a good answer, in order of arrival and without end."""
        dice = random.Random(self.seed)
        shares = self._shares()
        while True:
            left = dice.random()
            for fault, share in shares:
                if left < share:
                    yield fault
                    break
                left -= share
            else:
                yield None


NO_FAULTS = Faults()


class Usage(msgspec.Struct, frozen=True):
    """Token counts of one completion."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    """Those of the prompt's tokens that a prefix cache served."""


class Completion(msgspec.Struct, frozen=True):
    """A scripted answer with status 200, where a bare text does not say enough."""

    content: str | None = None
    finish_reason: str = "stop"
    """Also ``length`` or ``content_filter``."""
    refusal: str | None = None
    """The model's own words for not answering; ``content`` is then None."""
    usage: Usage | None = None
    """None: counted from the texts."""


class Failure(msgspec.Struct, frozen=True):
    """A scripted error in OpenAI's format."""

    status: int
    message: str = "Rehearsed failure"
    code: str | None = None
    """Such as ``invalid_api_key``, ``insufficient_quota`` or ``content_filter``."""
    param: str | None = None
    """The field of the request that is to blame, such as ``response_format``."""
    type: str = "invalid_request_error"
    headers: Mapping[str, str] = {}
    """Such as ``Retry-After`` or ``retry-after-ms``."""


class Raw(msgspec.Struct, frozen=True):
    """A scripted answer byte for byte: a proxy's HTML page, cut JSON, a completion without choices."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = {}
    """``Content-Type`` is ``application/json`` unless given here."""


Sent = str | Completion | Failure | Raw | Fault
"""A bare text is a good completion."""


class Late(msgspec.Struct, frozen=True):
    """Another answer, later than the rest."""

    seconds: float
    """On top of the server's own latency."""
    answer: Sent


Answer = Sent | Late
Reply = Callable[[Mapping[str, Any]], Answer]
"""From a request's body to its answer. Called in order of arrival, in the server's thread, and not for 429s."""


def script(*answers: Answer) -> Reply:
    """Return a reply that plays ``answers`` in order of arrival, and the last of them from then on."""
    waiting = chain(answers, repeat(answers[-1]))
    return lambda body: next(waiting)


MALFORMED = (
    Completion('{"turns": [{"question": "What is in the pic'),
    Completion("Certainly! I would be happy to help with this picture."),
    Completion(""),
)
"""Cut short, prose, nothing. All end with ``stop``: only reading them tells that they are no use."""


def busy(retry_after_s: float) -> Failure:
    """Return a 429 that asks to wait: Retry-After in whole seconds, and ``retry-after-ms`` where they are not whole."""
    headers = {"Retry-After": str(math.ceil(retry_after_s))} if retry_after_s else {}
    if retry_after_s % 1:
        headers["retry-after-ms"] = str(math.ceil(retry_after_s * 1000))
    return Failure(
        429,
        "Too many requests at once; wait and try again",
        code="rate_limit_exceeded",
        type="requests",
        headers=headers,
    )


BROKEN = Failure(500, "The server had an error, as it was told to", type="server_error")
