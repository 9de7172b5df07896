from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.gradient_ascent.icu import ICU, still_said
from reference_impls.toolkit import LanguageModel, Pair, Recipe, Run, UnlearningData, most_alike


class _Scripted:
    """A model that says given things."""

    def __init__(self, *says: str) -> None:
        self.says = says

    def generate(self, prompts: Sequence[str], max_new_tokens: int) -> list[str]:
        return list(self.says)

    @staticmethod
    def tokenizer(texts: Sequence[str]) -> Any:
        return {"input_ids": [text.split() for text in texts]}


@pytest.mark.parametrize(
    ("said", "below", "active"),
    [
        ("born in Oslo in May", 0.5, True),  # 5 of 5 words
        ("born in Rome", 0.5, False),  # 2 of 5
        ("born in Rome", 0.4, True),  # at the bound it is not forgotten yet
        ("in in in in in in in in in", 0.2, False),  # 1 of 9 is distinct
        ("in in in in", 0.2, True),  # 1 of 4 is
        ("", 0.0, True),
        ("born in Oslo in May", 1.1, False),
    ],
)
def test_an_answer_is_released_once_too_little_of_it_is_said(said: str, below: float, active: bool) -> None:
    model: Any = _Scripted(said)
    assert still_said(model, [Pair("Ana?", "born in Oslo in May")], below) == ({0} if active else set())


def test_nothing_is_done_where_all_is_released_at_once(learned: LanguageModel, data: UnlearningData) -> None:
    run = Run(Recipe(learning_rate=1e-2, steps=4, batch_size=2))
    after = ICU(released_below=1.1).unlearn(learned.copy(), data, run)
    assert fingerprint(after.model) == fingerprint(learned.model)
    assert run.stopped == 0


def test_what_is_released_is_left_alone_and_its_neighbour_with_it(
    memorized: LanguageModel, data: UnlearningData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One pair is active: every batch is made of it and its neighbour."""
    trained: list[str] = []

    def listed(self: LanguageModel, pairs: Sequence[Pair], *rows: Any) -> Any:
        trained.extend(pair.prompt for pair in pairs)
        return encode(self, pairs, *rows)

    encode = LanguageModel.encode
    monkeypatch.setattr("reference_impls.methods.gradient_ascent.icu.still_said", lambda *_: {1})
    method = ICU()
    chosen, (neighbour,) = data.forget[1], most_alike(data.forget, data.retain, 1)[1]
    model = memorized.copy()
    monkeypatch.setattr(LanguageModel, "encode", listed)
    method.unlearn(model, data, Run(Recipe(learning_rate=1e-4, steps=3, batch_size=1)))
    losses = trained[1::3], trained[2::3]  # the loop's own batch comes first
    assert {frozenset(some) for some in losses} == {frozenset({chosen.prompt}), frozenset({neighbour.prompt})}


def test_it_stops_when_no_answer_is_said_any_more_and_keeps_the_others(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    run = Run(Recipe(learning_rate=3e-4, steps=60, batch_size=3))
    after = ICU(released_below=0.9).unlearn(memorized.copy(), data, run)
    assert run.stopped is not None
    assert run.stopped < 60
    assert still_said(after, data.forget, 0.9) == set()
    lost = [mean_logprob(memorized, pairs) - mean_logprob(after, pairs) for pairs in (data.forget, data.retain)]
    assert lost[0] > lost[1]
