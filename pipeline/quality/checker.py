"""One sample held against its scene: what its sentences claim, and what is wrong with its text."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.records import Claim, Finding, Scene, Turn

CLAIMS_IN = "en"
"""The language whose sentences are read for claims; in others, only the texts are checked."""
CONTRADICTION = "contradiction"


class Checker:
    """Checks samples of one data set."""

    def __init__(
        self, categories: Mapping[str, str | None], synonyms: Path | None = None, phrases: Path | None = None
    ) -> None:
        """Load what checking needs.

        Args:
            categories: Of the data set, name to supercategory (empty or ``None`` where there is none).
            synonyms: A file of the form of ``coco.toml``, read over the shipped one.
            phrases: A file of the form of ``phrases.toml``, read over the shipped one.

        Raises:
            PipelineError: A file cannot be read, or says something that cannot be.
        """
        from pipeline.quality.reading.lexicon import load_lexicon
        from pipeline.quality.texts.phrases import load_phrases

        self._lexicon = load_lexicon(categories, synonyms)
        self._phrases = load_phrases(phrases)

    def check(
        self, turns: Sequence[Turn], scene: Scene, *, kind: str, context: str, language: str = CLAIMS_IN
    ) -> tuple[list[Claim], list[Finding]]:
        """Return a sample's claims and findings, each in the order of the text.

        Args:
            turns: The sample's questions and answers.
            scene: What it is about.
            kind: Of the sample; what is too short or too long depends on it.
            context: What the writer was shown, which is no leak where the picture itself has such words.
            language: ISO 639-1 code of the language that the sample should be in.
        """
        from pipeline.quality.claims.finding import find_claims
        from pipeline.quality.texts.faults import find_faults

        claims = find_claims(turns, scene, self._lexicon) if language == CLAIMS_IN else []
        faults = find_faults(turns, context, self._phrases, kind=kind, language=language)
        wrong = [
            Finding(claim.message, claim.start, claim.end, CONTRADICTION, claim.detail)
            for claim in claims
            if claim.verdict == "contradicted"
        ]
        if not wrong:
            return claims, faults
        return claims, sorted([*wrong, *faults], key=_place)


def _place(finding: Finding) -> tuple[bool, int, int]:
    return finding.message is None, finding.message or 0, finding.start


def contradictions(turns: Sequence[Turn], claims: Sequence[Claim]) -> list[str]:
    """Return each contradicted statement with the evidence, as lines for the model that wrote it, or for a person."""
    messages = [text for turn in turns for text in (turn.question, turn.answer)]
    return [
        f'"{messages[claim.message][claim.start : claim.end]}": {claim.detail}'
        for claim in claims
        if claim.verdict == "contradicted"
    ]


def file_digest(*paths: Path | None) -> str:
    """Return a digest of the contents of files; those that are ``None`` count as absent.

    Raises:
        PipelineError: One cannot be read.
    """
    digest = hashlib.sha256()
    for path in paths:
        try:
            digest.update(path.read_bytes() if path else b"\0")
        except OSError as error:
            raise PipelineError(f"cannot read {path}: {error.strerror}") from None
    return digest.hexdigest()[:16]
