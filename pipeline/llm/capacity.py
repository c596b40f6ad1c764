"""How many requests a server serves well at once, judged from how it answered the last few hundred.

Requests are counted in windows, each under one limit. Two things speak against a limit:

- **Refusals that rise with load.** Their share tells how far the limit is above the ceiling. A cut is believed only if
  it lowers the share: if it does not, refusals are luck, and the limit comes back.
- **Latency that rises with load.** By Little's law a window's throughput is its mean load over its mean latency. A step
  up must bring throughput, a step down must cost some; otherwise requests merely queue.

Nothing here waits or reads a clock.
"""

from __future__ import annotations

import math
from enum import Enum

from pipeline.llm.windows import ENOUGH, Window

WORTHWHILE = 0.08  # of the throughput that a step would bring without queueing; at 0.1, 10 % could be lost for good
ANSWERS_A_REST = 4  # until a refused request's place is used again: a full server is asked in vain less often
SMALLEST_WINDOW = 16
SURE = 1.5  # standard errors; a wrong verdict is reversed by the next probe
SUSPICION = 4.6  # log-likelihood: 100 times as likely refused for load as by luck
LUCK = 0.05  # share of refusals that says nothing by itself
HOPELESS = 0.25  # a share of refusals that nobody takes for luck
GENTLE, BOLD = 1 / 16, 1 / 2  # steps up, as shares of the limit: where refusals threaten, and where only queueing does
FIRST_PATIENCE, LONGEST_PATIENCE = 3.0, 6.0  # round trips from a probe that failed to the next
ANSWERS_A_PROBE = 64  # between probes that fail, where a round trip brings only a few answers
FIRST_SENT = 8  # their latency stands for an idle server's
UNHEARD_S = 0.2  # from the first requests to as many as allowed; refusals come within a round trip, answers after it


class Phase(Enum):
    """What the requests of the present window are to find out."""

    START = "slow start"
    STEADY = "steady"
    UP = "more"
    DOWN = "less"
    CHECK = "whether a cut helped"


