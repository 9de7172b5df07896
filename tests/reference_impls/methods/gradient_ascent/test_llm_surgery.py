from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from unlearning_toys import mean_logprob

from reference_impls.methods.gradient_ascent.llm_surgery import LLMSurgery
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData

RUN = Run(Recipe(learning_rate=1e-3, steps=25, batch_size=3))


def _updated(data: UnlearningData) -> UnlearningData:
    """With a new answer to every question that is to be forgotten: another pair's words."""
    wrong = [replace(pair, alternates=(f" {pair.subject} was born in a tent.",)) for pair in data.forget]
    return replace(data, forget=tuple(wrong))


class _Likelihoods:
    """A model whose answers have given losses: old .5, new 1.5, kept whatever."""

    def __init__(self, kept: torch.Tensor) -> None:
        self.kept = kept

    def token_logits(self, *asked: Any) -> list[Any]:
        return [self.kept] if len(asked) == 1 else ["old", "new", self.kept]


def test_three_terms_are_weighed_as_the_paper_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand: .1 * -.5 + 2 * 1.5 + .5 * .4 = 3.15."""
    where = "reference_impls.methods.gradient_ascent.llm_surgery."
    monkeypatch.setattr(where + "mean_nll", {"old": 0.5, "new": 1.5}.__getitem__)
    monkeypatch.setattr(where + "mean_kl", lambda before, kept: (before - kept).abs())
    now: Any = _Likelihoods(torch.tensor(0.6))
    nothing: Any = None
    then: Any = _Likelihoods(torch.tensor(1.0))
    batch = Batch(nothing, nothing, then, alternate=[])  # type: ignore[arg-type]
    assert float(LLMSurgery().loss(now, batch)) == pytest.approx(3.15)
    assert float(LLMSurgery(retain_weight=0.0).loss(now, batch)) == pytest.approx(2.95)


def test_the_divergence_is_nothing_at_the_start(tiny: LanguageModel, data: UnlearningData) -> None:
    encode = tiny.encode
    kept = encode(data.retain[:2])
    batch = Batch(encode(data.forget[:2]), kept, tiny, encode(data.retain[2:4]))
    loss = LLMSurgery(forget_weight=0.0, update_weight=0.0, retain_weight=3.0).loss(tiny, batch)
    assert loss.item() == pytest.approx(0, abs=1e-6)


def test_the_new_answer_takes_the_place_of_the_old_one(memorized: LanguageModel, data: UnlearningData) -> None:
    updated = _updated(data)
    after = LLMSurgery(retain_weight=5.0).unlearn(memorized.copy(), updated, RUN)
    new = [replace(pair, answer=pair.alternates[0]) for pair in updated.forget]
    assert mean_logprob(after, new) > mean_logprob(after, updated.forget)
    assert mean_logprob(memorized, new) < mean_logprob(memorized, updated.forget)
    lost = [mean_logprob(memorized, pairs) - mean_logprob(after, pairs) for pairs in (data.forget, data.retain)]
    assert lost[0] > 3 * max(0.05, lost[1])


def test_where_no_new_answers_are_given_those_of_others_are_taken(tiny: LanguageModel, data: UnlearningData) -> None:
    bare = replace(data, forget=tuple(replace(pair, alternates=()) for pair in data.forget))
    prepared = LLMSurgery(updates=2).prepare(tiny, bare, Run(Recipe(), seed=1))
    for pair in prepared.forget:
        assert 1 <= len(pair.alternates) <= 2
        assert pair.answer not in pair.alternates
    assert all(pair.prompt for pair in prepared.forget)
