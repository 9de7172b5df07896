from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from unlearning_toys import gradient_of, mean_logprob, softmax, token_logits

from reference_impls.methods.distillation.df_mcq import DFMCQ, flattening_loss, wrong_options
from reference_impls.toolkit import Batch, Encoded, LanguageModel, Recipe, Run, TokenLogits, UnlearningData

LOGITS = [2.0, 1.0, 0.0, 0.0]


def choice(logits: list[float], options: list[int]) -> TokenLogits:
    """One question whose options are single tokens, each a sequence of its own."""
    return token_logits([logits] * len(options), options, list(range(len(options))))


def test_loss_and_gradient_on_one_question_are_the_hand_computed_ones() -> None:
    """Two options of logits 2 and 1 have 0.731 and 0.269 of what both have together."""
    out = choice(LOGITS, [0, 1])
    loss = flattening_loss(out, 2)
    loss.backward()
    assert loss.item() == pytest.approx(0.813262, abs=1e-6)
    assert_allclose(gradient_of(out.logits).sum(dim=0), (0.231059, -0.231059, 0, 0), atol=1e-6)


@given(arrays(np.float32, 6, elements=st.floats(-5, 5, width=16)))
def test_chance_is_the_end(logits: np.ndarray) -> None:
    assert flattening_loss(choice(logits.tolist(), [0, 1, 2]), 3).item() >= math.log(3) - 1e-5
    flat = choice([1.5, 1.5, 1.5, *logits[3:].tolist()], [0, 1, 2])
    at_the_end = flattening_loss(flat, 3)
    at_the_end.backward()
    assert at_the_end.item() == pytest.approx(math.log(3), abs=1e-6)
    assert_allclose(gradient_of(flat.logits).sum(dim=0), 0, atol=1e-6)


def test_options_of_several_tokens_count_by_their_means_question_by_question() -> None:
    """Two questions of two options: mean log-likelihoods by numpy."""
    rows = np.random.default_rng(0).normal(size=(6, 5)).tolist()
    targets, sequence = [0, 1, 2, 3, 4, 0], [0, 0, 1, 2, 2, 3]
    logprobs = np.log(softmax(rows))[np.arange(6), targets]
    scores = np.array([[logprobs[:2].mean(), logprobs[2]], [logprobs[3:5].mean(), logprobs[5]]])
    out = token_logits(rows, targets, sequence)
    assert flattening_loss(out, 2).item() == pytest.approx(-np.log(softmax(scores)).mean(), abs=1e-6)


def test_wrong_options_are_the_tasks_and_those_of_other_subjects(data: UnlearningData) -> None:
    first, *others = data.forget
    invented = replace(first, alternates=(" Never.",))
    options = wrong_options(replace(data, forget=(invented, *others)))[0]
    answers = [pair.answer for pair in options]
    renamed = {pair.answer.replace(pair.subject, first.subject) for pair in others}
    assert answers[0] == " Never."
    assert {pair.prompt for pair in options} == {first.prompt}
    assert set(answers[1:]) == renamed
    assert [pair.answer for pair in wrong_options(replace(data, forget=(invented,)))[0]] == [" Never."]
    assert len(set(answers)) == len(answers)


def test_the_retain_term_has_no_gradient_at_the_start(tiny: LanguageModel, data: UnlearningData) -> None:
    model = tiny.copy()
    batch = Batch(model.encode(data.forget), model.encode(data.retain), tiny.frozen())
    method, nothing = DFMCQ(), Encoded.empty(model.device)
    with_retain = method.loss(model, batch, batch.forget, 3)
    without = method.loss(model, replace(batch, retain=nothing), batch.forget, 3)
    assert with_retain.item() == pytest.approx(without.item(), abs=1e-5)
    weights = tuple(model.model.parameters())
    pairs = zip(torch.autograd.grad(with_retain, weights), torch.autograd.grad(without, weights), strict=True)
    assert max(float((one - other).abs().max()) for one, other in pairs) < 1e-5


def test_the_true_answer_becomes_one_of_several(learned: LanguageModel, data: UnlearningData) -> None:
    """It ends near the others, where ascent would go on below them; what is to stay stays."""
    wrong = wrong_options(data)

    def margin(model: LanguageModel) -> float:
        """By how much the true answers are likelier than the likeliest others, per token."""
        found = [
            mean_logprob(model, [pair]) - max(mean_logprob(model, [one]) for one in others)
            for pair, others in zip(data.forget, wrong, strict=True)
        ]
        return sum(found) / len(found)

    unlearned = DFMCQ(options=4).unlearn(learned.copy(), data, Run(Recipe(learning_rate=2e-3, steps=15)))
    assert margin(learned) > 0.3
    assert abs(margin(unlearned)) < 0.5 * margin(learned)
    assert mean_logprob(unlearned, data.retain) > mean_logprob(learned, data.retain) - 0.3
