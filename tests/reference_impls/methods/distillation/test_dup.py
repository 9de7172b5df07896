from __future__ import annotations

import pytest
import torch
from unlearning_toys import mean_logprob

from reference_impls.methods.distillation.dup import DUP
from reference_impls.toolkit import (
    Batch,
    Gradient,
    LanguageModel,
    Recipe,
    Run,
    UnlearningData,
    mean_nll,
)


def batch_of(model: LanguageModel, data: UnlearningData, teacher: LanguageModel) -> Batch:
    return Batch(model.encode(data.forget), model.encode(data.retain), teacher)


def test_the_loss_is_the_retain_loss_less_the_divergence_that_numpy_would_give(
    tiny: LanguageModel, memorized: LanguageModel, data: UnlearningData
) -> None:
    batch = batch_of(tiny, data, memorized.frozen())
    with torch.no_grad():
        value = DUP(retain_weight=2.0, forget_weight=3.0).loss(tiny, batch).item()
        teacher, student = (one.token_logits(batch.forget)[0] for one in (memorized, tiny))
        p, q = (out.logits.double().softmax(dim=1).numpy() for out in (teacher, student))
        places = (p * (torch.from_numpy(p / q).log().numpy())).sum(axis=1)
        apart = sum(places[teacher.sequence.numpy() == row].mean() for row in range(3)) / 3
        kept = mean_nll(*tiny.token_logits(batch.retain)).item()
    assert value == pytest.approx(2 * kept - 3 * apart, rel=1e-4)


def test_at_the_teacher_nothing_but_the_retain_loss_moves_it(memorized: LanguageModel, data: UnlearningData) -> None:
    batch = batch_of(memorized, data, memorized.frozen())
    alone = Gradient.of(DUP(retain_weight=0.0).loss(memorized, batch), memorized)
    both = Gradient.of(DUP().loss(memorized, batch), memorized)
    retaining = Gradient.of(mean_nll(*memorized.token_logits(batch.retain)), memorized)
    assert alone.norm() < 1e-4
    assert (both - retaining).norm() < 1e-3 * retaining.norm()


def test_it_leaves_what_it_said_and_keeps_the_rest(memorized: LanguageModel, data: UnlearningData) -> None:
    forget, retain = mean_logprob(memorized, data.forget), mean_logprob(memorized, data.retain)
    unlearned = DUP(retain_weight=5.0).unlearn(
        memorized.copy(), data, Run(Recipe(learning_rate=3e-3, steps=20, batch_size=3))
    )
    lost, cost = forget - mean_logprob(unlearned, data.forget), retain - mean_logprob(unlearned, data.retain)
    assert lost > 1
    assert cost < lost / 10
