from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from pipeline.errors import PipelineError, RunStopped
from pipeline.llm.journal import CHECKPOINT_EVERY, PAGE_BYTES, VERSION, Journal, Reply

REPLY = Reply("A dog.", None, "stop", "m", 10, 4, 3)


def test_a_kept_reply_is_found_by_the_next_process(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    assert journal.find(b"key") is None
    journal.keep(b"key", "1/conversation/0", REPLY)
    journal.leave_note("dialect", "json")
    journal.close()
    again = Journal(tmp_path / "j.sqlite")
    assert again.find(b"key") == REPLY
    assert again.note("dialect") == "json"
    assert again.count() == 1
    again.close()


def test_a_reply_survives_sigkill_the_moment_it_is_kept(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from pipeline.llm.journal import Journal, Reply\n"
        "journal = Journal(pathlib.Path(sys.argv[1]))\n"
        "for n in range(10**6):\n"
        "    journal.keep(b'%d' % n, 's', Reply('x' * 1000, None, 'stop', 'm', 1, 0, 1))\n"
        "    print(n, flush=True)\n"
    )
    path = tmp_path / "j.sqlite"
    child = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout
    for _ in range(300):
        child.stdout.readline()
    os.kill(child.pid, signal.SIGKILL)
    told = [int(line) for line in child.stdout.read().split()]
    child.wait()
    journal = Journal(path)
    last = max(told, default=299)
    assert journal.count() in (last + 1, last + 2)
    assert all(journal.find(b"%d" % n) for n in range(last + 1))
    journal.close()


def test_the_log_of_a_long_run_is_moved_into_the_file_as_it_grows(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    log = tmp_path / "j.sqlite-wal"
    sizes = []

    async def keep_many() -> None:
        forcing = asyncio.create_task(journal.keep_forcing())
        for n in range(10_000):
            journal.keep(hashlib.sha256(b"%d" % n).digest(), f"{n}/conversation/0", REPLY)
            if n % 200 == 0:
                sizes.append(log.stat().st_size)
                await asyncio.sleep(0.06)  # as answers come, some hundreds at a time
        forcing.cancel()
        await asyncio.wait([forcing])

    asyncio.run(keep_many())
    largest = 5 * CHECKPOINT_EVERY * PAGE_BYTES
    assert CHECKPOINT_EVERY * PAGE_BYTES < max(sizes) < largest  # all 10,000 would take more, two pages each
    assert 0 < len(journal._unsorted) < 4000  # those since the last move
    assert journal.count() == 10_000
    assert all(journal.find(hashlib.sha256(b"%d" % n).digest()) for n in range(0, 10_000, 77))
    journal.close()
    assert not log.exists()


def test_a_second_process_finds_what_the_first_has_kept_and_not_sorted_in(tmp_path: Path) -> None:
    first = Journal(tmp_path / "j.sqlite")
    for n in range(100):
        first.keep(b"%d" % n, "s", REPLY)
    second = Journal(tmp_path / "j.sqlite")
    assert all(second.find(b"%d" % n) for n in range(100))
    first.keep(b"0", "s", msgspec.structs.replace(REPLY, content="another"))
    assert first.find(b"0") == REPLY
    for n in range(100, 200):
        first.keep(b"%d" % n, "s", REPLY)
    assert first.count() == 200
    second.close()
    first.close()


def test_what_a_process_left_unsorted_is_found_after_another_has_sorted_later_ones(tmp_path: Path) -> None:
    one, other = Journal(tmp_path / "j.sqlite"), Journal(tmp_path / "j.sqlite")
    for n in range(10):
        one.keep(b"one %d" % n, "s", REPLY)
        other.keep(b"other %d" % n, "s", REPLY)
    other.sort_keys()
    one.close()
    other.close()
    again = Journal(tmp_path / "j.sqlite")
    assert all(again.find(b"%s %d" % (name, n)) for n in range(10) for name in (b"one", b"other"))
    again.close()


def test_a_journal_of_the_first_version_is_read_and_carried_on(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    journal = Journal(path)
    for n in range(10):
        journal.keep(b"%d" % n, "s", REPLY)
    journal.close()
    db = sqlite3.connect(path)
    db.executescript("DROP TABLE keys; CREATE UNIQUE INDEX earlier ON replies (key); PRAGMA user_version = 1;")
    db.close()
    journal = Journal(path)
    assert all(journal.find(b"%d" % n) == REPLY for n in range(10))
    other = Journal(path)
    other.keep(b"11", "s", REPLY)
    for key in (b"3", b"10", b"11"):
        journal.keep(key, "s", REPLY)
    assert journal.count() == 12
    other.close()
    assert journal.query("PRAGMA user_version") == [(VERSION,)]
    journal.close()


def test_a_journal_from_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    Journal(path).close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    before = path.read_bytes()
    with pytest.raises(PipelineError, match=f"newer version \\({VERSION + 1}"):
        Journal(path)
    assert path.read_bytes() == before


def test_what_is_no_journal_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database, but long enough to look like a header of one\n" * 20)
    with pytest.raises(PipelineError, match="not a readable journal"):
        Journal(tmp_path / "text")
    other = sqlite3.connect(tmp_path / "other")
    other.execute("CREATE TABLE t (x)")
    other.close()
    with pytest.raises(PipelineError, match="no journal of ours"):
        Journal(tmp_path / "other")


def test_a_disk_that_is_full_when_keys_are_sorted_loses_none(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    keys = [b"%d" % n for n in range(2000)]
    for key in keys:
        journal.keep(key, "s", REPLY)
    ((pages,),) = journal.query("PRAGMA page_count")
    journal.query(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(RunStopped, match=r"full.*run again"):
        journal.sort_keys()
    assert all(map(journal.find, keys))
    journal.query(f"PRAGMA max_page_count = {2 * pages}")
    journal.sort_keys()
    assert all(map(journal.find, keys))
    journal.close()


def test_a_full_disk_stops_the_run_and_keeps_what_was_committed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    journal.keep(b"first", "s", REPLY)
    journal._db.execute("PRAGMA max_page_count = 8")  # SQLite's own way to run out of room
    long = Reply("x" * 100_000, None, "stop", "m", 1, 0, 1)
    with pytest.raises(RunStopped, match=r"full.*run again"):
        journal.keep(b"second", "s", long)
    assert journal.find(b"first") == REPLY
    journal.close()
