"""States of a training run on disk: whole or not there, checked when they are read, the newest good one found.

A state is a folder ``step-00000200`` with what it takes to go on as if nothing had happened: the weights that learn
(frozen ones are read from where they came), AdamW's averages, the random states of each process, and a few facts. The
order of the data is a function of the step, so the step is its cursor. It is written beside and renamed when all of it
is on the disk. In ``checksums.json`` stands a CRC of each file: it finds what a dying disk did.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import AdamW

from pipeline.errors import PipelineError, RunStopped
from pipeline.finetune.folders import writing_folder
from pipeline.finetune.ranks import placed_like, whole

FILE_BYTES = 4 << 30
"""Tensors are written once so many bytes have come, so that no more of them are in memory at once."""
FACTS, CHECKSUMS, RANDOM = "state.json", "checksums.json", "random.pt"
_NAME = re.compile(r"step-\d{8}")


@dataclass(frozen=True)
class State:
    """A good state."""

    folder: Path
    step: int
    """Steps that were done."""
    facts: dict[str, Any]
    """What ``States.save`` was given as such."""

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Yield names and tensors, in the order in which they were saved."""
        for path in sorted(self.folder.glob("*.safetensors")):
            yield from load_file(path).items()

    def random(self) -> list[Any]:
        """Return what ``States.save`` was given as such."""
        states: list[Any] = torch.load(self.folder / RANDOM, weights_only=True)
        return states


class States:
    """The states in a folder."""

    def __init__(self, folder: Path, about: dict[str, str], *, keep: int) -> None:
        """Take the folder; it need not exist.

        Args:
            folder: Nothing else is in it.
            about: What must be the same for a run to carry on, by name: data, settings, base models.
            keep: How many of the newest are kept. While one is written there is room for one more.
        """
        self._folder = folder
        self._about = about
        self._keep = keep

    def newest(self, say: Callable[[str], None]) -> State | None:
        """Return the newest good state; None where there is none at all.

        Args:
            say: Told of each that is damaged.

        Raises:
            PipelineError: There are states, and none is good; or the good one is of a run on other data or with other
                settings, the first of which is named.
        """
        for beside in self._folder.glob(".step-*"):  # of a run that was killed while it wrote
            shutil.rmtree(beside)
        folders = sorted(self._all(), reverse=True)
        for folder in folders:
            try:
                about, state = _read(folder)
            except _Damaged as error:
                say(f"{folder} is damaged ({error}); going back to the state before it")
                continue
            self._check(about)
            return state
        if folders:
            raise PipelineError(f"no state in {self._folder} is undamaged; delete it to begin again, or pass --out")
        return None

    def save(self, step: int, tensors: Iterable[tuple[str, Tensor]], random: list[Any], facts: dict[str, Any]) -> None:
        """Write a state, then delete all but it and the few before it.

        Args:
            step: Steps that are done.
            tensors: By name, each once.
            random: Of each process, of what ``torch.load`` reads without running code.
            facts: Of what JSON can hold.

        Raises:
            RunStopped: The disk is full, or the like; the text names the last good state.
        """
        folder = self._folder / f"step-{step:08d}"
        try:
            with writing_folder(folder) as beside:
                for number, piece in enumerate(_pieces(tensors)):
                    save_file(piece, beside / f"{number:05d}.safetensors")
                (beside / RANDOM).write_bytes(_pickled(random))
                told = {"step": step, "about": self._about, "facts": facts}
                (beside / FACTS).write_text(json.dumps(told, indent=2), encoding="utf-8")
                sums = {path.name: _checksum(path) for path in sorted(beside.iterdir())}
                (beside / CHECKSUMS).write_text(json.dumps(sums, indent=2), encoding="utf-8")
        except RunStopped as error:
            last = max((other for other in self._all()), default=None)
            kept = f"the last good state is {last.name}" if last else "there is no state yet"
            raise RunStopped(f"{error}; {kept}, and the same command carries on from it") from error
        states = sorted(self._all())
        past = [path for path in states if path.name <= folder.name]
        for path in states:
            if path not in past[-self._keep :]:  # too old; or beyond this step, and so damaged when the run began
                shutil.rmtree(path)

    def _all(self) -> list[Path]:
        return [path for path in self._folder.glob("step-*") if _NAME.fullmatch(path.name)]

    def _check(self, about: dict[str, str]) -> None:
        for name in sorted(self._about.keys() | about.keys()):
            then, now = about.get(name, "nothing"), self._about.get(name, "nothing")
            if then != now:
                raise PipelineError(
                    f"{self._folder} is of a run with another {name} ({then}, now {now}); "
                    f"pass what it had, or another --out"
                )


