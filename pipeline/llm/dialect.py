"""What a server takes of the OpenAI protocol, learnt from what it refuses.

OpenAI-compatible servers differ in four things: whether they take a JSON schema, what they call the bound on tokens,
whether they allow a temperature, whether they know a seed. A refusal that names one of them is not the end of a
request: the field is changed or left out, once for the whole run, and the journal remembers it for the next run.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

_UNSUPPORTED_CODES = ("unsupported_parameter", "unsupported_value", "unknown_parameter")
_UNSUPPORTED = ("unsupported", "not support", "unexpected", "unknown", "unrecognized", "not permitted", "not allowed")


class Refusal(msgspec.Struct, frozen=True):
    """What a server says of a request that it does not take."""

    message: str
    code: str
    param: str | None
    """The field to blame, if it names one."""

    def says_unsupported(self, field: str) -> bool:
        """Tell whether a field is not taken at all; a value that is too large is the person's to mend."""
        if self.code in _UNSUPPORTED_CODES and self.param:
            return self.param == field
        text = self.message.lower()
        return (self.param == field or field in text) and any(word in text for word in _UNSUPPORTED)


class Dialect(msgspec.Struct, frozen=True):
    """Which fields go into a request."""

    schema: bool = True
    """Whether ``response_format`` holds the reply's JSON schema."""
    max_tokens: bool = True
    """Whether the bound on a reply's length has this name; reasoning models want ``max_completion_tokens``."""
    without: tuple[str, ...] = ()
    """Sampling fields that the server refuses."""

    def after_refusal(self, refusal: Refusal, fields: Iterable[str], *, sure: bool) -> Dialect | None:
        """Return the dialect to try next, or ``None`` where the refusal is about something else.

        Args:
            refusal: What the server said.
            fields: The sampling fields that the request had.
            sure: Whether only a field that the refusal names as the culprit counts: once requests like this one have
                been answered, a word in a message is no reason to ask otherwise from now on.
        """
        text = f"{refusal.param or ''} {refusal.code} {'' if sure else refusal.message}".lower()
        if self.schema and any(word in text for word in _SCHEMA_WORDS):
            return msgspec.structs.replace(self, schema=False)
        if self.max_tokens and "max_completion_tokens" in refusal.message and "max_tokens" in refusal.message:
            return msgspec.structs.replace(self, max_tokens=False)
        for field in fields:
            if field not in self.without and refusal.says_unsupported(field):
                return msgspec.structs.replace(self, without=(*self.without, field))
        return None

    def difference(self, earlier: Dialect) -> str:
        """Return what changed since an earlier dialect, in a clause for people."""
        if earlier.schema and not self.schema:
            return "takes no JSON schema; asking for JSON in the text instead"
        if earlier.max_tokens and not self.max_tokens:
            return "wants max_completion_tokens instead of max_tokens"
        return f"refuses {', '.join(set(self.without) - set(earlier.without))}; leaving it out"


_SCHEMA_WORDS = ("response_format", "json_schema", "response format", "structured output", "guided", "grammar")
