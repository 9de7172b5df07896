"""Tokenizers in pure Python, which do not say where their tokens stand: the same places, seen from what they spell."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impls.methods.relabeling.whp import WhosHarryPotter
from reference_impls.models.architectures import small_network
from reference_impls.toolkit import LanguageModel, Pair
from reference_impls.toolkit.marks import spelled


def _bytes() -> Any:
    from transformers import ByT5Tokenizer

    return ByT5Tokenizer()


def _slow(tokenizer: Any) -> Any:
    """A fast tokenizer that keeps its offsets to itself, as slow ones have to."""

    class Slow:
        is_fast = False

        def __call__(self, text: Any, **options: Any) -> Any:
            if options.pop("return_offsets_mapping", False):
                raise NotImplementedError
            return tokenizer(text, **options)

        def decode(self, ids: Any, **options: Any) -> str:
            return str(tokenizer.decode(ids, **options))

    return Slow()


@settings(max_examples=40, deadline=None)
@given(st.text(st.sampled_from("abé ñ\n.€AnaLund😀"), max_size=25))
def test_bytes_stand_where_their_letters_do(text: str) -> None:
    ids, spans = spelled(_bytes(), text)
    assert len(ids) == len(spans) == len(text.encode())
    at = 0
    for letter, place in zip(text, range(len(text)), strict=True):
        for first, last in spans[at : at + len(letter.encode())]:
            assert first <= last <= len(text)
            if not letter.isspace():
                assert first <= place < last
                assert not text[first:place].strip()
                assert last == place + 1
        at += len(letter.encode())


def test_places_are_those_that_a_fast_tokenizer_tells(tiny: LanguageModel) -> None:
    fast = tiny.tokenizer
    for text in ("Ana Lund was born in Szeged.", "Question: Who?\nAnswer: Ana", "é ñ, 1999", "", "  two  spaces"):
        ids, told = spelled(fast, text)
        slow_ids, seen = spelled(_slow(fast), text)
        assert slow_ids == ids
        for (first, last), (begins, ends) in zip(told, seen, strict=True):
            # A token of spaces alone has no letters to be counted; it stands at one end of them.
            if text[first:last].strip():
                assert text[begins:ends].strip() == text[first:last].strip()
            else:
                assert begins == ends


def test_small_letters_and_other_spaces_do_not_move_places() -> None:
    words = ["born", "?", "in", "szeged", "."]

    def decode(ids: list[int], **_: Any) -> str:
        return " ".join(words[one] for one in ids).replace(" ?", "?")  # as Moses puts them together

    told = SimpleNamespace(is_fast=False, decode=decode)

    class Told:
        is_fast = False

        def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
            return {"input_ids": [0, 1, 2, 3, 4]}

        decode = staticmethod(told.decode)

    text = "Born?  In Szeged."
    _, spans = spelled(Told(), text)
    assert [text[first:last].strip() for first, last in spans] == ["Born", "?", "In", "Szeged", "."]


@pytest.fixture(scope="module")
def byte_model() -> LanguageModel:
    return LanguageModel(small_network("llama", 384, eos_token_id=1, pad_token_id=0), _bytes())


def test_subjects_and_terms_are_found_without_offsets(byte_model: LanguageModel) -> None:
    model, pair = byte_model, Pair("Who is Ana Lund?", " It is Ana Lund.", subject="Ana Lund")
    ids, tokenizer = model.encode([pair]).input_ids[0], model.tokenizer
    assert tokenizer.decode(ids[model.subject_mentions([pair])[0]]) == "Ana LundAna Lund"
    (last,) = model.subject_places([pair])[0].nonzero()[:, 0].tolist()
    assert tokenizer.decode(ids[: last + 1]) == "Who is Ana Lund"
    labels = WhosHarryPotter().generic_labels(model, model, pair, {"Ana Lund": "Bo Lind"})
    told = len(" It is Ana Lund.") + 1
    assert len(labels) == told
    assert [place for place, label in enumerate(labels.tolist()) if label == -100] == list(range(7, 15))
