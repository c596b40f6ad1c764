from __future__ import annotations

from pathlib import Path

from pipeline.samples.verdicts import Entry, VerdictLog, clean_name, fingerprint

OF = fingerprint(["What is there?", "A dog."])


def _verdict(by: str, verdict: str | None, sample: str = "7/conversation/0", look: int = 1) -> Entry:
    return Entry("verdict", sample, OF, by, "2026-01-01T00:00:00Z", look=look, verdict=verdict)  # type: ignore[arg-type]


def test_the_last_verdict_of_a_reviewer_counts(tmp_path: Path) -> None:
    log = VerdictLog(tmp_path / "verdicts.jsonl")
    log.add([_verdict("ada", "accepted"), _verdict("bob", "accepted"), _verdict("ada", "rejected")])
    again = VerdictLog(log.path)
    assert again.catch_up() == {"7/conversation/0"}
    standing = again.standing("7/conversation/0", OF)
    assert {name: entry.verdict for name, entry in standing.verdicts.items()} == {"bob": "accepted", "ada": "rejected"}
    assert standing.combined == "disputed"


def test_a_torn_last_line_is_passed_over_counted_and_kept_apart_from_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.jsonl"
    log = VerdictLog(path)
    log.add([_verdict("ada", "accepted", "1"), _verdict("ada", "accepted", "2")])
    path.write_bytes(path.read_bytes()[:-20])
    again = VerdictLog(path)
    assert again.catch_up() == {"1"}
    again.add([_verdict("ada", "rejected", "3")])
    assert again.catch_up() == {"3"}
    assert again.unreadable == 1
    assert sorted(again.samples()) == ["1", "3"]


def test_two_processes_see_each_other(tmp_path: Path) -> None:
    one, other = VerdictLog(tmp_path / "verdicts.jsonl"), VerdictLog(tmp_path / "verdicts.jsonl")
    one.add([_verdict("ada", "accepted")])
    other.catch_up()
    other.add([_verdict("bob", "rejected")])
    one.catch_up()
    assert one.standing("7/conversation/0", OF).combined == "disputed"


def test_undo_goes_back_step_by_step_and_leaves_others_alone(tmp_path: Path) -> None:
    log = VerdictLog(tmp_path / "verdicts.jsonl")
    log.add([_verdict("ada", "accepted"), _verdict("bob", "accepted"), _verdict("ada", "rejected")])
    assert [entry and entry.verdict for entry in (log.undo("ada"), log.undo("ada"), log.undo("ada"))] == [
        "rejected",
        "accepted",
        None,
    ]
    again = VerdictLog(log.path)
    again.catch_up()
    assert list(again.standing("7/conversation/0", OF).verdicts) == ["bob"]


def test_a_verdict_is_not_taken_for_one_on_another_text_of_the_same_id(tmp_path: Path) -> None:
    log = VerdictLog(tmp_path / "verdicts.jsonl")
    log.add([_verdict("ada", "accepted")])
    log.catch_up()
    other = fingerprint(["What is there?", "A cat."])
    assert log.standing("7/conversation/0", other).combined is None
    assert log.stale("7/conversation/0", other) == 1


def test_a_second_look_is_a_rater_of_its_own(tmp_path: Path) -> None:
    log = VerdictLog(tmp_path / "verdicts.jsonl")
    log.add([_verdict("ada", "accepted"), _verdict("ada", "rejected", look=2)])
    log.catch_up()
    assert list(log.standing("7/conversation/0", OF).verdicts) == ["ada", "ada · second look"]


def test_another_file_in_its_place_is_read_anew(tmp_path: Path) -> None:
    log = VerdictLog(tmp_path / "verdicts.jsonl")
    log.add([_verdict("ada", "accepted", "1"), _verdict("ada", "accepted", "2")])
    log.catch_up()
    log.path.unlink()
    assert log.catch_up() == {"1", "2"}
    assert log.samples() == []


def test_nobody_can_take_the_name_of_anothers_second_look() -> None:
    assert clean_name(" ada · second look\n") == "ada second look"
    assert clean_name("x" * 99) == "x" * 40
