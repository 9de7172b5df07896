from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import answer_probabilities, fingerprint

from reference_impls.methods.localization.pcgu import PCGU, chosen_vectors, contrast, logit_gradients
from reference_impls.toolkit import LanguageModel, Pair, Recipe, Run, UnlearningData, flipped_answer

OTHER = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
TRUE = torch.tensor([[1.0, 0.0], [-1.0, 1.0], [0.0, -1.0]])

# The choice


def test_cosines_are_the_hand_computed_ones() -> None:
    assert_allclose(contrast(TRUE, OTHER), [1.0, 0.0, -1.0], atol=1e-6)
    assert_allclose(contrast(TRUE.T, OTHER.T), [0.0, -0.316228], atol=1e-6)


@pytest.mark.parametrize(("share", "rows"), [(1 / 3, [2]), (2 / 3, [1, 2]), (1.0, [0, 1, 2])])
def test_the_rows_with_the_lowest_cosines_are_chosen(share: float, rows: list[int]) -> None:
    (chosen,) = chosen_vectors([TRUE], [OTHER], share)
    assert chosen.nonzero()[:, 0].tolist() == rows


def test_the_choice_is_made_over_all_tensors_and_a_vector_is_one_whole() -> None:
    vector, opposite = torch.tensor([1.0, 2.0]), torch.tensor([-1.0, -1.9])
    chosen = chosen_vectors([TRUE, vector], [OTHER, opposite], 0.5)
    assert [one.tolist() for one in chosen] == [[False, False, True], True]
    assert chosen[1].shape == ()


def test_the_size_of_the_gradients_does_not_matter() -> None:
    one, scaled = chosen_vectors([TRUE], [OTHER], 1 / 3), chosen_vectors([100 * TRUE], [0.01 * OTHER], 1 / 3)
    assert torch.equal(one[0], scaled[0])


def test_vectors_without_a_gradient_are_never_chosen() -> None:
    true, other = torch.tensor([[0.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.0, 0.0], [1.0, 0.1]])
    assert contrast(true, other)[0] == math.inf
    assert chosen_vectors([true], [other], 1.0)[0].tolist() == [False, True]


# The step


def test_the_gradient_is_that_of_the_sum_of_the_answers_raw_logits(tiny: LanguageModel) -> None:
    pair = Pair("Question: Who?\nAnswer:", " Ana Lund.")
    prompt, answer = (tiny.tokenizer(text)["input_ids"] for text in (pair.prompt, pair.answer))
    answer = [*answer, tiny.tokenizer.eos_token_id]
    logits = tiny.model(input_ids=torch.tensor([prompt + answer])).logits[0]
    total = sum((logits[len(prompt) - 1 + place, token] for place, token in enumerate(answer)), torch.zeros(()))
    for found, expected in zip(
        logit_gradients(tiny, [pair]), torch.autograd.grad(total, list(tiny.model.parameters())), strict=True
    ):
        assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("step", ["lower-true", "raise-other"])
def test_one_step_follows_its_gradient_in_the_chosen_vectors_and_nowhere_else(
    step: str, tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData
) -> None:
    method, recipe = PCGU(share=0.05, step=step), Recipe(learning_rate=0.01, steps=1, batch_size=3)
    method.unlearn(fresh, data, Run(recipe, seed=2))
    rng = Run(recipe, seed=2).rng
    contrasting = [replace(pair, answer=flipped_answer(pair, data.retain, rng)) for pair in data.forget]
    true, other = logit_gradients(tiny, data.forget), logit_gradients(tiny, contrasting)
    moved = 0
    for before, after, down, up, mask in zip(
        tiny.model.parameters(),
        fresh.model.parameters(),
        true,
        other,
        chosen_vectors(true, other, 0.05),
        strict=True,
    ):
        way = -down if step == "lower-true" else up
        expected = before + 0.01 * way * mask[..., None]
        assert_allclose(after.detach(), expected.detach(), atol=1e-5)
        moved += int(mask.sum())
    rows = sum(1 if weight.ndim == 1 else len(weight) for weight in tiny.model.parameters())
    assert moved == round(0.05 * rows)


# What it does


def test_true_answers_lose_against_contrasting_ones(memorized: LanguageModel, data: UnlearningData) -> None:
    others = [replace(one, answer=flipped_answer(one, data.retain, random.Random(0))) for one in data.forget]
    edited = PCGU().unlearn(memorized.copy(), data, Run(Recipe(learning_rate=3e-4, steps=30, batch_size=3)))

    def odds(model: LanguageModel) -> float:
        return float(answer_probabilities(model, data.forget).mean() / answer_probabilities(model, others).mean())

    assert odds(edited) < 0.9 * odds(memorized)


def test_few_vectors_do_less_damage_than_all(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=3e-4, steps=15, batch_size=3)
    few, all_of_them = (PCGU(share=share).unlearn(memorized.copy(), data, Run(recipe)) for share in (0.09, 1.0))
    assert answer_probabilities(few, data.retain).mean() > answer_probabilities(all_of_them, data.retain).mean() + 0.1


def test_gradients_are_not_left_behind(fresh: LanguageModel, data: UnlearningData) -> None:
    before = fingerprint(fresh.model)
    PCGU().unlearn(fresh, data, Run(Recipe(learning_rate=0.1, steps=1)))
    assert fingerprint(fresh.model) != before
    assert all(weight.grad is None for weight in fresh.model.parameters())
