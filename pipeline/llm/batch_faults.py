"""What the loopback server's batch endpoints may do wrong, and what they have done."""

from __future__ import annotations

import msgspec
from pydantic import Field

from pipeline.validated import Record


class BatchFaults(Record):
    """Trouble to rehearse with batches. The defaults are a server without any."""

    validation_s: float = Field(default=0, ge=0)
    """Seconds that a batch is being validated."""
    delay_s: float = Field(default=0, ge=0)
    """Seconds that a batch takes from its first half to its second."""
    fails_with: str = ""
    """Code with which every batch fails its validation; empty for none."""
    enqueued_tokens: int = Field(default=0, ge=0)
    """Most tokens in all batches that have not ended; one that would exceed it fails its validation. 0 for no limit."""
    max_requests: int = Field(default=50_000, ge=1)
    """Most requests in a file."""
    max_bytes: int = Field(default=200_000_000, ge=1)
    """Most bytes in a file."""
    share_errors: float = Field(default=0, ge=0, le=1)
    """Share of requests that are refused and end in the error file, from 0 to 1."""
    share_expired: float = Field(default=0, ge=0, le=1)
    """Share of requests that the end of the window leaves unanswered, from 0 to 1; with any, batches expire."""
    share_missing: float = Field(default=0, ge=0, le=1)
    """Share of requests of which neither file says anything, from 0 to 1."""
    share_cut: float = Field(default=0, ge=0, le=1)
    """Share of requests whose line in the output file is cut short, from 0 to 1."""
    list_lag_s: float = Field(default=0, ge=0)
    """Seconds until a new batch shows in the list."""
    lost_creations: int = Field(default=0, ge=0)
    """Creations, from the next one on, whose batch is made while the connection closes without an answer."""
    busy_creations: int = Field(default=0, ge=0)
    """Creations, from the next one on, that fail with status 500 and make no batch."""
    seed: int = 0
    """Seed of the dice over the requests, in order of arrival."""


class BatchStats(msgspec.Struct):
    """What the batch endpoints have done since the server's start."""

    files: int = 0
    """Uploaded."""
    stored: int = 0
    """Files that are there now."""
    created: int = 0
    """Batches made, whatever became of them."""
    accepted: int = 0
    """Those that passed validation."""
    requests: int = 0
    """Requests in accepted batches."""
    repeated: int = 0
    """Those of ``requests`` that an earlier batch had answered, or still had before it: paid twice."""
    lists: int = 0
    """Times that a list of batches was asked for."""
