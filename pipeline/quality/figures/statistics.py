"""The figures of a run: every row is seen once, and only counters are kept.

``stats.json``, the report and the dataset card are made of what ``Statistics.figures`` returns. Figures are added,
never renamed. A share comes as ``{"count", "of", "share", "low", "high"}``, the last two being its 95 % interval.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

from pipeline.quality.counting import Distinct, Spread, Tally, rate
from pipeline.quality.figures.coverage import Coverage
from pipeline.quality.figures.diversity import first_words, root
from pipeline.quality.figures.published import llava
from pipeline.quality.texts.closed import asks_for_absent, closed_answer, is_closed
from pipeline.quality.texts.phrases import Phrases, has_hedge, load_phrases

VERDICTS = ("supported", "contradicted", "not checkable")
_MOST_KINDS = 64
_OTHER = "other kinds"
_TOP = 14  # first words and verbs told, and as many words and nouns of each
_ALL_ROOTS = 20_000  # questions whose verb and noun are found; of those after them, one in so many is drawn
_ONE_IN = 8
_LLAVA_COUNTED = ("count", "place")  # the claims that LLaVA's 0.56 an answer are


class _Kind:
    """Counters of one kind of sample."""

    def __init__(self) -> None:
        self.samples = 0
        self.contradicted = 0
        self.turns: Counter[int] = Counter()
        self.questions = Spread()
        self.answers = Spread()
        self.distinct = Distinct()
        self.hedged = 0
        self.closed: Counter[str] = Counter()
        self.claims: Counter[tuple[str, str]] = Counter()
        self.answer_claims: Counter[tuple[str, str]] = Counter()

    def asked(self) -> int:
        """Return how many questions there were."""
        return sum(turns * samples for turns, samples in self.turns.items())


class Statistics:
    """Counts the rows of a run, or of foreign data, one at a time."""

    def __init__(self, phrases: Phrases | None = None) -> None:
        """Begin with nothing counted.

        Args:
            phrases: What hedging is told by; the shipped ones if left out.
        """
        self._phrases = phrases or load_phrases()
        self._kinds: dict[str, _Kind] = {}
        self._images = Distinct()
        self._questions = Distinct()
        self._asked = 0
        self._draw = random.Random(0)
        self._first_words = Tally()
        self._roots = Tally()
        self._coverage = Coverage()
        self._findings = Tally()
        self._samples_with = Tally()
        self._attempts = Tally()
        self._models = Tally()
        self._finish_reasons = Tally()
        self._money = _Money()
        self._rejects = Tally()
        self._rejected_kinds = Tally()
        self._lost = _Money()

    def add(self, row: Mapping[str, Any]) -> None:
        """Count a row of ``SCHEMA``; columns may be missing or null, as foreign data has them."""
        name = row.get("kind") or "unnamed"
        if name not in self._kinds and len(self._kinds) >= _MOST_KINDS:
            name = _OTHER
        kind = self._kinds.get(name)
        if kind is None:
            kind = self._kinds[name] = _Kind()
        kind.samples += 1
        self._images.add(row.get("image_id") or row.get("file_name") or row.get("id"))
        self._add_texts(kind, row.get("messages") or [])
        claims = row.get("claims") or []
        self._add_claims(kind, claims)
        self._coverage.add(row, claims)
        if findings := row.get("findings"):
            for finding in findings:
                self._findings.add(finding["kind"])
            for found in {finding["kind"] for finding in findings}:
                self._samples_with.add(found)
        self._money.add(row)
        self._attempts.add(row.get("attempts") or 0)
        self._models.add(row.get("model") or "unnamed")
        self._finish_reasons.add(row.get("finish_reason") or "not told")

    def add_reject(self, row: Mapping[str, Any]) -> None:
        """Count a row of ``REJECT_SCHEMA``."""
        self._rejects.add(row.get("reason") or "not told")
        self._rejected_kinds.add(row.get("kind") or "unnamed")
        self._lost.add(row)

    def _add_texts(self, kind: _Kind, messages: list[dict[str, Any]]) -> None:
        asked = ""
        turns = 0
        for message in messages:
            text = message["content"] or ""
            if message["role"] == "user":
                asked = text
                turns += 1
                self._add_question(kind, text)
            elif message["role"] == "assistant":
                kind.answers.add(len(text.split()))
                kind.hedged += has_hedge(text, self._phrases)
                if is_closed(asked):
                    said = closed_answer(text)
                    kind.closed[said or "unreadable"] += 1
                    if said == "no" and asks_for_absent(asked, text):
                        kind.closed["absence"] += 1
        kind.turns[min(turns, 100)] += 1

    def _add_question(self, kind: _Kind, text: str) -> None:
        words = text.split()
        kind.questions.add(len(words))
        folded = hash(text.strip().casefold())
        kind.distinct.add(folded)
        self._questions.add(folded)
        self._first_words.add(first_words(words))
        self._asked += 1
        if self._asked <= _ALL_ROOTS:
            self._roots.add(root(text))
        elif self._draw.random() < 1 / _ONE_IN:  # every eighth would meet the same turn of each sample
            self._roots.add(root(text), _ONE_IN)

    @staticmethod
    def _add_claims(kind: _Kind, claims: list[dict[str, Any]]) -> None:
        contradicted = False
        for claim in claims:
            what = claim["kind"], claim["verdict"]
            kind.claims[what] += 1
            if claim["message"] % 2:
                kind.answer_claims[what] += 1
            if what[1] == "contradicted":
                contradicted = True
        kind.contradicted += contradicted

    def figures(self) -> dict[str, Any]:
        """Return all figures, ready for JSON; the same rows in the same order give the same figures."""
        kinds = {name: self._kinds[name] for name in sorted(self._kinds)}
        total = sum(kind.samples for kind in kinds.values())
        return {
            "samples": {
                "total": total,
                "by_kind": {name: kind.samples for name, kind in kinds.items()},
                "images": self._images.count(),
                "questions": sum(kind.asked() for kind in kinds.values()),
            },
            "turns": {name: _turns(kind) for name, kind in kinds.items()},
            "claims": _claims(kinds),
            "contradicted_samples": {
                "all": rate(sum(kind.contradicted for kind in kinds.values()), total),
                "by_kind": {name: rate(kind.contradicted, kind.samples) for name, kind in kinds.items()},
            },
            "findings": {
                found: {"findings": count, "samples": rate(self._samples_with.counts[found], total)}
                for found, count in self._findings.ranked()
            },
            "hedged_answers": {
                "all": rate(
                    sum(kind.hedged for kind in kinds.values()), sum(kind.answers.count() for kind in kinds.values())
                ),
                "by_kind": {name: rate(kind.hedged, kind.answers.count()) for name, kind in kinds.items()},
            },
            "closed": _closed(kinds),
            "lengths": {
                "questions": {name: kind.questions.figures() for name, kind in kinds.items()},
                "answers": {name: kind.answers.figures() for name, kind in kinds.items()},
            },
            "diversity": self._diversity(kinds),
            "coverage": self._coverage.figures(),
            "rejects": {
                "total": self._rejects.total(),
                "by_reason": self._rejects.figures(),
                "by_kind": self._rejected_kinds.figures(),
                **self._lost.figures(),
            },
            "made": {
                **self._money.figures(),
                "attempts": self._attempts.figures(),
                "models": self._models.figures(),
                "finish_reasons": self._finish_reasons.figures(),
            },
            "llava": llava(),
        }

    def _diversity(self, kinds: dict[str, _Kind]) -> dict[str, Any]:
        asked = sum(kind.asked() for kind in kinds.values())
        return {
            "distinct_questions": {
                "all": rate(self._questions.count(), asked),
                "by_kind": {name: rate(kind.distinct.count(), kind.asked()) for name, kind in kinds.items()},
            },
            "first_words": [
                {"word": first, "count": count, "then": then} for first, count, then in _two_levels(self._first_words)
            ],
            "verbs": [
                {"verb": verb, "count": count, "nouns": nouns} for verb, count, nouns in _two_levels(self._roots)
            ],
            "different_roots": len(self._roots.counts),
        }


class _Money:
    """Tokens and cost of what was made, or of what was lost."""

    def __init__(self) -> None:
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.cost_usd = 0.0
        self.unpriced = 0

    def add(self, row: Mapping[str, Any]) -> None:
        """Count a row."""
        self.prompt_tokens += row.get("prompt_tokens") or 0
        self.completion_tokens += row.get("completion_tokens") or 0
        cost = row.get("cost_usd")
        if cost is None:
            self.unpriced += 1
        else:
            self.cost_usd += cost

    def figures(self) -> dict[str, Any]:
        """Return the sums, and of how many rows the cost is not known."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cost_usd": round(self.cost_usd, 6),
            "rows_without_cost": self.unpriced,
        }


