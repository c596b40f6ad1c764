"""What each picture of the report says, in a sentence or two of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.quality.counting import rate
from pipeline.quality.figures import published
from pipeline.quality.report.timeline import Timeline
from pipeline.quality.wording import count, duration, interval, listed, money, named, percent, short

Figures = Mapping[str, Any]
_FEW_LEFT_OUT = 6


def claims(figures: Figures) -> str:
    """Return how many statements could be held against captions and boxes, and how that ended."""
    told = figures["claims"]
    checkable = told["supported"] + told["contradicted"]
    total = checkable + told["not checkable"]
    share = rate(told["contradicted"], checkable)
    wrong = (
        f"{told['contradicted']:,} of them are contradicted ({percent(share['share'])})"
        if told["contradicted"]
        else f"none of them is contradicted (95 % interval up to {percent(share['high'])})"
    )
    an_answer = figures["claims"]["checkable_an_answer"]["all"] or 0
    return (
        f"Of {count(total, 'statement')} in questions and answers, {checkable:,} can be checked ({an_answer:.2g} in an "
        f"average answer); {wrong}."
        if checkable
        else f"Of {count(total, 'statement')} in questions and answers, none can be checked."
    )


def errors(figures: Figures) -> str:
    """Return how the run's errors compare to LLaVA's."""
    kind, theirs = next(iter(figures["llava"]["contradicted_samples"]["by_kind"].items()))
    ours = figures["contradicted_samples"]["by_kind"].get(kind) or figures["contradicted_samples"]["all"]
    what = f"samples of kind {named(kind)}" if kind in figures["contradicted_samples"]["by_kind"] else "samples"
    compared = (
        "fewer, beyond chance"
        if ours["high"] < theirs["low"]
        else "more, beyond chance"
        if ours["low"] > theirs["high"]
        else "which may be chance, as the intervals overlap"
    )
    return (
        f"{_with_interval(ours)} of {what} contradict their scene; in {published.NAME}'s detailed descriptions it is "
        f"{_with_interval(theirs)}: {compared}."
    )


def _with_interval(share: Mapping[str, Any]) -> str:
    return f"{percent(share['share'])} [{interval(share)}]"


def lengths(figures: Figures) -> str:
    """Return the median answer of each kind."""
    medians = [
        f"{count(spread['median'], 'word')} for {named(name)}"
        for name, spread in figures["lengths"]["answers"].items()
        if spread["n"]
    ]
    return f"The median answer has {listed(medians[:6])}."


def first_words(figures: Figures) -> str:
    """Return how many questions differ, and the most frequent beginning."""
    distinct = figures["diversity"]["distinct_questions"]["all"]
    theirs = figures["llava"]["distinct_questions"]["all"]
    first = figures["diversity"]["first_words"][0]
    return (
        f"There are {distinct['count']:,} different questions among {distinct['of']:,} ({percent(distinct['share'])}); "
        f"in a small sample of {published.NAME}'s, {theirs['count']} among {theirs['of']}. "
        f"{percent(first['count'] / distinct['of'])} begin with “{short(first['word'])}”."
    )


def verbs(figures: Figures) -> str:
    """Return how many pairs of verb and noun there are."""
    pairs = count(figures["diversity"]["different_roots"], "pair")
    return f"By rule, the questions come down to {pairs} of a verb and a noun; “be” is asked of what is there."


def coverage(figures: Figures) -> str:
    """Return how many categories answers speak of, and which they never do."""
    rows = figures["coverage"]
    silent = [short(name) for name, row in rows.items() if not row["images_named"]]
    spoken = f"{len(rows) - len(silent):,} of {count(len(rows), 'category', 'categories')}"
    told = f"Answers speak of {spoken} that the images have"
    if not silent:
        return f"{told}."
    more = f" and {len(silent) - _FEW_LEFT_OUT:,} more" if len(silent) > _FEW_LEFT_OUT else ""
    return f"{told}; never of {', '.join(silent[:_FEW_LEFT_OUT])}{more}."


def closed(figures: Figures) -> str:
    """Return the share of no, and how many questions ask for what is not there."""
    told = figures["closed"]
    share = _with_interval(told["no_share"])
    unreadable = f" {told['unreadable']:,} answers say neither." if told["unreadable"] else ""
    return (
        f"No is the answer to {share} of {count(told['no_share']['of'], 'closed question')}; in {published.NAME}'s it "
        "never is. "
        f"{count(told['absence'], 'question asks', 'questions ask')} for something that is not there.{unreadable}"
    )


def over_time(timeline: Timeline) -> str:
    """Return the mean rate, the peak, and what failed."""
    seconds = sum(point.for_s for point in timeline.points)
    answers = sum(point.answers_per_s * point.for_s for point in timeline.points)
    failures = sum(sum(point.failures.values()) for point in timeline.points)
    peak = max(point.answers_per_s for point in timeline.points)
    cost = timeline.points[-1].cost_usd
    return (
        f"{answers / seconds:,.1f} answers a second over {duration(seconds)}, {peak:,.1f} at the most; "
        f"{count(failures, 'try', 'tries') if failures else 'no try'} failed"
        + (f"; {money(cost)} in all." if cost else ".")
    )
