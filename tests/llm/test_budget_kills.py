from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.llm.budget import Budget, read_sums
from pipeline.llm.journal import Journal, Reply
from pipeline.llm.money import Hold
from pipeline.llm.prices import Price

PRICES = {"m": Price(input=1, cached_input=0.5, output=2)}
BODY, BOUND = 6000, 2000  # 6000 bytes at $1 and 2000 tokens at $2 a million: a cent at most
CENT = 0.01


SPENDER = f"""
import pathlib, random, sys
from pipeline.llm.budget import Budget
from pipeline.llm.journal import Journal, Reply
from pipeline.llm.prices import Price

path, name, most = pathlib.Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
dice = random.Random(name)
print("ready", flush=True)
sys.stdin.readline()
budget = Budget(Journal(path), {{"m": Price(input=1, cached_input=0.5, output=2)}}, "m", max_usd=most)
flying = []
for n in range(10**9):
    key = f"{{name}} {{n}}".encode()
    hold = budget.reserve(key, {BODY}, {BOUND})
    if hold:
        flying.append((hold, key))
        print("sent", flush=True)
    if hold and len(flying) < 8:
        continue
    if not flying:
        break
    hold, key = flying.pop(dice.randrange(len(flying)))
    fate = dice.random()
    if fate < 0.1:
        budget.release(hold)
    elif fate < 0.13:
        print("billed", hold.worst, flush=True)
        budget.lose(hold)
    else:
        prompt, completion = dice.randint(1, {BODY}), dice.randint(0, {BOUND})
        print("billed", prompt * 1000 + completion * 2000, flush=True)
        budget.keep(hold, key, "s", Reply("x", None, "stop", "m", prompt, 0, completion))
"""


def start(path: Path, name: str, most: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SPENDER, str(path), name, str(most)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    assert child.stdout
    assert child.stdout.readline() == "ready\n"
    return child


def go(*children: subprocess.Popen[str]) -> None:
    for child in children:
        assert child.stdin
        child.stdin.write("go\n")


def billed(told: str) -> int:
    """Return what the server has billed, in billionths of a dollar; a line that the kill has cut is none."""
    lines = [line.split() for line in told.splitlines(keepends=True) if line.endswith("\n")]
    return sum(int(words[1]) for words in lines if words[0] == "billed")


def test_the_ceiling_holds_over_kills_and_restarts(tmp_path: Path) -> None:
    path, most, total = tmp_path / "j.sqlite", 3.0, 0
    for n in range(4):
        child = start(path, f"life {n}", most)
        go(child)
        assert child.stdout
        early = "".join(child.stdout.readline() for _ in range(40 + 37 * n))
        os.kill(child.pid, signal.SIGKILL)
        total += billed(early + child.stdout.read())
        child.wait()
        journal = Journal(path)
        sums = read_sums(journal)
        journal.close()
        assert total / 1e9 <= sums.spent + sums.reserved <= most
    assert sums.reserved >= 4 * CENT  # each kill left requests in flight, and they stay counted
    last = start(path, "last life", most)
    go(last)
    total += billed(last.communicate()[0])
    journal = Journal(path)
    sums = read_sums(journal)
    journal.close()
    assert total / 1e9 <= sums.spent + sums.reserved <= most
    assert sums.spent + sums.reserved > most - CENT  # and it is used up to the last request that fits


def test_processes_that_start_at_once_on_one_file_share_one_ceiling(tmp_path: Path) -> None:
    path, most = tmp_path / "j.sqlite", 10.0
    children = [start(path, f"process {n}", most) for n in range(3)]
    go(*children)
    told = [child.communicate()[0] for child in children]
    assert [child.returncode for child in children] == [0, 0, 0]
    assert all("sent" in one for one in told)
    journal = Journal(path)
    sums = read_sums(journal)
    assert sum(map(billed, told)) / 1e9 == pytest.approx(sums.spent + sums.reserved)
    assert most - CENT < sums.spent + sums.reserved <= most
    journal.close()


@settings(max_examples=60, deadline=None)
@given(
    cents=st.integers(0, 8),
    steps=st.lists(
        st.tuples(
            st.sampled_from(["reserve"] * 4 + ["keep"] * 3 + ["release", "lose", "kill"]),
            st.integers(0, 2),
            st.integers(0, 6),
            st.floats(0, 1),
        ),
        max_size=60,
    ),
)
def test_no_order_of_events_passes_the_ceiling(cents: int, steps: list[tuple[str, int, int, float]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "j.sqlite"
        journals = [Journal(path) for _ in range(3)]
        budgets = [Budget(journal, PRICES, "m", max_usd=cents * CENT) for journal in journals]
        flying: list[list[tuple[Hold, bytes]]] = [[], [], []]
        bill = 0
        for what, who, which, share in steps:
            budget, mine = budgets[who], flying[who]
            if what == "reserve":
                key = b"%d" % which  # few keys: tries of one request, in several processes, meet
                if hold := budget.reserve(key, BODY, BOUND):
                    mine.append((hold, key))
            elif what == "kill":
                bill += sum(hold.worst for hold, _ in mine)  # at worst all of it was billed
                mine.clear()
                journals[who].close()
                journals[who] = Journal(path)
                budgets[who] = Budget(journals[who], PRICES, "m", max_usd=cents * CENT)
            elif mine:
                hold, key = mine.pop(which % len(mine))
                if what == "release":
                    budget.release(hold)
                elif what == "lose":
                    bill += hold.worst
                    budget.lose(hold)
                else:
                    prompt, completion = int(share * BODY) + 1, int(share * BOUND)
                    spent = prompt * 1000 + completion * 2000
                    bill += min(spent, hold.worst)
                    budget.keep(hold, key, "s", Reply("x", None, "stop", "m", min(prompt, BODY), 0, completion))
            counted = sum(journals[0].money.read())
            in_flight = sum(hold.worst for one in flying for hold, _ in one)
            assert bill + in_flight <= counted <= cents * 10_000_000
        for journal in journals:
            journal.close()
