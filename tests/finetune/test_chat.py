"""A word with a checkpoint: in the terminal's way, and through a real server."""

from __future__ import annotations

import base64
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import openai
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from pipeline.errors import PipelineError  # noqa: E402
from pipeline.finetune.chat import answer, chat  # noqa: E402
from pipeline.finetune.export import save_plain  # noqa: E402
from pipeline.finetune.model import join, load  # noqa: E402
from pipeline.settings import ChatSettings  # noqa: E402
from tests.finetune import tiny  # noqa: E402
from tests.tiny_llama_server import HOST, _free_port, _stop, _wait_until_up  # noqa: E402

QUESTION = "Where is the man?"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chat")
    joined = join(tiny.save_clip(folder / "clip"), tiny.save_language(folder / "llama"), "linear", template="vicuna_v1")
    save_plain(joined, folder / "checkpoint")
    return folder / "checkpoint"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    tiny.picture().save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


def generated(checkpoint: Path, tokens: int) -> str:
    """Return what the library's own generation answers."""
    joined = load(str(checkpoint))
    content = [{"type": "image"}, {"type": "text", "text": QUESTION}]
    text = joined.processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    inputs = joined.processor(images=tiny.picture(), text=text, add_special_tokens=False, return_tensors="pt")
    ids = joined.model.eval().generate(**inputs, max_new_tokens=tokens)[0, inputs["input_ids"].shape[1] :]
    return str(joined.tokenizer.decode(ids, skip_special_tokens=True))


def test_an_answer_comes_in_whole_letters_and_is_what_generate_gives(checkpoint: Path, picture: Path) -> None:
    pieces = list(chat(str(checkpoint), picture, QUESTION, ChatSettings(max_new_tokens=30)))
    assert len(pieces) > 5
    assert "".join(pieces) == generated(checkpoint, 30).strip()
    assert not any(piece.endswith("\ufffd") for piece in pieces[:-1])


def test_an_answer_ends_at_the_end_token_or_the_limit(checkpoint: Path) -> None:
    joined = load(str(checkpoint))
    ends = joined.model.generation_config
    whole = "".join(answer(joined, tiny.picture(), QUESTION, ChatSettings(max_new_tokens=12)))
    spoken = joined.tokenizer(whole, add_special_tokens=False)["input_ids"]
    ends.eos_token_id = [ends.eos_token_id[0], spoken[-1]]
    assert len("".join(answer(joined, tiny.picture(), QUESTION, ChatSettings(max_new_tokens=12)))) < len(whole)
    one = list(answer(joined, tiny.picture(), QUESTION, ChatSettings(max_new_tokens=1)))
    assert len(joined.tokenizer("".join(one), add_special_tokens=False)["input_ids"]) <= 2


def test_a_temperature_draws_and_its_seed_draws_the_same_again(checkpoint: Path) -> None:
    joined = load(str(checkpoint))
    said = [
        "".join(answer(joined, tiny.picture(), QUESTION, ChatSettings(max_new_tokens=8, temperature=t, seed=seed)))
        for t, seed in ((0.0, 1), (20.0, 1), (20.0, 1), (20.0, 2))
    ]
    assert said[1] == said[2]
    assert len(set(said)) == 3


def test_a_checkpoint_without_a_chat_template_is_asked_in_the_form_of_llava(checkpoint: Path) -> None:
    joined = load(str(checkpoint))
    settings = ChatSettings(max_new_tokens=8)
    told = "".join(answer(joined, tiny.picture(), QUESTION, settings))
    joined.processor.chat_template = None
    assert "".join(answer(joined, tiny.picture(), QUESTION, settings)) == told


def test_what_cannot_be_read_is_one_line_before_anything_is_said(checkpoint: Path, picture: Path) -> None:
    (picture.parent / "note.png").write_text("not a picture")
    (picture.parent / "cut.png").write_bytes(picture.read_bytes()[:200])
    faults = [
        (str(checkpoint), picture.parent / "none.png", "none.png"),
        (str(checkpoint), picture.parent / "note.png", "note.png"),
        (str(checkpoint), picture.parent / "cut.png", "cut.png"),
        (str(picture.parent / "none"), picture, "checkpoint: no folder"),
        (str(picture.parent), picture, "is no LLaVA checkpoint"),
    ]
    for folder, image, words in faults:
        with pytest.raises(PipelineError) as caught:
            chat(folder, image, QUESTION, ChatSettings())
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)


@contextmanager
def serving(checkpoint: Path, home: Path) -> Iterator[str]:
    """Run ``transformers serve`` on a checkpoint; it starts within three minutes or is an error."""
    port = _free_port()
    (home / "hub").mkdir(parents=True)
    environment = {**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1"}
    environment["OMP_NUM_THREADS"] = "1"
    run = "from transformers.cli.transformers import main; main()"
    command = [sys.executable, "-c", run, "serve", checkpoint.name, "--host", HOST, "--port", str(port)]
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--device", "cpu"],
            cwd=checkpoint.parent,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_up(server, port, home / "server.log")
        yield f"http://{HOST}:{port}/v1"
    finally:
        _stop(server)


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("fastapi", "uvicorn")), reason="needs transformers[serving]"
)
def test_a_server_of_transformers_tells_the_openai_client_about_an_image(checkpoint: Path, picture: Path) -> None:
    address = f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}"
    content = [{"type": "image_url", "image_url": {"url": address}}, {"type": "text", "text": QUESTION}]
    with serving(checkpoint, picture.parent / "home") as url:
        client = openai.OpenAI(base_url=url, api_key="none", max_retries=0, timeout=120)
        reply = client.chat.completions.create(
            model=checkpoint.name,
            messages=[{"role": "user", "content": content}],  # type: ignore[typeddict-item,list-item]
            max_tokens=12,
        )
    assert reply.choices[0].message.content
    assert reply.choices[0].message.content.strip() == generated(checkpoint, 12).strip()
