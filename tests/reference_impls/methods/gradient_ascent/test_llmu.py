from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import (
    FORGET_LOGITS,
    FORGET_TARGETS,
    RETAIN_LOGITS,
    RETAIN_REFERENCE,
    RETAIN_TARGETS,
    gradient_of,
    mean_logprob,
    token_logits,
)

from reference_impls.methods.gradient_ascent.gradient_ascent import gradient_ascent_loss
from reference_impls.methods.gradient_ascent.llmu import LLMU, llmu_loss
from reference_impls.toolkit import Batch, Encoded, LanguageModel, Recipe, Run, UnlearningData


def _toy(**weights: float) -> float:
    forget = token_logits(FORGET_LOGITS, FORGET_TARGETS)
    retain, before = token_logits(RETAIN_LOGITS, RETAIN_TARGETS), token_logits(RETAIN_REFERENCE, RETAIN_TARGETS)
    # The retain token stands for the random answer, too.
    return llmu_loss(forget, retain, retain, before, **weights).item()


@pytest.mark.parametrize(
    ("forget", "mismatch", "normal", "loss"),
    [(0.5, 1.0, 1.0, 0.452583), (1.0, 0.0, 0.0, -0.395495), (0.0, 1.0, 0.0, 0.551445), (0.0, 0.0, 1.0, 0.098886)],
)
def test_loss_on_the_toy_is_the_hand_computed_one(forget: float, mismatch: float, normal: float, loss: float) -> None:
    value = _toy(forget_weight=forget, mismatch_weight=mismatch, normal_weight=normal)
    assert value == pytest.approx(loss, abs=1e-5)


def test_a_random_answer_that_is_the_right_one_undoes_the_ascent() -> None:
    forget = token_logits(FORGET_LOGITS, FORGET_TARGETS)
    retain = token_logits(RETAIN_LOGITS, RETAIN_TARGETS)
    llmu_loss(forget, forget, retain, retain, forget_weight=0.7, mismatch_weight=0.7, normal_weight=1.0).backward()
    assert_allclose(gradient_of(forget.logits), torch.zeros(2, 3), atol=1e-7)


def test_at_the_start_the_divergence_pulls_nowhere(fresh: LanguageModel, data: UnlearningData) -> None:
    batch = Batch(fresh.encode(data.forget), fresh.encode(data.retain), fresh.frozen())
    method = LLMU(forget_weight=0.0, mismatch_weight=0.0, normal_weight=5.0)
    value = method.loss(fresh, batch, batch.forget)
    value.backward()
    assert value.item() == pytest.approx(0.0, abs=1e-6)
    assert max(float(one.grad.abs().max()) for one in fresh.model.parameters()) < 1e-6


def _mismatched(
    data: UnlearningData, run: Run, model: LanguageModel, mismatches: int
) -> list[tuple[list[int], list[str]]]:
    """For each step, the rows to forget and the texts with other answers that the loss is given."""
    seen: list[tuple[list[int], list[str]]] = []

    class Watched(LLMU):
        def loss(self, model: LanguageModel, batch: Batch, mismatched: Encoded) -> torch.Tensor:
            texts = model.tokenizer.batch_decode(mismatched.input_ids, skip_special_tokens=True)
            seen.append((batch.forget.rows.tolist(), texts))
            return super().loss(model, batch, mismatched)

    Watched(mismatches=mismatches).unlearn(model, data, run)
    return seen


def test_every_forget_prompt_is_paired_with_each_of_the_drawn_answers(
    fresh: LanguageModel, data: UnlearningData
) -> None:
    draws = set()
    for rows, texts in _mismatched(data, Run(Recipe(steps=6, batch_size=2)), fresh, 2):
        prompts = [data.forget[row].prompt for row in rows for _ in range(2)]
        answers = [text.removeprefix(prompt) for text, prompt in zip(texts, prompts, strict=True)]
        assert answers == answers[:2] * 2
        assert len(set(answers[:2])) == 2
        assert set(answers) <= {pair.answer for pair in data.retain}
        draws.add(tuple(answers[:2]))
    assert len(draws) > 1


def test_an_answer_that_is_right_for_a_prompt_of_the_batch_is_not_drawn(
    fresh: LanguageModel, data: UnlearningData
) -> None:
    shared = replace(data, retain=(*data.retain, *data.forget))
    for (row,), texts in _mismatched(shared, Run(Recipe(steps=3, batch_size=1)), fresh, 50):
        right = data.forget[row]
        assert sorted(texts) == sorted({right.prompt + one.answer for one in shared.retain if one != right})


def test_more_mismatches_than_answers_take_them_all(fresh: LanguageModel, data: UnlearningData) -> None:
    few = replace(data, retain=data.retain[:2])
    ((_, texts),) = _mismatched(few, Run(Recipe(steps=1, batch_size=1)), fresh, 50)
    assert len(texts) == 2


def test_unlearning_forgets_and_moves_to_answers_of_others_while_ascent_alone_loses_them(
    learned: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=1e-3, steps=25)
    unlearned = LLMU().unlearn(learned.copy(), data, Run(recipe))
    ascended = Run(recipe).minimize(
        lambda model, batch: gradient_ascent_loss(*model.token_logits(batch.forget)), learned.copy(), data
    )
    mismatched = [replace(pair, answer=other.answer) for pair in data.forget for other in data.retain]

    assert mean_logprob(unlearned, data.forget) < mean_logprob(learned, data.forget) - 1
    assert mean_logprob(unlearned, mismatched) > mean_logprob(learned, mismatched)
    assert mean_logprob(ascended, mismatched) < mean_logprob(unlearned, mismatched) - 1
    assert mean_logprob(unlearned, data.retain) > mean_logprob(ascended, data.retain) + 0.5
