from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from pipeline.errors import PipelineError
from pipeline.prompting.kinds import load_kinds, render_user, shipped
from pipeline.prompting.render import build_prompt, encode_messages, render_messages
from pipeline.prompting.replies import Form
from pipeline.records import ContextPart, Message, Scene


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


def test_whatever_shapes_a_kind_changes_its_hash_even_without_examples(own: Path) -> None:
    kind = own / "frage"
    (kind / "kind.toml").write_text('shape = "turns"\nexamples = []\ndescription = "Für Leute."\n')
    (kind / "system.jinja").write_text("{% include 'rules.jinja' %}")
    (own / "rules.jinja").write_text("{% if sees_captions %}{% endif %}{{ reply_format }}")
    (kind / "user.jinja").write_text("{{ context }}{% include 'end.jinja' %}")
    (kind / "end.jinja").write_text("!")

    def hash_now(form: Form = "json", parts: tuple[ContextPart, ...] = ("captions", "boxes")) -> str:
        return build_prompt(load_kinds(["frage"], own, context={"frage": parts})["frage"], form).hash

    seen = {hash_now(), hash_now("text"), hash_now(parts=("captions",))}
    for path, more in [
        (kind / "user.jinja", "?"),
        (kind / "end.jinja", "?"),
        (own / "rules.jinja", "{% if not sees_captions %}None.{% endif %}"),
        (kind / "kind.toml", "temperature = 0.5\n"),
        (kind / "kind.toml", "max_tokens = 9\n"),
        (kind / "kind.toml", "min_turns = 2\n"),
        (kind / "kind.toml", "max_turns = 3\n"),
    ]:
        path.write_text(path.read_text() + more)
        seen.add(hash_now())
    assert len(seen) == 10
    (kind / "kind.toml").write_text((kind / "kind.toml").read_text().replace("Für Leute.", "Für alle."))
    assert hash_now() in seen


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{{ captions[0] }}", "(captions: 0, boxes: 1): UndefinedError: tuple object has no element 0"),
        ("{{ context }} {{ boxes[0].label }}", "a scene tried out (captions: 1, boxes: 0): Undef"),
        ("{{ context }}{% if captions|length > 1 %}{{ captions[0].nope }}{% endif %}", "has no attribute 'nope'"),
        ("{{ context }}{% if captions|length > 99 %}{% include 'nope.jinja' %}{% endif %}", "nope.jinja"),
        (
            "{{ context }}{% if captions|length > 99 %}{% include 'own.jinja' %}{% endif %}",
            "own.jinja: unknown name",
        ),
        ("{{ context }}{% include captions[0] %}", "includes a file by a name that is computed"),
        ("{{ context }}{% if captions|length > 99 %}\n{{ 1|shout }}{% endif %}", "line 2: no filter named 'shout'"),
        ("{{ context }}{% if captions|length > 99 and 1 is odder %}{% endif %}", "odder"),
        ("{% include 'user.jinja' %}", "RecursionError"),
        ("{{ [].pop() }}", "IndexError"),
        ("{{ {}.popitem() }}", "KeyError"),
        ("{{ 'é'.encode('ascii') }}", "UnicodeEncodeError"),
        ("{{ 'x' * 10 ** 18 }}", "MemoryError"),
        ("{% if boxes %}{{ context }}{% endif %}", "(captions: 1, boxes: 0): the template makes an empty"),
    ],
)
def test_a_template_that_some_scene_would_break_is_refused_in_one_line(own: Path, text: str, line: str) -> None:
    kind = own / "frage"
    (kind / "kind.toml").write_text('shape = "answer"\nexamples = []\n')
    (kind / "questions.txt").write_text("Was ist da?\n")
    (own / "own.jinja").write_text("{% if captions|length > 99 %}{{ oops }}{% endif %}")
    (kind / "user.jinja").write_text(text)
    with pytest.raises(PipelineError) as caught:
        load_kinds(["frage"], own)
    assert line in str(caught.value)
    assert str(own) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_template_may_rely_on_what_its_kind_always_sees(own: Path) -> None:
    (own / "frage" / "user.jinja").write_text("{{ captions[0] }}")
    kinds = load_kinds(["frage"], own, context={"frage": ("captions",)})
    assert list(kinds) == ["frage"]


def test_an_included_file_knows_what_surrounds_it(own: Path, dog: Scene) -> None:
    (own / "frage" / "user.jinja").write_text(
        "{{ context }}\n{% for box in boxes %}{% include 'box.jinja' %}{% endfor %}"
    )
    (own / "box.jinja").write_text("<{{ box.label }}>")
    (kind,) = load_kinds(["frage"], own).values()
    (own / "box.jinja").unlink()  # what a run has read at its start is what it works with
    assert render_user(kind, dog).endswith("<dog>")


def test_a_scene_that_a_template_fails_on_is_named_with_it(own: Path, dog: Scene) -> None:
    (own / "frage" / "user.jinja").write_text("{{ context }}{% if 'runs' in context %}{{ 1 // 0 }}{% endif %}")
    (kind,) = load_kinds(["frage"], own).values()
    with pytest.raises(PipelineError, match=r"user\.jinja, image '7': ZeroDivisionError: "):
        render_user(kind, dog)


def test_what_is_wrong_with_a_kind_is_one_line_at_the_start(own: Path) -> None:
    kind, example = own / "frage", own / "seed_examples" / "frage" / "hund.json"
    good = example.read_text()
    faults = [
        (kind / "system.jinja", "{{ reply_fromat }}", "system.jinja: unknown name 'reply_fromat'; known are"),
        (kind / "user.jinja", "{% if context %}", "user.jinja, line 1"),
        (kind / "user.jinja", "{{ boxes[99].label }}", "user.jinja"),
        (kind / "user.jinja", "{% include 'none.jinja' %}", "none.jinja"),
        (kind / "system.jinja", "Stelle eine Frage.", "system.jinja does not use reply_format; write {{ reply_format"),
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


def test_a_context_for_a_kind_that_is_not_made_is_refused() -> None:
    with pytest.raises(PipelineError, match=r"--context: 'conversation' is not among .*: complex_reasoning$"):
        load_kinds(["complex_reasoning"], context={"conversation": ("captions",)})