def _two_levels(pairs: Tally) -> list[tuple[str, int, dict[str, int]]]:
    """Return the most frequent firsts of pairs, each with its count and its most frequent seconds."""
    seconds: dict[str, Counter[str]] = {}
    for (first, second), count in pairs.ranked():
        seconds.setdefault(first, Counter())[second] += count
    ranked = sorted(seconds.items(), key=lambda pair: (-pair[1].total(), pair[0]))[:_TOP]
    return [(first, after.total(), dict(after.most_common(_TOP))) for first, after in ranked]


def _turns(kind: _Kind) -> dict[str, Any]:
    return {
        "mean": round(kind.asked() / kind.samples, 2),
        "samples_by_turns": {str(turns): kind.turns[turns] for turns in sorted(kind.turns)},
    }


def _claims(kinds: dict[str, _Kind]) -> dict[str, Any]:
    """Return claims by verdict: in all, by what they are about, by kind of sample, and how many an answer has."""
    everything: Counter[tuple[str, str]] = Counter()
    for kind in kinds.values():
        everything.update(kind.claims)
    about = sorted({what for what, _ in everything}, key=lambda what: (-_checkable(_verdicts(everything, what)), what))
    return {
        **_verdicts(everything),
        "by_claim_kind": {what: _with_rate(_verdicts(everything, what)) for what in about},
        "by_sample_kind": {name: _with_rate(_verdicts(kind.claims)) for name, kind in kinds.items()},
        "checkable_an_answer": _an_answer(kinds, None),
        "count_and_place_claims_an_answer": _an_answer(kinds, _LLAVA_COUNTED),
    }


