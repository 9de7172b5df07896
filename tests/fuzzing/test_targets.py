"""Every target keeps its promise: for what it is made to read, what once broke one, and for text that is near."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cache

import pytest
from fuzz import LONGEST
from hypothesis import given, settings
from hypothesis import strategies as st
from targets import CORPUS, TARGETS, forget_scratch, seeds_and_corpus


@pytest.fixture(scope="module", autouse=True)
def clean() -> Iterator[None]:
    yield
    forget_scratch()


@cache
def known(name: str) -> list[bytes]:
    return seeds_and_corpus(name) or [b""]


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_known_keeps_the_promise_in_time(name: str) -> None:
    for data in known(name)[:12] + known(name)[-40:]:
        started = time.process_time()
        TARGETS[name].keep(data)
        assert time.process_time() - started < LONGEST


SIGNS = [
    *"\0\n\r\t[]{}\"'#|>%\\$<",
    ": ",
    "- ",
    "&a ",
    "*a",
    "!!x ",
    "<!--",
    "=cmd",
    "\u202e",
    "\ufeff",
    "null",
    "1e999",
    "-0",
    "\\0",
    "\\x9b",
    "\\u3164",
    "\\uffff",
    "\u200d",
    " AND ",
    ", Jr.",
    "0x_",
    ".nan",
    "1:30",
]
PIECES = [b"", b"\xff", b"9" * 40, *(sign.encode() for sign in SIGNS)]
"""What has a meaning to one of the readers, or to none."""


@settings(max_examples=15)
@given(st.data())
@pytest.mark.parametrize("name", TARGETS)
def test_what_is_near_it_keeps_the_promise(name: str, data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(known(name)))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 30)))
        text = text[:start] + data.draw(st.sampled_from(PIECES)) + text[end:]
    TARGETS[name].keep(text)


def test_the_corpus_is_of_targets_that_there_are() -> None:
    assert {path.name for path in CORPUS.iterdir()} <= set(TARGETS)
