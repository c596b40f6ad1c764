"""Samples that say what an earlier sample of the run has said, word for word or nearly.

A sample costs about 80 bytes of memory, and 320 of a temporary file, however long it is; the table of bands takes
16 MiB. Nothing here depends on the process or on chance, so the same samples in the same order have the same findings.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from struct import Struct
from zlib import crc32

import numpy as np
from rensa import RMinHash

from pipeline.quality.texts.words import words_of
from pipeline.records import Finding, Turn
from pipeline.temporary import Store

NEAR = 0.8
"""Share of runs of three words that near duplicates have in common, out of all that either has (Jaccard)."""
_SAME_SAMPLE = 8  # words; below that, answers such as "Yes, there are two dogs." come again by themselves
_SAME_ANSWER = 15  # words of one answer among several; "One is on the left and the other is on the right." is shorter
_FEWEST_NEAR = 20  # words; in fewer, one changed word leaves too little in common
_HASHES = 128  # the estimate of 0.8 is then off by 0.035 (one standard deviation)
_BANDS = 16  # of 8 hashes each: a pair that shares 0.8 meets in one of them with 95 %, one that shares 0.9 always
_BAND_BYTES = 2 * _HASHES // _BANDS
_NUMBER = Struct("@I")  # as `array` has them
_ENTRY_BYTES = 2 * _HASHES + 4 * _BANDS
_SLOTS = 1 << 18  # a band; more samples make longer chains, not wrong results
_MOST_STEPS = 64  # of a chain; where a template made thousands of samples alike, the latest are compared
_SEED = 1
_FIRST_ROOM = 1 << 12  # texts that find room at the beginning, twice over; a power of two


class Duplicates:
    """What has been said so far in a run."""

    def __init__(self) -> None:
        self._ids = _Names()
        self._said = _Firsts()
        self._near = _NearIndex()

    def add(self, id: str, turns: Sequence[Turn]) -> list[Finding]:
        """Return what a sample shares with those before it, and remember it.

        Samples are to be added in plan order, so that a finding is always about the later one. Examples that a model
        was shown may be added before the first sample, to find what it copied from them.

        Returns:
            One finding about the whole sample, ``duplicate`` or ``near duplicate``; otherwise one for each answer that
            another sample has given too, ``repeated across the run``. The detail names the earlier sample.
        """
        number = len(self._ids)
        self._ids.add(id)
        answers = [words_of(turn.answer.lower()) for turn in turns]
        words = [word for answer in answers for word in answer]
        if len(words) < _SAME_SAMPLE:
            return []
        first = self._first(words, number)
        if first != number:
            return [_about_sample("duplicate", f"the same answers as {self._ids[first]}")]
        found = list(self._repeated(turns, answers, number)) if len(turns) > 1 else []
        if len(words) < _FEWEST_NEAR:
            return found
        nearest, share = self._near.add(words, number)
        if nearest is not None:
            return [_about_sample("near duplicate", f"{share:.0%} in common with {self._ids[nearest]}")]
        return found

    def _repeated(self, turns: Sequence[Turn], answers: Sequence[list[str]], number: int) -> Iterator[Finding]:
        for place, (turn, words) in enumerate(zip(turns, answers, strict=True)):
            if len(words) >= _SAME_ANSWER:
                first = self._first(words, number)
                if first != number:
                    detail = f"the same answer as in {self._ids[first]}"
                    yield Finding(2 * place + 1, 0, len(turn.answer), "repeated across the run", detail)

    def _first(self, words: Sequence[str], number: int) -> int:
        """Return the first sample that had this text, which is this one if none was before."""
        key = int.from_bytes(blake2b(" ".join(words).encode(), digest_size=8).digest(), "little")
        return self._said.setdefault(key, number)


def _about_sample(kind: str, detail: str) -> Finding:
    return Finding(None, 0, 0, kind, detail)


class _Names:
    """Names in a row, at a third of the memory of a list of them."""

    def __init__(self) -> None:
        self._text = bytearray()
        self._ends = array("Q")

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, number: int) -> str:
        start = self._ends[number - 1] if number else 0
        return self._text[start : self._ends[number]].decode("utf-8", "surrogatepass")

    def add(self, name: str) -> None:
        """Add one to the end."""
        self._text += name.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._text))


class _Firsts:
    """Texts, as 8 bytes of their hashes, and the first sample that has each: flat arrays, a quarter of a dictionary."""

    def __init__(self) -> None:
        self._count = 0
        self._keys = array("Q", bytes(8 * _FIRST_ROOM))  # 0 for none
        self._numbers = array("I", bytes(4 * _FIRST_ROOM))

    def setdefault(self, key: int, number: int) -> int:
        """Return the number of a key, which is this one if it had none."""
        key = key or 1
        slot = self._slot(key)
        if self._keys[slot]:
            return self._numbers[slot]
        self._keys[slot], self._numbers[slot] = key, number
        self._count += 1
        if 3 * self._count > 2 * len(self._keys):
            self._grow()
        return number

    def _slot(self, key: int) -> int:
        """Return where a key is, or the free place where it would be."""
        keys, last = self._keys, len(self._keys) - 1
        slot = key & last
        while keys[slot] and keys[slot] != key:
            slot = (slot + 1) & last
        return slot

    def _grow(self) -> None:
        keys, numbers = self._keys, self._numbers
        self._keys, self._numbers = array("Q", bytes(16 * len(keys))), array("I", bytes(8 * len(keys)))
        for key, number in zip(keys, numbers, strict=True):
            if key:
                slot = self._slot(key)
                self._keys[slot], self._numbers[slot] = key, number


class _NearIndex:
    """Signatures of texts, and for each band of them a table of those that share it.

    Of each hash the lower 16 bits are kept: two that differ look the same in one case of 65,536. The tables are flat
    arrays in place of dictionaries, which would take four times the memory: a slot has the latest entry, and each entry
    has the one before it in the same slot.
    """

    def __init__(self) -> None:
        self._numbers = array("I")  # of the samples, by entry
        self._entries = Store(mixed=True)  # signatures, and for each band the entry before it in its slot, as below
        self._latest = array("I", bytes(4 * _BANDS * _SLOTS))  # by band and slot; 0 for none, else the entry + 1

    def add(self, words: Sequence[str], number: int) -> tuple[int | None, float]:
        """Return the nearest earlier sample and what it shares, or ``None`` and 0 and keep this one.

        One of a group of near duplicates is enough to find the others, and keeps the chains short.
        """
        signature = _signature(words)
        slots = [
            band * _SLOTS + crc32(signature[at : at + _BAND_BYTES]) % _SLOTS
            for band, at in enumerate(range(0, len(signature), _BAND_BYTES))
        ]
        best, share = None, 0.0
        for entry, other in sorted(self._candidates(signature, slots).items()):
            common = _in_common(signature, other)
            if common > share:
                best, share = self._numbers[entry], common
        if best is not None and share >= NEAR:
            return best, share
        self._keep(signature, slots, number)
        return None, 0.0

    def _candidates(self, signature: bytes, slots: Sequence[int]) -> dict[int, bytes]:
        """Return the entries that have a band in common with a signature, with theirs."""
        found: dict[int, bytes] = {}
        met: dict[int, bytes] = {}
        for band, slot in enumerate(slots):
            later, steps = self._latest[slot], 0
            at = band * _BAND_BYTES
            wanted = signature[at : at + _BAND_BYTES]
            while later and steps < _MOST_STEPS:
                entry = later - 1
                kept = met.get(entry) or met.setdefault(entry, self._entries.get(entry * _ENTRY_BYTES, _ENTRY_BYTES))
                if kept[at : at + _BAND_BYTES] == wanted:
                    found[entry] = kept[: len(signature)]
                later = _NUMBER.unpack_from(kept, len(signature) + 4 * band)[0]
                steps += 1
        return found

    def _keep(self, signature: bytes, slots: Sequence[int], number: int) -> None:
        self._numbers.append(number)
        before = array("I", [self._latest[slot] for slot in slots])
        self._entries.put(signature + before.tobytes())
        for slot in slots:
            self._latest[slot] = len(self._numbers)


def _in_common(signature: bytes, other: bytes) -> float:
    # Ten times as fast as counting in a loop; a run has some five candidates a sample.
    return int(np.count_nonzero(np.frombuffer(signature, np.uint16) == np.frombuffer(other, np.uint16))) / _HASHES


def _signature(words: Sequence[str]) -> bytes:
    """Return the MinHash of the runs of three words, two bytes a hash."""
    sketch = RMinHash(_HASHES, _SEED)
    sketch.update(list(map(" ".join, zip(words, words[1:], words[2:], strict=False))))
    # Every other half of a 32-bit number is its lower one; on a big-endian machine its upper one, which serves as well.
    return memoryview(array("I", sketch.digest())).cast("B").cast("H")[::2].tobytes()
