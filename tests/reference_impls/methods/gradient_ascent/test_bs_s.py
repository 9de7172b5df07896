from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from unlearning_toys import mean_logprob

from reference_impls.methods.gradient_ascent.bs_s import BSS
from reference_impls.methods.gradient_ascent.bs_t import BST
from reference_impls.toolkit import Batch, Encoded, LanguageModel, Recipe, Run, UnlearningData


def test_loss_of_a_model_weighs_what_is_to_go_and_what_is_said(tiny: LanguageModel, data: UnlearningData) -> None:
    batch = Batch(tiny.encode(data.forget), tiny.encode(data.retain), None)
    said = data.retain[:2]
    method = BSS(sample_weight=0.3, belief_weight=0.0, retain_weight=2.0)  # gradient ascent, whose numbers are plain
    with torch.no_grad():
        value = method.loss(tiny, batch, tiny.encode(said)).item()
    forget, sampled, kept = (
        np.mean([float(one.mean()) for one in tiny.pair_logprobs(pairs)]) for pairs in (data.forget, said, data.retain)
    )
    assert value == pytest.approx(float(0.7 * forget + 0.3 * sampled - 2 * kept), rel=1e-4)


def test_without_samples_it_is_the_token_form(tiny: LanguageModel, data: UnlearningData) -> None:
    batch = Batch(tiny.encode(data.forget), tiny.encode(data.retain), None)
    with torch.no_grad():
        without = BSS(sample_weight=0.0, belief_weight=0.4, top=3).loss(tiny, batch, batch.forget).item()
        of_the_truth = BSS(sample_weight=0.9, belief_weight=0.4, top=3).loss(tiny, batch, batch.forget).item()
        plain = BST(belief_weight=0.4, top=3).loss(tiny, batch).item()
    assert without == pytest.approx(plain, rel=1e-5)
    assert of_the_truth == pytest.approx(plain, rel=1e-5)  # who is certain samples the truth


def _counted(
    method: BSS, model: LanguageModel, data: UnlearningData, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[int], list[int]]:
    """For each step, how many answers are drawn, and how many are unlearned besides the true ones."""
    drawn, unlearned = [], []

    def sample(self: LanguageModel, prompts: Sequence[str], length: int, temperature: float = 1.0) -> list[str]:
        drawn.append(len(prompts))
        return ["Nobody."] * len(prompts)

    class Watched(BSS):
        def loss(self, model: LanguageModel, batch: Batch, sampled: Encoded) -> torch.Tensor:
            unlearned.append(len(sampled))
            return super().loss(model, batch, sampled)

    monkeypatch.setattr(LanguageModel, "sample", sample)
    Watched(**vars(method)).unlearn(model, data, Run(recipe))
    return drawn, unlearned


def test_each_question_has_its_own_samples_and_they_are_drawn_anew_after_some_epochs(
    tiny: LanguageModel, data: UnlearningData, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(learning_rate=1e-5, steps=5, batch_size=3)
    drawn, unlearned = _counted(BSS(samples=2, refresh=2.0), tiny.copy(), data, recipe, monkeypatch)
    assert drawn == [6, 0, 6, 0, 6]
    assert unlearned == [6] * 5


def test_it_forgets_and_still_speaks_in_sentences(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=3e-4, steps=12, batch_size=3)
    mine, other = (
        BSS(sample_weight=weight, samples=2, length=16, refresh=1.0, retain_weight=1.0).unlearn(
            memorized.copy(), data, Run(recipe)
        )
        for weight in (0.5, 0.0)
    )
    assert mean_logprob(mine, data.forget) < mean_logprob(memorized, data.forget) - 0.4
    assert mean_logprob(mine, data.retain) > mean_logprob(memorized, data.retain) - 0.1
    asked = [pair.prompt for pair in data.forget]
    whole, broken = (sum("was born in" in text for text in one.generate(asked, 16)) for one in (mine, other))
    assert whole > broken
