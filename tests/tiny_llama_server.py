"""A real language model server that needs no download: ``transformers serve`` with a tiny Llama of random weights.

By hand, in an environment with torch and ``transformers[serving]``:

    python tests/tiny_llama_server.py --port 8123

then, from anywhere, ``--base-url http://127.0.0.1:8123/v1 --model tiny-llama``. What it writes is nonsense made of
words, numbers and broken bytes; replies end by themselves after some forty tokens, or are cut by a lower limit.
Importing this module imports neither torch nor transformers, so that tests may do it anywhere.
"""

import argparse
import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MODEL_NAME = "tiny-llama"
"""What requests call the model. It is also the model's folder, relative to where the server runs."""

HOST = "127.0.0.1"
START_TIMEOUT_S = 180.0  # under ten seconds on two idle cores; importing torch from a cold disk takes far longer
STOP_TIMEOUT_S = 3.0  # the server would finish the replies in flight first, and nobody waits for them any more
LOG_TAIL_LINES = 30

SEED = 20
VOCABULARY = 1024  # all 256 bytes, all the words below, and most of the numbers
CONTEXT_TOKENS = 32768  # few-shot prompts are long, and a vocabulary this small cuts words into many tokens
TOKENS_PER_REPLY = 40  # on average, see _save_model

CHAT_TEMPLATE = """\
{{- bos_token -}}
{%- for message in messages -%}
{{ message["role"] }}: {{ message["content"] }}{{ eos_token }}
{% endfor -%}
{%- if add_generation_prompt -%}
assistant:
{%- endif -%}
"""


def _sentences(count: int) -> Iterator[str]:
    """Yield ``count`` lines that look like captions, box lines, questions and JSON, the same ones every time."""
    draw = random.Random(SEED)
    things = ["person", "dog", "cat", "car", "bicycle", "bench", "umbrella", "horse", "boat", "kite"]
    verbs = ["stands", "sits", "waits", "leans", "runs", "rests", "hangs", "moves", "sleeps", "floats"]
    places = ["street", "beach", "kitchen", "field", "station", "table", "window", "river", "hill", "market"]
    looks = ["small", "large", "red", "white", "old", "wooden", "striped", "bright", "wet", "quiet"]
    for _ in range(count):
        thing, verb, place, look = (draw.choice(words) for words in (things, verbs, places, looks))
        box = ", ".join(f"{draw.random():.3f}" for _ in range(4))
        number = draw.randint(2, 9)
        yield f"A {look} {thing} {verb} near the {place}, and {number} more can be seen behind it."
        yield f"{thing}: [{box}]"
        yield f'{{"question": "Where is the {look} {thing}?", "answer": "It {verb} at the left of the {place}."}}'


def _save_tokenizer(folder: Path) -> int:
    """Train a byte-level BPE tokenizer with a chat template, save it in ``folder`` and return its vocabulary size."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<pad>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),  # every byte has a token, so any prompt can be read
        show_progress=False,
    )
    bpe.train_from_iterator(_sentences(2000), trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        model_max_length=CONTEXT_TOKENS,
        chat_template=CHAT_TEMPLATE,
    )
    tokenizer.save_pretrained(folder)
    return len(tokenizer)


def _save_model(folder: Path, vocabulary: int) -> None:
    """Save a two-layer Llama with seeded random weights in ``folder``."""
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    pad, bos, eos = 0, 1, 2  # the order of special_tokens in _save_tokenizer
    torch.manual_seed(SEED)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=CONTEXT_TOKENS,
            pad_token_id=pad,
            bos_token_id=bos,
            eos_token_id=eos,
        )
    )
    # All tokens are about equally likely, so the one end token would hardly ever come up and every reply would be cut
    # by its limit. Ordinary tokens that also end a reply make both endings happen.
    ends = [eos, *range(TOKENS_PER_REPLY, vocabulary, TOKENS_PER_REPLY)]
    # The server lets a request set the temperature but not sampling itself, which is off by default.
    model.generation_config = GenerationConfig(
        do_sample=True, top_k=0, pad_token_id=pad, bos_token_id=bos, eos_token_id=ends
    )
    model.save_pretrained(folder)


def serve(folder: Path, port: int) -> None:
    """Make the model in ``folder``, then be ``transformers serve`` in this process until a signal ends it."""
    # Read when transformers is imported: nothing may be looked for outside this machine, and no user's cache is shown.
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1", "HF_HOME": str(folder / "home")}
    (folder / "home" / "hub").mkdir(parents=True, exist_ok=True)  # GET /v1/models fails without it
    from transformers.cli.transformers import main as transformers_command

    _save_model(folder / MODEL_NAME, _save_tokenizer(folder / MODEL_NAME))
    os.chdir(folder)
    sys.argv = ["transformers", "serve", MODEL_NAME, "--host", HOST, "--port", str(port), "--device", "cpu"]
    transformers_command()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    """Say whether the server is up; it opens its port only once the model is loaded."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _wait_until_up(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return once the server answers; RuntimeError with the end of its log if it ends or takes too long."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            trouble = f"ended with code {server.returncode}"
            break
        if _answers(port):
            return
        time.sleep(0.1)
    else:
        trouble = f"did not answer within {START_TIMEOUT_S:.0f} s"
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
    raise RuntimeError(f"transformers serve {trouble}; the end of {log}:\n{tail}")


def _stop(server: subprocess.Popen[bytes]) -> None:
    """End the server and what it started; a process group of its own makes sure that nothing else is meant."""
    if server.poll() is None:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


@contextmanager
def tiny_llama_server(folder: Path) -> Iterator[str]:
    """Run the server for the length of a ``with`` block; requests must name the model ``MODEL_NAME``.

    Args:
        folder: Where the model and ``server.log`` are written.

    Yields:
        The base URL for an OpenAI client, such as ``http://127.0.0.1:8123/v1``.

    Raises:
        RuntimeError: The server ended or did not answer in time; the message has the end of its log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "server.log"
    port = _free_port()
    command = [sys.executable, __file__, "--port", str(port), "--dir", str(folder)]
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        _wait_until_up(server, port, log)
        yield f"http://{HOST}:{port}/v1"
    finally:
        _stop(server)


def main() -> None:
    parser = argparse.ArgumentParser(description=f"Serve a tiny Llama of random weights as {MODEL_NAME!r}.")
    parser.add_argument("--port", type=int, default=8123, help="port on loopback (default: 8123)")
    parser.add_argument("--dir", type=Path, help="where to write the model (default: a folder that is removed at exit)")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # the default would leave the temporary folder behind
    if arguments.dir:
        serve(arguments.dir.resolve(), arguments.port)
    else:
        with tempfile.TemporaryDirectory() as folder:
            serve(Path(folder), arguments.port)


if __name__ == "__main__":
    main()