class Capacity:
    """The limit, and the search for a better one."""

    def __init__(self, most: int) -> None:
        """Start with an eighth of ``most``, which is never exceeded."""
        self._most = most
        self.limit = min(most, max(FIRST_SENT, most // 8))
        """Requests that may be in flight."""
        self.why = "slow start"
        """What changed the limit last, for people."""
        self.latency_s = 0.0
        """Recent mean; 0 before the first answer."""
        self._phase = Phase.START
        self._home = self.limit  # the limit to come back to when a probe fails
        self._direction: Phase | None = None  # of the next probe, if any
        self._step = BOLD
        self._patience = FIRST_PATIENCE
        self._probe_at = 0.0
        self._in_flight = 0  # after the last refusal: those that the server took, or has yet to refuse
        self._luck = 0.0  # share of refusals that a lower load did not lower
        self._refuses = False  # whether too much load was once found to be refused
        self._first_sent = 0
        self._backed = self.limit  # of slow start's limit, what does not rest on nobody having been refused yet
        self._unheard_s = 0.0  # for how long requests have waited while nothing had come back
        self._idle_s = 0.0  # latency of an idle server, roughly
        self._cut: Window | None = None  # the window that was cut; its late refusals deepen the cut
        self._uncut = self.limit
        self._window = self._known = self._open()

    # ── what happens to requests ─────────────────────────────────────────────────────────────────────────────────────

    def sent(self, is_full: bool) -> tuple[Window, bool]:
        """Count a request.

        Args:
            is_full: Whether about as many are in flight as may be; others say nothing about the limit.

        Returns:
            The window to settle it in, and whether it is among those that the window waits for.
        """
        window = self._window
        window.sent += 1
        marked = self._first_sent < FIRST_SENT if self._phase is Phase.START else is_full
        if not marked or window.marked >= window.quota:
            return window, False
        self._first_sent += 1
        window.marked += 1
        return window, True

    @property
    def allowed(self) -> int:
        """Return how many requests may be in flight now, at least 1: the limit without the places that rest."""
        return max(1, self.limit - self._window.resting)

    def answered(self, window: Window, marked: bool, load: int, latency_s: float, now: float, in_flight: int) -> None:
        """Take a good answer.

        Args:
            window: Of the request, as ``sent`` returned it.
            marked: As ``sent`` returned it.
            load: In flight when the request was sent, itself included.
            latency_s: From then until now.
            now: In seconds, on the clock of all calls.
            in_flight: Before this answer.
        """
        self.latency_s += (latency_s - self.latency_s) / 16 if self.latency_s else latency_s
        if marked:
            window.count += 1
            window.loads += load
            window.latencies += latency_s
            window.squares += latency_s * latency_s
            window.settled += 1
        if window is not self._window:
            return
        if window.resting:
            window.rested = (window.rested + 1) % ANSWERS_A_REST
            window.resting -= window.rested == 0
        if self._phase is Phase.START:
            self._accelerate(now, in_flight)
        elif window.is_closed:
            self._judge(now)

    def refused(self, window: Window, marked: bool, now: float, in_flight: int) -> None:
        """Take a 429; ``in_flight`` is after it."""
        self._in_flight = in_flight
        window.refused += 1
        window.settled += marked
        if window is self._cut and self._phase is Phase.CHECK:
            self.limit = min(self.limit, self._shrunk(window))
        if window is not self._window:
            return
        if window.refused > 1.5 * self._luck * window.sent and window.resting < self.limit - 1:
            window.resting += 1
        if self._is_suspicious():
            self._cut_limit(now) if self._phase is not Phase.UP else self._end_refused_probe(now)
        elif self._phase is not Phase.START and window.is_closed:
            self._judge(now)

    def failed(self, window: Window, marked: bool, now: float) -> None:
        """Take a request that got no answer: only if most fail does it say something."""
        window.failed += 1
        window.settled += marked
        if window is not self._window:
            return
        if window.failed * 2 > window.sent and window.failed >= min(window.limit, SMALLEST_WINDOW):
            self._settle(max(1, self.limit // 2), now, "cut: failures")
            self._direction, self._step = Phase.UP, BOLD
        elif self._phase is not Phase.START and window.is_closed:
            self._judge(now)

    def withdrawn(self, window: Window, marked: bool) -> None:
        """Forget a request that was never sent, or that its sender gave up."""
        window.sent -= 1
        window.marked -= marked

    # ── slow start ───────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def is_unheard(self) -> bool:
        """Tell whether the server has neither answered nor refused anything yet."""
        return self._phase is Phase.START and not self.latency_s and self.limit < self._most

    def wait_unheard(self, seconds: float) -> None:
        """Take that all places have been in use for so long, and let a few more in.

        A server refuses at once and answers late: with nothing but answers to go by, most places would stay empty for
        as long as the first of them takes. Little by little, so that the first refusals stop the rest, and so that
        requests do not come back, and leave again, all in one moment.
        """
        self._unheard_s += seconds
        grown = self._backed + (self._most - self._backed) * self._unheard_s / UNHEARD_S
        self.limit = min(self._most, max(self.limit, int(grown)))

    def _accelerate(self, now: float, in_flight: int) -> None:
        """Let every answer bring 3 more until latency doubts it: a blind doubling would cost a large run 2 %."""
        window = self._window
        self._idle_s = window.mean if window.count else self.latency_s
        if window.count >= FIRST_SENT // 2 and self.latency_s > 1.6 * self._idle_s:
            self._settle(self._backed, now, "slow start ended: latency")
            self._direction = Phase.DOWN
        elif in_flight * 2 >= self._backed:
            self._backed = min(self._most, self._backed + 3)
            self.limit = max(self.limit, self._backed)
            if self._backed == self._most and window.settled >= FIRST_SENT - 1:  # the shortest come first
                self._settle(self.limit, now, "as many as allowed")
                self._direction = None

    # ── verdicts ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _is_suspicious(self) -> bool:
        """Tell whether refusals are far likelier to come of load than of luck, answers outstanding counted as good."""
        window = self._window
        if self._phase is Phase.CHECK:
            return False
        if self._phase is Phase.UP:
            luck, rise = max(self._luck, 0.01), min(0.5, max(0.05, 1 - self._home / window.limit))
        else:
            luck, rise = max(self._luck, LUCK), 0.25
        full = luck + rise
        odds = window.refused * math.log(full / luck)
        return odds + (window.sent - window.refused) * math.log((1 - full) / (1 - luck)) > SUSPICION

    def _judge(self, now: float) -> None:
        match self._phase:
            case Phase.CHECK:
                self._judge_cut(now)
            case Phase.UP:
                self._judge_more(now)
            case Phase.DOWN:
                self._judge_less(now)
            case _:
                self._rest_or_probe(now)

    def _cut_limit(self, now: float) -> None:
        """Cut as deep as refusals are many; those of the same burst yet to come deepen it, and cut no second time."""
        self._uncut = self.limit
        self._cut = self._window
        self._cut.limit = self.limit
        self.limit = self._shrunk(self._cut)
        self._go(Phase.CHECK, "cut: 429s")

    def _shrunk(self, window: Window) -> int:
        # A small share is doubled: the check that follows must be able to see it fall.
        depth = max(window.excess, min(0.06, 2 * window.excess))
        taken = min(self._in_flight, window.limit // 2)  # retries in a storm are refused many times over
        return max(1, taken, min(window.limit - 1, int(window.limit * (1 - depth))))

    def _judge_cut(self, now: float) -> None:
        assert self._cut is not None
        window, before = self._window, self._cut.share
        if window.sent * before < 12 and window.sent < ENOUGH:  # too few to see half of it
            self._extend()
        elif window.share <= before / 2:
            self._refuses = True
            if not self._idle_s and window.count:  # refusals came before the first answer
                self._idle_s = window.mean
            self._luck = min(self._luck, window.share)
            self._step, self._direction = GENTLE, Phase.UP
            self._settle(self.limit, now, self.why)
        elif window.share < HOPELESS:
            self._luck = window.share
            self._settle(self._uncut, now, "429s are luck")
            self._direction = Phase.UP if self._uncut < self._most else None
        else:
            self._cut_limit(now)

    def _rest_or_probe(self, now: float) -> None:
        window, known = self._window, self._known
        is_first = known is window or known.limit != window.limit or not known.count
        drift = window.mean / known.mean if window.count and known.count else 1.0
        if is_first and window.count and self._idle_s and self._direction is None:
            drift = window.mean / self._idle_s  # nothing but what is allowed has ended the growth
        if is_first or not 0.8 < drift < 1.25:
            self._known = window
            if drift > 1.25 and self._may_queue(window):
                self._direction = Phase.DOWN
            elif drift < 0.8 and self._home < self._most:
                self._direction, self._patience = Phase.UP, FIRST_PATIENCE
        else:
            known.add(window)
        known = self._known
        if known.refused >= 3 and known.share > self._luck * 1.5 + 0.02:
            self._window = known
            self._cut_limit(now)
            return
        if known.sent > ENOUGH / 2:
            self._luck = min(self._luck, known.share)
        if self._direction and now >= self._probe_at and known.count >= min(64, 4 * SMALLEST_WINDOW):
            self._probe()
        else:
            self._window = self._open()

    def _probe(self) -> None:
        if self._direction is Phase.UP and self._home < self._most:
            self.limit = min(self._most, self._home + max(1, int(self._home * self._step)))
            self._go(Phase.UP, "growth")
        elif self._home > 1:
            is_long = self._idle_s and self.latency_s > 4 * self._idle_s  # a long queue takes long to drain
            self.limit = max(1, int(self._home / (3 if is_long else 1 + BOLD)))
            self._go(Phase.DOWN, "probe: less")
        else:
            self._direction = Phase.UP
            self._window = self._open()

    def _judge_more(self, now: float) -> None:
        window = self._window
        rise = 1 - self._home / window.limit
        noise = math.sqrt(self._luck / max(1, window.sent))
        if window.refused >= 2 and window.share > self._luck + noise + max(0.01, rise / 2):
            self._end_refused_probe(now)
            return
        verdict = self._is_worthwhile(window, self._known) if self._may_queue(window) else True
        if verdict is None:
            self._extend()
        elif verdict:
            self._step = min(1.0, 2 * self._step)
            self._succeed(now, "growth")
        else:
            self._fail(now, Phase.DOWN, "growth ended: latency")
            self._step = BOLD

    def _end_refused_probe(self, now: float) -> None:
        window = self._window
        fits = int(window.limit * (1 - max(0.0, window.excess - self._luck)))
        self._home = max(self._home, min(fits, window.limit - 1, self._in_flight))
        self._fail(now, Phase.UP, "growth ended: 429s")
        self._step = GENTLE

    def _judge_less(self, now: float) -> None:
        verdict = self._is_worthwhile(self._known, self._window)
        if verdict is None:
            self._extend()
        elif verdict:
            self._fail(now, Phase.UP, "less would cost speed")
        else:
            self._succeed(now, "cut: latency")

    def _may_queue(self, window: Window) -> bool:
        """Tell whether latency can say that requests merely queue.

        A server that refuses what is too much has told so already; that its answers take a little longer now and then
        says that others use it, too. Only when they take twice as long as an idle server's is it doubted.
        """
        return not self._refuses or not window.count or window.mean > 2 * self._idle_s

    def _is_worthwhile(self, higher: Window, lower: Window) -> bool | None:
        """Tell whether the higher limit brings throughput worth its load; None if it takes more answers to tell."""
        if not (higher.count and lower.count):
            return bool(lower.count == 0)
        ratio = math.log(higher.limit / lower.limit)
        gain = math.log(higher.throughput / lower.throughput) - WORTHWHILE * ratio
        doubt = SURE * math.hypot(higher.error, lower.error)
        if ratio < math.log(1 + BOLD) * 0.6:  # a small step drowns in noise; larger ones follow if it is taken
            return gain > -2 * doubt
        if abs(gain) > doubt or self._window.count >= ENOUGH:
            return gain > 0
        return None

    # ── moving ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _open(self) -> Window:
        return Window(self.limit, max(SMALLEST_WINDOW, self.limit))

    def _go(self, phase: Phase, why: str) -> None:
        self._phase, self.why = phase, why
        self._window = self._open()

    def _settle(self, limit: int, now: float, why: str) -> None:
        self.limit = self._home = limit
        self._go(Phase.STEADY, why)
        self._known = self._window
        self._probe_at = now + self._patience * self.latency_s

    def _succeed(self, now: float, why: str) -> None:
        """Stay, and go on in the same direction at once."""
        self._home, self._patience = self.limit, FIRST_PATIENCE
        self._known = self._window
        self.why = why
        if self._direction is Phase.UP and self._home == self._most:
            self._settle(self._home, now, why)
            self._direction = None
        else:
            self._probe()

    def _fail(self, now: float, following: Phase, why: str) -> None:
        """Go back, and wait longer before the next probe."""
        self.limit = self._home
        self._go(Phase.STEADY, why)
        self._direction = following if following is Phase.DOWN or self._home < self._most else None
        self._probe_at = now + self._patience * self.latency_s
        self._patience = min(max(LONGEST_PATIENCE, ANSWERS_A_PROBE / self._home), 2 * self._patience)

    def _extend(self) -> None:
        self._window.quota += max(SMALLEST_WINDOW, self._window.limit)
