from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from unlearning_toys import CHAT_TEMPLATE, Saying, fingerprint, losses, mean_logprob, token_logits

from reference_impls.methods.distillation.exclusive import ExclusiveUnlearning, opening, own_texts
from reference_impls.toolkit import (
    Batch,
    Encoded,
    LanguageModel,
    Pair,
    Recipe,
    Run,
    TokenLogits,
    UnlearningData,
    UsageError,
)

RECIPE = Recipe(learning_rate=2e-3, steps=12, batch_size=8)
SHORT = ExclusiveUnlearning(texts=24, length=12)


class _Given(LanguageModel):
    """Logits as given, whatever is asked."""

    def __init__(self, *outs: TokenLogits) -> None:
        self.outs = outs

    def token_logits(self, *batches: Encoded) -> tuple[TokenLogits, ...]:
        return self.outs


def test_loss_is_the_hand_computed_one() -> None:
    """Probabilities 0.7, 0.2, 0.1 are 0.324287 and log 3 from uniform; the retain answer has 0.5."""
    own = token_logits([np.log([0.7, 0.2, 0.1]).tolist()], [0])
    kept = token_logits([[0.0, 0.0]], [0])
    nothing = Encoded.empty(torch.device("cpu"))
    batch = Batch(nothing, nothing, None)
    value = ExclusiveUnlearning().loss(_Given(own, kept), batch).item()
    assert value == pytest.approx(0.324287 + math.log(3) + math.log(2), abs=1e-6)
    weighted = ExclusiveUnlearning(forget_weight=2.0, retain_weight=3.0).loss(_Given(own, kept), batch).item()
    assert weighted == pytest.approx(2 * 1.422899 + 3 * float(losses([[0.0, 0.0]], [0])[0]), abs=1e-5)


def test_a_text_begins_as_questions_do(tiny: LanguageModel) -> None:
    assert opening(tiny) == "Question: "
    chat = tiny.copy()
    chat.tokenizer.chat_template, before = CHAT_TEMPLATE, chat.tokenizer.chat_template
    try:
        assert opening(chat) == "[user]"
    finally:
        chat.tokenizer.chat_template = before


def test_half_of_the_texts_begin_so_and_none_names_whom_to_keep(tiny: LanguageModel, data: UnlearningData) -> None:
    said = ["a", "b Dee Moss", "", "c", "Fay Quist d", "e"]
    own = own_texts(Saying(tiny, said), data.retain, 6, 9)
    assert [pair.answer for pair in own] == [f"{opening(tiny)}a", "c", "e"]
    assert all(pair.prompt == "" and not pair.closed for pair in own)
    with pytest.raises(UsageError, match="what must stay"):
        own_texts(Saying(tiny, ["Dee Moss"] * 2), data.retain, 2, 9)


def test_the_forget_set_is_not_looked_at(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = replace(RECIPE, steps=2)
    other = replace(data, forget=(Pair("?", " -"),))
    fingerprints = {
        fingerprint(SHORT.unlearn(memorized.copy(), each, Run(recipe)).model) for each in (data, data, other)
    }
    assert len(fingerprints) == 1


def test_what_is_not_kept_goes_flat_and_what_is_stays(memorized: LanguageModel, data: UnlearningData) -> None:
    after = SHORT.unlearn(memorized.copy(), data, Run(RECIPE))
    lost = [mean_logprob(memorized, pairs) - mean_logprob(after, pairs) for pairs in (data.forget, data.retain)]
    assert lost[0] > 0.3
    assert lost[0] > 2 * lost[1]
    unseen = [Pair("", "Hogwarts is a Magic School.", closed=False)]
    with torch.no_grad():
        flat = [
            float(torch.softmax(model.token_logits(model.encode(unseen))[0].logits, dim=1).max(dim=1).values.mean())
            for model in (memorized, after)
        ]
    assert flat[1] < flat[0]
