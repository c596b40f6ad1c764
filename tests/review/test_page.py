"""The page in a real Chromium, with every connection but that to the server forbidden."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.review.stage import HOSTILE, Served, make_run, process, row, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(
    not CHROMIUM or find_spec("playwright") is None, reason="needs Chromium, and playwright from the extra 'dev'"
)
PATIENCE_MS = 15_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # No name but this machine's is looked up: nothing can be fetched from elsewhere even if the page tried.
        offline = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", offline])
        yield browser
        browser.close()


Opener = Callable[..., "Page"]


@pytest.fixture
def opened(browser: Browser) -> Iterator[Opener]:
    """Return what opens a page in a window of its own; it notes errors and requests that go elsewhere."""
    contexts, troubles = [], []

    def open_page(server: Served, path: str = "/", reviewer: str = "", **options: object) -> Page:
        context = browser.new_context(viewport={"width": 1280, "height": 800}, **options)  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        if reviewer:
            context.add_cookies([{"name": "reviewer", "value": reviewer, "url": server.link}])
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda line: troubles.append(line.text) if "Content Security Policy" in line.text else None)
        page.on("request", lambda request: troubles.append(request.url) if server.netloc not in request.url else None)
        page.goto(server.link.rstrip("/") + path)
        page.wait_for_selector(".facet", state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run", [row(number) for number in range(6)])


def _at(page: Page, rank: int) -> None:
    page.wait_for_function("rank => document.querySelector('.rank b')?.textContent === String(rank)", arg=rank)


def _told(page: Page, text: str) -> None:
    page.wait_for_function("text => document.querySelector('#toast').textContent.includes(text)", arg=text)


def test_a_review_by_keyboard_alone(run: Path, opened: Opener) -> None:
    with served(run) as server:
        page = opened(server)
        page.keyboard.press("a")
        _told(page, "Accepted: 0/conversation/0")
        _at(page, 2)
        page.keyboard.press("r")
        page.wait_for_selector("#reasons[open]")
        page.keyboard.press("2")
        _told(page, "wrong number")
        _at(page, 3)
        page.keyboard.press("r")
        page.wait_for_selector("#reasons[open]")
        page.keyboard.press("Escape")
        page.wait_for_selector("#reasons:not([open])", state="attached")
        page.keyboard.press("k")
        _at(page, 2)
        assert "rejected by you: wrong number" in page.inner_text(".standing")
        page.keyboard.press("c")
        _told(page, "Verdict taken back")
        page.wait_for_selector(".standing .rejected", state="detached")
        page.keyboard.press("u")
        _told(page, "Verdict undone")
        page.wait_for_selector(".standing .rejected")
        page.keyboard.press("ArrowRight")
        _at(page, 3)
        page.keyboard.press("j")
        _at(page, 4)
        page.keyboard.press("ArrowLeft")
        _at(page, 3)
        page.keyboard.press("u")
        _told(page, "Verdict undone: 1/")
        _at(page, 2)
        page.keyboard.press("u")
        _told(page, "Verdict undone: 0/")
        _at(page, 1)
        page.keyboard.press("u")
        _told(page, "nothing left to undo")
        assert page.inner_text(".progress label") == "You: 0 of 6"


def test_an_edit_in_place_is_checked_again_and_can_be_undone(run: Path, opened: Opener) -> None:
    with served(run) as server:
        page = opened(server)
        assert page.locator("#message-1 mark.contradicted").inner_text() == "3 cups"
        page.keyboard.press("e")  # opens the message with what is contradicted
        area = page.locator("#message-1 textarea")
        assert area.input_value() == "There are 3 cups and a dog."
        area.fill("There are 2 cups <b>and</b> a dog.\n\nTwo!")
        page.keyboard.press("Control+Enter")
        _told(page, "Edit kept")
        page.wait_for_selector("#message-1.changed")
        assert page.locator("mark.contradicted").count() == 0
        assert page.locator("#message-1 .text").inner_text().endswith("There are 2 cups <b>and</b> a dog.\n\nTwo!")
        page.reload()
        assert page.locator("#message-1 textarea").input_value() == "There are 2 cups <b>and</b> a dog.\n\nTwo!"
        page.keyboard.press("u")
        _told(page, "Edit undone")
        page.wait_for_selector("#message-1.changed", state="detached")
        assert page.locator("#message-1 mark.contradicted").count() == 1


def test_a_reload_keeps_place_draft_note_and_verdict(run: Path, opened: Opener) -> None:
    with served(run) as server:
        page = opened(server, "/?kind=conversation")
        page.keyboard.press("j")
        _at(page, 2)
        page.keyboard.press("n")
        page.keyboard.type("whose cups? a r u 1")
        page.keyboard.press("Control+Enter")
        _told(page, "Note kept")
        page.keyboard.press("a")
        _at(page, 3)
        page.keyboard.press("k")
        _at(page, 2)
        page.keyboard.press("e")
        page.locator("#message-1 textarea").fill("half a thought")
        page.reload()
        _at(page, 2)
        assert page.locator("#message-1 textarea").input_value() == "half a thought"
        assert page.locator("#message-1 textarea").is_visible()
        assert page.input_value("#note") == "whose cups? a r u 1"
        assert "accepted by you" in page.inner_text(".standing")
        page.keyboard.press("Escape")
        page.keyboard.press("n")
        page.keyboard.press("End")
        page.keyboard.type(" and")
        page.reload()
        assert page.locator("#message-1 textarea").is_hidden()
        assert page.input_value("#note") == "whose cups? a r u 1 and"
        assert "kind=conversation" in page.url


def test_every_filter_is_in_the_address_and_back_leads_back(run: Path, opened: Opener) -> None:
    with served(run) as server:
        page = opened(server)
        page.click(".facet a:has-text('detailed description')")
        page.wait_for_url("**kind=detailed_description**")
        page.wait_for_selector(".rank:has-text('of 3')")
        page.wait_for_selector(".facet a.chosen:has-text('detailed description')")
        page.select_option("#sort", "longest")
        page.wait_for_url("**sort=longest**")
        assert "5/detailed_description/0" in page.inner_text("#sample-title")
        page.keyboard.press("Escape")
        page.check("#todo")
        page.wait_for_url("**todo=1**")
        page.wait_for_selector("#todo:checked")
        page.locator("#todo").blur()
        page.keyboard.press("a")
        page.wait_for_selector(".rank:has-text('of 2')")
        page.wait_for_selector(".facet a:has-text('unreviewed') .count:text-is('2')")
        page.keyboard.press("/")
        page.keyboard.type("PICTURE 3")
        page.keyboard.press("Enter")
        page.wait_for_url("**q=PICTURE**")
        page.wait_for_selector(".rank:has-text('of 1')")
        assert page.locator("mark.hit").inner_text() == "picture 3"
        address = page.url
        other = opened(server, address.removeprefix(server.link.rstrip("/")))
        assert other.inner_text("#sample-title") == page.inner_text("#sample-title")
        page.click("text=Clear all filters")
        page.wait_for_selector(".rank:has-text('of 6')")
        page.go_back()
        page.wait_for_selector(".rank:has-text('of 1')")
        page.wait_for_selector(".facet a.chosen")
        page.locator("#draw").fill("4")
        page.keyboard.press("Enter")
        page.wait_for_url("**draw=4**")


def test_statements_boxes_and_captions_light_each_other_up(run: Path, opened: Opener) -> None:
    with served(run) as server:
        page = opened(server)
        page.hover("#message-1 mark.contradicted")
        lit = "els => els.filter(el => el.classList.contains('lit')).map(el => el.id)"
        assert page.eval_on_selector_all("[data-box]", lit) == ["box-1", "box-2"]
        assert page.eval_on_selector_all("[data-caption]", lit) == ["caption-0"]
        page.hover("#box-0 text", force=True)
        page.dispatch_event("#box-0 .over", "pointerover")
        assert page.locator("mark.lit").all_inner_texts() == ["a dog", "The dog is on the left"]
        page.keyboard.press("w")
        assert "contradicted: “3 cups”" in page.inner_text("#told")
        page.keyboard.press("s")
        page.keyboard.press("Shift+S")
        assert page.eval_on_selector_all("[data-box]", lit) == ["box-1", "box-2"]
        page.keyboard.press("b")
        assert page.locator("#box-0").is_hidden()
        page.keyboard.press("j")
        _at(page, 2)
        assert page.locator("#box-0").is_hidden()  # it stays so on the next sample
        page.keyboard.press("b")
        page.click("button[data-category=cup]")
        assert page.locator("#box-1").is_hidden()
        assert page.locator("#box-0").is_visible()
        for key in ("+", "+", "-"):
            page.keyboard.press(key)
        assert page.get_attribute("#picture", "viewBox") != "0 0 640 480"
        page.keyboard.press("0")
        assert page.get_attribute("#picture", "viewBox") == "0 0 640 480"
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        page.wait_for_selector("#message-1.marked")
        page.keyboard.press("ArrowUp")
        page.wait_for_selector("#message-0.marked")
        page.keyboard.press("f")
        assert page.locator("#filters").is_hidden()
        page.keyboard.press("?")
        page.wait_for_selector("#keys[open]")
        page.uncheck("#keys-on")
        page.keyboard.press("Escape")
        page.keyboard.press("a")
        page.keyboard.press("ArrowRight")
        _at(page, 3)
        assert page.inner_text(".progress label") == "You: 0 of 6"


def test_two_reviewers_at_once_disagree_and_the_page_says_how_much(run: Path, opened: Opener) -> None:
    with served(run) as server:
        ada, bob = opened(server), opened(server, reviewer="bob")
        for page, keys in ((ada, "aaa"), (bob, "aax")):
            for rank, key in enumerate(keys, 1):
                _at(page, rank)
                if key == "a":
                    page.keyboard.press("a")
                else:
                    page.keyboard.press("r")
                    page.wait_for_selector("#reasons[open]")
                    page.keyboard.press("Enter" if rank > 3 else "1")
            _at(page, 4)
        bob.goto(f"{server.link}?verdict=disputed")
        assert "accepted by ada" in bob.inner_text(".others")
        ada.goto(f"{server.link}agreement")
        assert re.search(r"ada\s+bob\s+3\s+66.7 %", ada.inner_text("table >> nth=1"))
        ada.click("text=1 to look at again")
        ada.wait_for_selector(".rank:has-text('of 1')")
        bob.goto(f"{server.link}?look=second&sample=0/conversation/0")
        assert "second look, blind" in bob.inner_text(".standing")
        assert "accepted by" not in bob.inner_text("#sample")


def test_an_edit_that_another_made_meanwhile_is_not_overwritten(run: Path, opened: Opener) -> None:
    with served(run) as server:
        ada, bob = opened(server), opened(server, reviewer="bob")
        for page, words in ((ada, "There are two cups."), (bob, "There is a dog.")):
            page.keyboard.press("e")
            page.locator("#message-1 textarea").fill(words)
        ada.keyboard.press("Control+Enter")
        _told(ada, "Edit kept")
        bob.keyboard.press("Control+Enter")
        _told(bob, "ada changed this text while you looked")
        assert "There are two cups." in (bob.locator("#message-1 .text").text_content() or "")
        assert bob.locator("#message-1 textarea").input_value() == "There is a dog."  # the draft is still there
        bob.keyboard.press("Control+Enter")
        _told(bob, "Edit kept")


def test_hostile_text_is_text(tmp_path: Path, opened: Opener) -> None:
    long = HOSTILE * 120
    assert len(long) > 20_000
    bad = row(0, id=HOSTILE, kind=HOSTILE, context=HOSTILE, captions=[HOSTILE], file_name=HOSTILE, model=HOSTILE)
    bad["boxes"] = [{"label": HOSTILE, "bbox": (0.1, 0.1, 0.5, 0.5), "crowd": False}]
    bad["messages"] = [
        {"role": "user", "content": long},
        {"role": "assistant", "content": "\n" + long},
        {"role": "user", "content": "W" * 20_000},
        {"role": "assistant", "content": HOSTILE},
    ]
    bad["claims"] = [
        (1, 5, 900, "presence", "contradicted", [0], [0], HOSTILE),
        (3, 1, 9999, HOSTILE, HOSTILE, [7], [7], ""),
    ]
    bad["findings"] = [(None, 0, 0, HOSTILE, HOSTILE)]
    run = make_run(tmp_path / "run", [bad, row(1)])
    with served(run) as server:
        page = opened(server)
        page.keyboard.press("e")
        page.keyboard.press("Escape")
        page.keyboard.press("n")
        page.keyboard.type("<script>window.ran = 3</script>")
        page.keyboard.press("Control+Enter")
        _told(page, "Note kept")
        page.keyboard.press("a")
        _at(page, 2)
        page.keyboard.press("k")
        _at(page, 1)
        assert page.evaluate("window.ran") is None
        assert page.locator("#sample script, .text b, #sample img, #counts img, #counts script").count() == 0
        shown = page.locator("#message-3 .text").text_content() or ""
        assert "<script>window.ran = 1</script>" in shown
        assert "⟨U+202E⟩" in shown
        assert "👩🏽‍🚀" in shown
        assert page.locator("#message-1 textarea").input_value() == "\n" + long
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        for selector in ("#accept", "#picture", "#sample-title", "#show-keys"):
            box = page.locator(selector).bounding_box()
            assert box, selector
            assert box["x"] >= 0, selector
            assert box["x"] + box["width"] <= 1280, selector
            assert box["y"] + box["height"] <= 800, selector


def test_without_pictures_boxes_are_drawn_on_an_empty_canvas(tmp_path: Path, opened: Opener) -> None:
    run = make_run(tmp_path / "run", [row(0, image=None, width=None, height=None)])
    with served(run) as server:
        page = opened(server)
        page.wait_for_selector("#picture.empty")
        assert page.locator(".no-picture").is_visible()
        assert page.locator("#box-0").is_visible()


def test_a_server_that_is_gone_is_told_and_nothing_is_taken_for_kept(run: Path, opened: Opener) -> None:
    with process(run) as server:
        page = opened(server)
        server.kill()
        page.keyboard.press("a")
        _told(page, "nothing was kept")
        assert page.inner_text(".progress label") == "You: 0 of 6"


@pytest.mark.parametrize(("colours", "width"), [("light", 1280), ("dark", 768)])
def test_no_serious_finding_of_an_accessibility_scan(run: Path, opened: Opener, colours: str, width: int) -> None:
    axe = find_spec("axe_playwright_python")
    if axe is None or not axe.submodule_search_locations:
        pytest.skip("needs axe-playwright-python, of the extra 'dev'")
    script = next(Path(axe.submodule_search_locations[0]).rglob("axe.min.js"))
    with served(run) as server:
        server.decide(0, "rejected", "bob")
        server.decide(0, "accepted", "ada")
        page = opened(server, "/?kind=conversation", color_scheme=colours)
        page.set_viewport_size({"width": width, "height": 900})
        # Evaluated rather than added as a tag, which the page's policy rightly forbids.
        page.evaluate(script.read_text(encoding="utf-8"))
        for act in ("e", "?", "r", "agreement"):  # what is open behind a dialog is scanned with it, and before
            if act == "agreement":
                page.goto(f"{server.link}agreement")
                page.evaluate(script.read_text(encoding="utf-8"))
            else:
                page.keyboard.press(act)
            found = page.evaluate("async () => (await axe.run()).violations")
            serious = [
                (one["id"], one["help"], [node["target"] for node in one["nodes"]][:3])
                for one in found
                if one["impact"] in ("serious", "critical")
            ]
            assert serious == [], act
            page.keyboard.press("Escape")
