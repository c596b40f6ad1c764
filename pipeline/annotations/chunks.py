"""A JSON object with long lists, read a chunk at a time.

``msgspec`` reads whole documents only, so the long lists are cut where one element seems to end and another to begin.
A cut is right if and only if what lies between two cuts is a list once it is put in brackets: JSON is read from left to
right, so brackets, quotes or commas within an element cannot deceive. No text is looked at twice to find that out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from itertools import islice
from typing import Any, BinaryIO

import msgspec

CHUNK_BYTES = 2**17  # larger pieces, and the system gives and takes their memory page by page
MOST_BYTES = 2**22  # where all cuts so far are wrong, the window grows, but not to the size of a file
USUAL_BYTES = 2**10  # of a key, or a value that is no list of rows
TRIES = 8  # cuts in the midst of an element are rare: they need objects in lists in an element

Decode = Callable[[bytes, int], list[Any]]
"""Takes a JSON list and the number of elements before it; returns the elements. Where it cannot read them it raises
``NotPlain``, or what ``json`` and ``msgspec`` raise."""

_SPACE = re.compile(rb"[ \t\r\n]*")
_BETWEEN = re.compile(rb"\}[ \t\r\n]*,[ \t\r\n]*\{")
_OBJECTS = re.compile(rb"\[[ \t\r\n]*\{")
_END = re.compile(rb'\}[ \t\r\n]*\][ \t\r\n]*(?:,[ \t\r\n]*"|\})')
_decoder = json.JSONDecoder(strict=False)
_MARK = b"\xef\xbb\xbf"


class NotPlain(ValueError):
    """The document, or a part of it, is not what a reader is made for."""


def read_chunks(
    file: BinaryIO, decoders: Mapping[str, Sequence[Decode]], needed: Set[str]
) -> Iterator[tuple[str, list[Any]]]:
    """Yield keys of the object with elements of their lists, in file order.

    Args:
        file: UTF-8, with or without mark, at its beginning.
        decoders: For each wanted key, what reads a chunk of its list: the first that can. Other keys are skipped.
        needed: Keys that must be there.

    Raises:
        NotPlain: It is no JSON object, a wanted key is no list, one comes twice or is missing, or elements cannot be
            read. Some may have been yielded by then.
    """
    reader = _Reader(file)
    met: set[str] = set()
    reader.take(b"{")
    while True:
        key = reader.key()
        if key in met:
            raise NotPlain(f"{key!r} twice")
        met.add(key)
        if key in decoders:
            for rows in reader.elements(decoders[key]):
                yield key, rows
        elif reader.is_at_objects():
            for _ in reader.elements((_skip,)):
                pass
        else:
            reader.value()
        if reader.peek() != b",":
            break
        reader.take(b",")
    reader.take(b"}")
    reader.finish()
    if not met >= needed:
        raise NotPlain("a list is missing")


def _skip(chunk: bytes, _: int) -> list[Any]:
    msgspec.json.decode(chunk, type=list[msgspec.Raw])
    return []


class _Reader:
    """A window that moves over a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._data = file.read(CHUNK_BYTES)
        self._at = len(_MARK) if self._data.startswith(_MARK) else 0

    def _read_on(self) -> bool:
        """Let go of what has been read, and read at least as much as is left; return whether there was more."""
        rest = self._data[self._at :]
        more = self._file.read(max(CHUNK_BYTES, len(rest)))
        self._data, self._at = rest + more, 0
        return bool(more)

    def peek(self) -> bytes:
        """Return the next byte that is no white space, or nothing at the end."""
        while True:
            self._at = self._after_space(self._at)
            if self._at < len(self._data) or not self._read_on():
                return self._data[self._at : self._at + 1]

    def _after_space(self, at: int) -> int:
        space = _SPACE.match(self._data, at)
        return space.end() if space else at

    def take(self, sign: bytes) -> None:
        """Go past a sign."""
        if self.peek() != sign:
            raise NotPlain(f"no {sign!r}")
        self._at += 1

    def finish(self) -> None:
        """Make sure that nothing follows."""
        if self.peek():
            raise NotPlain("more follows")

    def key(self) -> str:
        """Go past a key and its colon, and return the key."""
        if self.peek() != b'"':
            raise NotPlain("no key")
        key = self.value()
        self.take(b":")
        return str(key)

    def value(self) -> Any:
        """Go past a value of any form, small enough to lie in memory as a whole, and return it."""
        self.peek()
        length = USUAL_BYTES
        while True:
            text = self._data[self._at : self._at + length].decode(errors="surrogateescape")
            try:
                value, end = _decoder.raw_decode(text)
            except json.JSONDecodeError:
                end = len(text)
            except ValueError:  # a number of thousands of digits
                raise NotPlain("no value that can be read") from None
            if end < len(text) and text[end] not in ".eE":  # else a number may go on, too
                self._at += len(text[:end].encode(errors="surrogateescape"))
                return value
            if self._at + length > len(self._data) and not self._read_on():
                raise NotPlain("no value")
            length *= 2

    def is_at_objects(self) -> bool:
        """Return whether a list of objects is next."""
        return self.peek() == b"[" and _OBJECTS.match(self._data, self._at) is not None

    def elements(self, decoders: Sequence[Decode]) -> Iterator[list[Any]]:
        """Go past a list and yield its elements, many at a time."""
        self.take(b"[")
        if self.peek() == b"]":
            self.take(b"]")
            return
        count, is_over = 0, False
        while not is_over:
            rows, is_over = self._chunk(decoders, count)
            count += len(rows)
            yield rows

    def _chunk(self, decoders: Sequence[Decode], before: int) -> tuple[list[Any], bool]:
        """Return the elements that lie in the window, and whether they are the last."""
        if len(self._data) - self._at < CHUNK_BYTES:
            self._read_on()
        while True:
            has_cut = False
            for decode in decoders:
                for cut, after, is_end in self._cuts():
                    has_cut = True
                    with suppress(NotPlain, ValueError, msgspec.DecodeError):
                        rows = decode(b"[%b]" % self._data[self._at : cut], before)
                        self._at = after
                        return rows, is_end
            is_enough = has_cut and len(self._data) > MOST_BYTES
            if is_enough or not self._read_on():
                raise NotPlain("cannot be read in chunks")

    def _cuts(self) -> Iterator[tuple[int, int, bool]]:
        """Yield where the elements in the window may end, what follows may begin, and whether that ends the list."""
        between = self._between()
        for cut, after in islice(between, 1):  # nearly always right
            yield cut, after, False
        for end in islice(_END.finditer(self._data, self._at), TRIES):
            cut = end.start() + 1
            yield cut, self._after_space(cut) + 1, True
        for cut, after in islice(between, TRIES):
            yield cut, after, False

    def _between(self) -> Iterator[tuple[int, int]]:
        """Yield where an element may end and the next begin, from the end of the window backwards."""
        cut = len(self._data)
        while (cut := self._data.rfind(b"}", self._at, cut)) >= 0:
            if found := _BETWEEN.match(self._data, cut):
                yield cut + 1, found.end() - 1
