from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from pipeline.errors import PipelineError
from pipeline.prompting.kinds import load_kinds, shipped
from pipeline.prompting.render import build_prompt, encode_messages, render_messages
from pipeline.prompting.replies import Form
from pipeline.records import Message, Scene


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with one kind of somebody's own, in German, with one example."""
    kind, examples = tmp_path / "mine" / "frage", tmp_path / "mine" / "seed_examples" / "frage"
    kind.mkdir(parents=True)
    examples.mkdir(parents=True)
    (kind / "kind.toml").write_text('shape = "pair"\nexamples = ["hund"]\nmax_tokens = 300\n')
    (kind / "system.jinja").write_text("Stelle eine Frage. {{ reply_format }}")
    (kind / "user.jinja").write_text("Szene:\n{{ context }}")
    example = {
        "captions": ["Ein Hund."],
        "boxes": [{"label": "Hund", "bbox": [0.1, 0.2, 0.3, 0.4]}],
        "reply": {"question": "Was ist da?", "answer": "Ein Hund."},
    }
    (examples / "hund.json").write_text(json.dumps(example))
    return tmp_path / "mine"


def test_the_three_kinds_are_shipped_and_load() -> None:
    kinds = load_kinds()
    assert list(kinds) == ["complex_reasoning", "conversation", "detailed_description"]
    assert [kind.file.shape for kind in kinds.values()] == ["pair", "turns", "answer"]
    assert all(kind.examples and kind.context == ("captions", "boxes") for kind in kinds.values())


@pytest.mark.parametrize("name", [folder.name for folder in shipped("prompts").iterdir() if folder.is_dir()])
def test_every_example_that_is_shipped_is_one_its_kind_names(name: str) -> None:
    files = {path.stem for path in (shipped("seed_examples") / name).iterdir()}
    assert files == set(load_kinds([name])[name].file.examples)


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("parts", [("captions",), ("boxes",), ("captions", "boxes")])
def test_every_kind_renders_with_any_context(dog: Scene, form: Form, parts: tuple[str, ...]) -> None:
    for name, kind in load_kinds(context=dict.fromkeys(load_kinds(), parts)).items():
        messages = render_messages(build_prompt(kind, form), dog)
        roles = [message.role for message in messages]
        assert roles == ["system", *["user", "assistant"] * len(kind.examples), "user"], name
        assert ("A dog runs." in messages[-1].content) == ("captions" in parts)
        assert ("dog: [0.25" in messages[-1].content) == ("boxes" in parts)


def test_the_static_part_as_bytes_is_the_static_part(dog: Scene) -> None:
    prompt = build_prompt(load_kinds(["conversation"])["conversation"], "json")
    encoded = encode_messages(prompt, [Message("user", "é")])
    assert msgspec.json.decode(encoded, type=list[Message]) == [*prompt.static, Message("user", "é")]


def test_a_kind_of_ones_own_needs_no_python(own: Path, dog: Scene) -> None:
    kinds = load_kinds(["frage", "conversation"], own)
    messages = render_messages(build_prompt(kinds["frage"], "json"), dog)
    assert messages[1].content == "Szene:\nEin Hund.\n\nHund: [0.1, 0.2, 0.3, 0.4]"
    assert messages[2].content == '{"question": "Was ist da?", "answer": "Ein Hund."}'
    assert messages[3].content.startswith("Szene:\nA dog runs.")


def test_captions_are_data_never_a_template(dog: Scene) -> None:
    scene = msgspec.structs.replace(dog, captions=("{{ 7 * 6 }} {% raw %} <b>&",))
    prompt = build_prompt(load_kinds(["conversation"])["conversation"], "json")
    assert render_messages(prompt, scene)[-1].content.startswith("{{ 7 * 6 }} {% raw %} <b>&\n")


def test_an_edited_example_changes_the_hash_of_its_kind_alone(own: Path) -> None:
    def hashes() -> list[str]:
        return [build_prompt(kind, "json").hash for kind in load_kinds(["frage", "conversation"], own).values()]

    before = hashes()
    example = own / "seed_examples" / "frage" / "hund.json"
    example.write_text(example.read_text().replace("Was ist da?", "Was siehst du?"))
    after = hashes()
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_what_is_wrong_with_a_kind_is_one_line_at_the_start(own: Path) -> None:
    kind, example = own / "frage", own / "seed_examples" / "frage" / "hund.json"
    good = example.read_text()
    faults = [
        (kind / "system.jinja", "{{ reply_fromat }}", "system.jinja: unknown name 'reply_fromat'; known are"),
        (kind / "user.jinja", "{% if context %}", "user.jinja, line 1"),
        (kind / "user.jinja", "{{ boxes[99].label }}", "user.jinja"),
        (kind / "user.jinja", "{% include 'none.jinja' %}", "none.jinja"),
        (kind / "kind.toml", 'shape = "poem"\nexamples = []', "kind.toml: shape: Input should be"),
        (kind / "kind.toml", 'shape = "pair"\nexamples = []\ntemprature = 1', "kind.toml: temprature: Extra inputs"),
        (kind / "kind.toml", "shape = ", "kind.toml"),
        (kind / "kind.toml", 'shape = "turns"\nexamples = []\nmin_turns = 3\nmax_turns = 2', "min_turns 3"),
        (kind / "kind.toml", 'shape = "pair"\nexamples = ["katze"]', "no example at"),
        (kind / "kind.toml", 'shape = "answer"\nexamples = []', "questions.txt"),
        (example, good.replace("question", "query"), "hund.json: reply does not fit shape 'pair': question: Field"),
        (example, good.replace("0.4]", "4.0]"), "hund.json: boxes.0.bbox.3: Input should be less"),
        (example, good.replace("0.4]", "0.2]"), "hund.json: the bbox of 'Hund' has no area"),
        (example, good[:-1], "hund.json"),
    ]
    for path, text, line in faults:
        kept = path.read_text()
        path.write_text(text)
        with pytest.raises(PipelineError) as caught:
            load_kinds(["frage"], own)
        assert line in str(caught.value)
        assert "\n" not in str(caught.value)
        path.write_text(kept)
    assert list(load_kinds(["frage"], own)) == ["frage"]


def test_an_unknown_kind_is_answered_with_those_there_are() -> None:
    with pytest.raises(
        PipelineError, match="no kind named 'poem'; there are complex_reasoning, conversation, detailed"
    ):
        load_kinds(["poem"])
    with pytest.raises(PipelineError, match="no kind named 'poem'"):
        load_kinds(context={"poem": ("captions",)})
