from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from unlearning_toys import answer_probabilities, mean_logprob, softmax

from reference_impls.methods.optimization.context_aware import ContextAware, in_context
from reference_impls.toolkit import Batch, LanguageModel, Pair, Recipe, Run, UnlearningData

RECIPE = Recipe(learning_rate=1e-3, steps=8, batch_size=3)


def test_the_context_has_the_answer_and_the_pair_asks_as_before(tiny: LanguageModel, data: UnlearningData) -> None:
    for pair, told in zip(data.forget, in_context(tiny, data.forget), strict=True):
        assert told.prompt == f"{pair.prompt}{pair.answer}\n{pair.prompt}"
        assert told.answer == pair.answer


def test_the_term_is_the_divergence_from_the_model_before_behind_the_context(
    memorized: LanguageModel, tiny: LanguageModel, data: UnlearningData
) -> None:
    """In the direction in which it costs to say what the model before would not have said."""
    told = in_context(memorized, data.forget)
    batch = Batch(memorized.encode(data.forget), memorized.encode(data.retain), tiny)
    with torch.no_grad():
        alone, both = (
            ContextAware(objective="ascent", context_weight=weight)
            .loss(memorized, batch, memorized.encode(told))
            .item()
            for weight in (0.0, 3.0)
        )
    forgotten, kept = (
        np.mean([float(one.mean()) for one in memorized.pair_logprobs(pairs)]) for pairs in (data.forget, data.retain)
    )
    assert alone == pytest.approx(forgotten - kept, rel=1e-3)
    divergences = []
    for pair in told:
        now, before = (_distributions(model, pair) for model in (memorized, tiny))
        divergences.append((now * np.log(now / before)).sum(axis=1).mean())
    assert both - alone == pytest.approx(3 * np.mean(divergences), rel=1e-3)


def _distributions(model: LanguageModel, pair: Pair) -> np.ndarray:
    prompt, answer = (model.tokenizer(text)["input_ids"] for text in (pair.prompt, pair.answer))
    with torch.no_grad():
        logits = model.model(input_ids=torch.tensor([prompt + answer])).logits[0]
    return softmax(logits[len(prompt) - 1 :].double().numpy())


def test_what_is_forgotten_is_still_read_where_it_is_told(memorized: LanguageModel, data: UnlearningData) -> None:
    told = in_context(memorized, data.forget)
    aware, plain = (
        ContextAware(context_weight=weight).unlearn(memorized.copy(), data, Run(RECIPE)) for weight in (5.0, 0.0)
    )
    known, read = (answer_probabilities(memorized, pairs).mean() for pairs in (data.forget, told))
    assert answer_probabilities(plain, told).mean() < read / 2
    assert answer_probabilities(aware, told).mean() > read / 2
    assert answer_probabilities(aware, data.forget).mean() < known / 2


def test_a_plain_text_stands_before_its_own_beginning(fresh: LanguageModel, data: UnlearningData) -> None:
    texts = tuple(replace(pair, prompt="", answer=pair.prompt + pair.answer) for pair in data.forget)
    unlearned = ContextAware().unlearn(fresh, replace(data, forget=texts), Run(replace(RECIPE, steps=2)))
    assert np.isfinite(mean_logprob(unlearned, texts))