def _verdicts(claims: Counter[tuple[str, str]], about: str | None = None) -> dict[str, int]:
    told = dict.fromkeys(VERDICTS, 0)
    for (what, verdict), count in claims.items():
        if about in (None, what):
            told[verdict] += count
    return told


def _checkable(verdicts: dict[str, int]) -> int:
    return verdicts["supported"] + verdicts["contradicted"]


def _with_rate(verdicts: dict[str, int]) -> dict[str, Any]:
    return {**verdicts, "contradicted_share": rate(verdicts["contradicted"], _checkable(verdicts))}


def _an_answer(kinds: dict[str, _Kind], about: tuple[str, ...] | None) -> dict[str, Any]:
    """Return how many checkable claims an answer has, of all kinds of claims or of some."""
    claims = {
        name: sum(
            count
            for (what, verdict), count in kind.answer_claims.items()
            if verdict != "not checkable" and (about is None or what in about)
        )
        for name, kind in kinds.items()
    }
    answers = {name: kind.answers.count() for name, kind in kinds.items()}
    return {
        "all": _mean(sum(claims.values()), sum(answers.values())),
        "by_kind": {name: _mean(claims[name], answers[name]) for name in kinds},
    }


def _mean(total: int, of: int) -> float | None:
    return round(total / of, 3) if of else None


def _closed(kinds: dict[str, _Kind]) -> dict[str, Any]:
    """Return how questions that ask for yes or no were answered."""
    counts: Counter[str] = Counter()
    for kind in kinds.values():
        counts.update(kind.closed)
    readable = counts["yes"] + counts["no"]
    return {
        "questions": readable + counts["unreadable"],
        "yes": counts["yes"],
        "no": counts["no"],
        "unreadable": counts["unreadable"],
        "absence": counts["absence"],
        "no_share": rate(counts["no"], readable),
        "by_kind": {
            name: {answer: kind.closed[answer] for answer in ("yes", "no", "unreadable", "absence")}
            for name, kind in kinds.items()
            if kind.closed
        },
    }
