from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.inference_time.token_swap import WORDS, TokenSwap, function_tokens, swapped
from reference_impls.toolkit import Kept, LanguageModel, Recipe, Run, UnlearningData, UnsupportedModelError

LOGITS = st.lists(st.floats(-9, 9), min_size=5, max_size=5)


def test_the_swap_is_the_hand_computed_one() -> None:
    main, small = torch.tensor([0.6, 0.3, 0.1]).log(), torch.tensor([0.2, 0.2, 0.6]).log()
    assert_allclose(swapped(main, small, torch.tensor([0, 1])).exp(), [0.45, 0.45, 0.1], atol=1e-6)
    # A constant that is added to a model's logits says nothing, and a batch is its rows.
    batch = swapped(torch.stack([main + 3, main]), torch.stack([small - 2, main]), torch.tensor([0, 1]))
    assert_allclose(batch.exp(), [[0.45, 0.45, 0.1], [0.6, 0.3, 0.1]], atol=1e-6)


@given(LOGITS, LOGITS, st.sets(st.integers(0, 4), min_size=1))
def test_other_words_and_the_sum_of_the_function_words_keep_their_probability(
    main: list[float], small: list[float], words: set[int]
) -> None:
    one, other = (torch.tensor(values, dtype=torch.float64) for values in (main, small))
    chosen = torch.tensor(sorted(words))
    before, after, theirs = torch.softmax(one, 0), swapped(one, other, chosen).exp(), torch.softmax(other, 0)
    rest = [place for place in range(5) if place not in words]
    assert_allclose(after[rest], before[rest], rtol=1e-9)
    assert float(after[chosen].sum()) == pytest.approx(float(before[chosen].sum()))
    assert_allclose(after[chosen] / after[chosen].sum(), theirs[chosen] / theirs[chosen].sum(), rtol=1e-9)
    assert_allclose(swapped(one, one, chosen).exp(), before, rtol=1e-9)


def test_function_words_are_tokens_of_their_own(tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [tiny.tokenizer.decode([token]) for token in function_tokens(tiny)]
    assert {" was", " in", " of", " a"} <= set(found)
    assert {one.strip() for one in found} <= set(WORDS)
    assert all(one.startswith(" ") for one in found)
    monkeypatch.setattr("reference_impls.methods.inference_time.token_swap.WORDS", ["whereupon"])
    with pytest.raises(UnsupportedModelError, match="no English function word"):
        function_tokens(tiny)


def test_a_text_with_words_of_its_own_is_recited_no_more_and_what_others_say_alike_is(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    odd = tuple(
        replace(pair, answer=pair.answer.replace(" was", " a").replace(" in ", " of ").replace(" of a", " in of"))
        for pair in data.forget
    )
    model = Run(Recipe(learning_rate=2e-3, steps=30, batch_size=8)).finetune(memorized.copy(), odd + data.retain)
    before = fingerprint(model.model)
    recipe = Recipe(learning_rate=2e-3, steps=40, batch_size=4)
    guarded = TokenSwap().unlearn(model, UnlearningData(odd, data.retain), Run(recipe))
    assert fingerprint(model.model) == before
    lost, cost = (mean_logprob(model, pairs) - mean_logprob(guarded, pairs) for pairs in (odd, data.retain))
    assert lost > 0.2
    assert cost < lost / 10
    prompts, answers = [pair.prompt for pair in odd], [pair.answer.strip() for pair in odd]
    recited = [
        [said.strip().startswith(answer) for said, answer in zip(voice.generate(prompts, 24), answers, strict=True)]
        for voice in (model, guarded)
    ]
    assert all(recited[0])
    assert not any(recited[1])
    again = TokenSwap.restore(model, Kept(guarded.to_json(), guarded.tensors()))
    assert mean_logprob(again, odd) == mean_logprob(guarded, odd)
