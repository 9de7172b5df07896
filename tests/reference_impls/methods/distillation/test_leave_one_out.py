from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import answer_probabilities, fingerprint, mean_logprob, softmax, token_logits

from reference_impls.errors import UsageError
from reference_impls.methods.distillation.leave_one_out import LeaveOneOut, left_out
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData, mean_kl, place_of

VOTES = torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.5, 0.3], [0.4, 0.2, 0.4]])


def test_the_others_vote_and_the_divergence_is_the_hand_computed_one() -> None:
    logits = [(votes + 1e-9).log()[None] + shift for shift, votes in enumerate(VOTES)]
    targets = [left_out(logits, torch.tensor([own]))[0].exp() for own in range(3)]
    assert_allclose(targets[0], [0.3, 0.35, 0.35], atol=1e-6)
    assert_allclose(targets[2], [0.55, 0.3, 0.15], atol=1e-6)
    # .3 ln(.3/.8) + .35 ln(.35/.15) + .35 ln(.35/.05)
    model = token_logits(np.log([[0.8, 0.15, 0.05]]).tolist(), [1])
    target = token_logits(left_out(logits, torch.tensor([0])).tolist(), [1])
    assert mean_kl(target, model).item() == pytest.approx(0.683374, abs=1e-5)


@given(st.integers(2, 4), st.integers(0, 3), st.lists(st.floats(-5, 5), min_size=24, max_size=24))
def test_who_is_left_out_changes_nothing(teachers: int, own: int, values: list[float]) -> None:
    logits = torch.tensor(values, dtype=torch.float64).reshape(4, 2, 3)[:teachers]
    own %= teachers
    one = left_out(list(logits), torch.tensor([own, own]))
    logits[own] = torch.tensor([9.0, -9.0, 0.0])
    assert torch.equal(one, left_out(list(logits), torch.tensor([own, own])))
    others = np.delete(logits.numpy(), own, axis=0)
    assert_allclose(one.exp(), softmax(others).mean(axis=0), atol=1e-9)


def test_each_sequence_leaves_out_the_teacher_that_has_read_it(tiny: LanguageModel, data: UnlearningData) -> None:
    torch.manual_seed(0)
    teachers = [tiny, tiny.copy()]
    with torch.no_grad():
        teachers[1].model.model.norm.weight.mul_(3)
    batch = Batch(tiny.encode(data.forget, [0, 1, 2]), tiny.encode(data.retain), None)
    target = LeaveOneOut.target(teachers, batch, torch.tensor([1, 0, 1]))
    told = [teacher.token_logits(batch.forget)[0].logits.log_softmax(dim=1) for teacher in teachers]
    for sequence, voter in enumerate((0, 1, 0)):
        rows = target.sequence == sequence
        assert_allclose(target.logits[rows].detach(), told[voter][rows].detach(), atol=1e-5)


def test_a_teacher_has_read_its_part_and_no_other(tiny: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=3e-3, steps=24, batch_size=8)
    run = Run(recipe, earlier=tiny.copy)
    teachers = LeaveOneOut(shards=2).teachers(tiny.copy(), data, run)
    pairs = [*data.forget, *data.retain]
    again = LeaveOneOut(shards=2).teachers(
        tiny.copy(), replace(data, forget=data.forget[1:]), Run(recipe, earlier=tiny.copy)
    )
    own, _ = place_of(data.forget[0], 2)
    same = [fingerprint(one.model) == fingerprint(other.model) for one, other in zip(teachers, again, strict=True)]
    assert same == [number != own for number in range(2)]
    for number, teacher in enumerate(teachers):
        read, other = ([pair for pair in pairs if (place_of(pair, 2)[0] == number) == mine] for mine in (True, False))
        assert mean_logprob(teacher, read) > mean_logprob(teacher, other) + 0.1


def test_forgotten_answers_end_where_the_others_are_and_the_rest_stays(
    memorized: LanguageModel, tiny: LanguageModel, data: UnlearningData
) -> None:
    run = Run(Recipe(learning_rate=1e-3, steps=24, batch_size=8), earlier=tiny.copy)
    method = LeaveOneOut(shards=2, teacher_rate=2.0)
    before, kept = (answer_probabilities(memorized, pairs).mean() for pairs in (data.forget, data.retain))
    unlearned = method.unlearn(memorized.copy(), data, run)
    assert answer_probabilities(unlearned, data.forget).mean() < before - 0.1
    assert answer_probabilities(unlearned, data.retain).mean() > kept - 0.05


def test_it_needs_what_the_model_started_from(tiny: LanguageModel, data: UnlearningData) -> None:
    with pytest.raises(UsageError, match="--earlier"):
        LeaveOneOut().unlearn(tiny.copy(), data, Run(Recipe(steps=1)))
