from __future__ import annotations

import http.client
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.samples.verdicts import VerdictLog
from tests.review.stage import HOSTILE, Process, Served, make_run, picture, process, row, served


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("serving")
    images = folder / "images"
    images.mkdir()
    (images / "1.png").write_bytes(picture())
    (images / "2.png").write_text("<svg onload='alert(1)'/>")
    (folder / "secret.png").write_bytes(picture())
    rows = [row(number, image={"bytes": None, "path": f"{number}.png"}) for number in range(4)]
    rows[3] |= {"image": {"bytes": None, "path": str(folder / "secret.png")}, "file_name": "../secret.png"}
    rows[0]["kind"] = HOSTILE[:60]
    run = make_run(folder / "run", rows, annotations={"images": str(images)})
    with served(run) as server:
        yield server


def test_only_names_of_this_machine_are_answered_to(server: Served) -> None:
    port = server.netloc.rpartition(":")[2]
    assert server.ask("GET", "/", headers={"host": f"localhost:{port}"})[0] == 200
    for host in (f"evil.example:{port}", "127.0.0.1.evil.example", ""):
        assert server.ask("GET", "/", headers={"host": host})[0] == 403


def test_requests_of_other_pages_are_refused(server: Served) -> None:
    form = {"number": "1", "verdict": "accepted", "seen": "x"}
    for headers in (
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},  # another port of this machine
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ):
        assert server.ask("POST", "/verdict", form, headers)[0] == 403
    assert (
        server.ask("GET", "/image/1", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"})[0] == 403
    )
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert server.ask("GET", "/", headers=link)[0] == 200  # a colleague's link in a mail
    assert server.ask("POST", "/undo", {"number": "0"}, link)[0] == 403


def test_a_change_that_comes_from_no_page_is_refused(server: Served) -> None:
    connection = http.client.HTTPConnection(server.netloc, timeout=20)
    connection.request("POST", "/undo", "number=0")
    assert connection.getresponse().status == 403


def test_images_come_from_the_image_folder_and_nowhere_else(server: Served) -> None:
    status, headers, _ = server.ask("GET", "/image/1")
    assert (status, headers["content-type"], headers["x-content-type-options"]) == (200, "image/png", "nosniff")
    assert server.ask("GET", "/image/0")[0] == 404  # no such file
    assert server.ask("GET", "/image/2")[0] == 404  # it says that it is a PNG, and is none
    assert server.ask("GET", "/image/3")[0] == 404  # its path leads out of the folder
    for path in ("/image/..%2Fsecret.png", "/static/x/..%2F..%2Fapp.py", "/static/x/%2Fetc%2Fpasswd", "/image/-1"):
        assert server.ask("GET", path)[0] == 404


def test_every_answer_binds_the_page_to_its_own_files(server: Served) -> None:
    for path in ("/", "/agreement", "/image/1", "/nowhere"):
        policy = server.ask("GET", path)[1]["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


def test_the_page_names_no_other_machine(server: Served) -> None:
    pages = [server.ask("GET", path)[2] for path in ("/", "/counts", "/agreement")]
    pages += [server.ask("GET", file)[2] for file in re.findall(r'(?:src|href)="(/static/[^"]+)"', pages[0])]
    told = "".join(pages)
    assert not [link for link in re.findall(r"https?://[^\s\"'`)]+", told) if "www.w3.org" not in link]


def test_what_a_request_has_wrong_is_told_and_changes_nothing(server: Served) -> None:
    for path, form in (
        ("/verdict", {"number": "1", "verdict": "splendid"}),
        ("/verdict", {"number": "77", "verdict": "accepted"}),
        ("/verdict", {"verdict": "accepted"}),
        ("/edit", {"number": "1", "message": "1", "text": "", "seen": ""}),
    ):
        status, _, text = server.ask("POST", path, form)
        assert (status, "<" in text) in ((409, False), (200, True)), text
    assert server.ask("POST", "/edit", {"text": "x" * 5_000_000})[0] == 413
    assert "reviewed" not in server.ask("GET", "/agreement")[2]


def test_another_address_asks_for_the_token(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [row(0)])
    with process(run, host="0.0.0.0") as server:
        token = re.search(r"token=([\w-]{20,})", server.link)
        assert token
        port = server.netloc.rpartition(":")[2]
        server.link = f"http://127.0.0.1:{port}/"
        assert server.ask("GET", "/")[0] == 403
        assert server.ask("GET", "/?token=wrong")[0] == 403
        assert server.ask("GET", "/image/0", headers={"cookie": "review-token=wrong"})[0] == 403
        status, headers, _ = server.ask("GET", f"/?kind=x&token={token[1]}")
        assert (status, headers["location"]) == (303, "/?kind=x")
        cookie = headers["set-cookie"].partition(";")[0]
        assert "HttpOnly" in headers["set-cookie"]
        assert server.ask("GET", "/", headers={"cookie": cookie})[0] == 200


def test_a_run_in_use_and_ctrl_c(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [row(0)])
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(AssertionError, match="pass another --host or"):
        Process(run, port=taken.getsockname()[1])
    with process(run) as server:
        server.ask("GET", "/")
        assert "Traceback" not in server.interrupt()


def test_two_servers_on_one_run_share_their_verdicts(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [row(number) for number in range(3)])
    with served(run) as one, served(run) as other:
        one.decide(0, "accepted", "ada")
        other.decide(0, "rejected", "bob")
        assert "verdict=disputed" in one.ask("GET", "/counts")[2]
        assert "verdict=disputed" in other.ask("GET", "/counts")[2]
        assert "ada" in other.ask("GET", "/agreement")[2]


def test_no_acknowledged_verdict_is_lost_when_the_server_is_killed_while_four_clients_write(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [row(number) for number in range(40)])
    acknowledged: set[tuple[str, str, str]] = set()
    for round_ in range(3):
        with process(run) as server:
            pages = [server.ask("GET", f"/at/{number}")[2] for number in range(40)]
            written = threading.Semaphore(0)
            clients = [
                threading.Thread(target=_decide_all, args=[server, pages, name, round_, acknowledged, written])
                for name in ("ada", "bob", "cem", "dea")
            ]
            for client in clients:
                client.start()
            for _ in range(5 + 9 * round_):
                assert written.acquire(timeout=20)
            server.kill()
            for client in clients:
                client.join(timeout=20)
                assert not client.is_alive()
    log = VerdictLog(run / "verdicts.jsonl")
    log.catch_up()
    assert log.unreadable <= 3  # a kill tears one line at most
    kept = set()
    for line in log.path.read_bytes().splitlines():
        with suppress(ValueError):
            entry = json.loads(line)
            kept.add((entry["by"], entry["sample"], entry.get("verdict")))
    assert acknowledged <= kept
    assert len(acknowledged) >= 5 + 14


def _decide_all(
    server: Served,
    pages: list[str],
    reviewer: str,
    round_: int,
    acknowledged: set[tuple[str, str, str]],
    written: threading.Semaphore,
) -> None:
    for number, page in enumerate(pages):
        seen, sample = re.search(r'name="seen" value="(\w+)"', page), re.search(r'data-id="([^"]+)"', page)
        assert seen
        assert sample
        verdict = ("accepted", "rejected")[(number + round_) % 2]
        form = {"number": str(number), "seen": seen[1], "verdict": verdict, "note": f"{round_}"}
        try:
            status, _, _ = server.ask("POST", "/verdict", form, {"cookie": f"reviewer={reviewer}"})
        except (OSError, http.client.HTTPException):
            return
        if status == 200:
            acknowledged.add((reviewer, sample[1], verdict))
            written.release()