def named_tensors(weights: Mapping[str, nn.Parameter], optimizer: AdamW) -> Iterator[tuple[str, Tensor]]:
    """Yield what a state has of the weights that learn: each weight and AdamW's averages of it, in one piece.

    Where weights are in shards, all processes must take each in turn.
    """
    for name, weight in weights.items():
        yield f"weight/{name}", whole(weight.detach())
        for slot, value in optimizer.state[weight].items():
            yield f"{slot}/{name}", whole(value)


def restore(state: State, weights: Mapping[str, nn.Parameter], optimizer: AdamW) -> None:
    """Put back what :func:`named_tensors` gave, in shards where weights are."""
    numbers = {id(weight): number for number, weight in enumerate(_in_order(optimizer))}
    averages: dict[int, dict[str, Tensor]] = defaultdict(dict)
    for key, tensor in state.tensors():
        slot, name = key.split("/", 1)
        weight = weights[name]
        placed = placed_like(tensor, weight) if tensor.shape == weight.shape else tensor  # the count of steps is not
        if slot == "weight":
            with torch.no_grad():
                weight.copy_(placed)
        else:
            averages[numbers[id(weight)]][slot] = placed
    optimizer.load_state_dict({"state": averages, "param_groups": optimizer.state_dict()["param_groups"]})


def _in_order(optimizer: AdamW) -> list[nn.Parameter]:
    return [weight for group in optimizer.param_groups for weight in group["params"]]


class _Damaged(Exception):
    """A state that cannot be read."""


def _read(folder: Path) -> tuple[dict[str, str], State]:
    try:
        sums = json.loads((folder / CHECKSUMS).read_text(encoding="utf-8"))
        for name, expected in sums.items():
            if _checksum(folder / name) != expected:
                raise _Damaged(f"{name} is not what was written")
        told = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        return told["about"], State(folder, told["step"], told["facts"])
    except OSError as error:
        raise _Damaged(f"{error.filename}: {error.strerror}") from error
    except (ValueError, AttributeError, KeyError) as error:
        raise _Damaged(f"{CHECKSUMS} is not what was written") from error


def _pickled(thing: Any) -> bytes:
    buffer = io.BytesIO()  # writing to a full disk, torch.save itself would raise what no one takes for that
    torch.save(thing, buffer)
    return buffer.getvalue()


def _pieces(tensors: Iterable[tuple[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
    """Yield tensors on the CPU, together until they make a file; those of one weight may be in two."""
    piece: dict[str, Tensor] = {}
    size = 0
    for name, tensor in tensors:
        piece[name] = tensor.detach().cpu().contiguous()
        size += tensor.nbytes
        if size >= FILE_BYTES:
            yield piece
            piece, size = {}, 0
    if piece:
        yield piece


def _checksum(path: Path) -> str:
    """Return size and CRC-32 of a file: 1 GB/s and more, which a cryptographic hash is not."""
    crc = 0
    with path.open("rb") as file:
        while block := file.read(1 << 24):
            crc = zlib.crc32(block, crc)
        return f"{os.fstat(file.fileno()).st_size} {crc:08x}"
