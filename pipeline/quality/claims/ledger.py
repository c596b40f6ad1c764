"""The claims of one message as they are made, and what it has spoken of so far."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.quality.claims.evidence import Evidence
from pipeline.quality.reading.mentions import Mention
from pipeline.quality.reading.sentences import Text
from pipeline.records import Claim, ClaimKind, Verdict


class Ledger:
    """Keeps the claims of one message."""

    def __init__(self, evidence: Evidence, message: int, text: Text) -> None:
        """Remember whose words they are.

        Args:
            evidence: Of the scene.
            message: Place in the row's messages.
            text: Of that message.
        """
        self.evidence = evidence
        self.claims: list[Claim] = []
        """What has been found."""
        self.denied: set[str] = set()
        """Labels, and words for some of the things of a label, that the message says are absent."""
        self.mentions: list[Mention] = []
        """All mentions of the message, as far as it has been read."""
        self.asked: list[Mention] = []
        """All mentions of its question."""
        self._message = message
        self.text = text

    def add(
        self, first: int, last: int, kind: ClaimKind, verdict: Verdict, boxes: Sequence[int] = (),
        captions: Sequence[int] = (), detail: str = "",
    ) -> None:  # fmt: skip
        """Add a claim whose words are from ``first`` to ``last``; ``detail`` is kept if it is contradicted."""
        start, end = self.text.start(first), self.text.end(last)
        detail = detail if verdict == "contradicted" else ""
        self.claims.append(Claim(self._message, start, end, kind, verdict, tuple(boxes), tuple(captions), detail))
