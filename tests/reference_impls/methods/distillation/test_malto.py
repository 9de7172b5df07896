from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, mean_logprob, softmax

from reference_impls.methods.distillation.malto import MALTO, drawn_anew
from reference_impls.toolkit import Batch, Encoded, LanguageModel, Recipe, Run, TokenLogits, UnlearningData, UsageError


class _Fixed(LanguageModel):
    """Says the same distribution at every place."""

    def __init__(self, model: LanguageModel, probabilities: list[float]) -> None:
        super().__init__(model.model, model.tokenizer)
        self.row = torch.tensor(probabilities).log()

    def token_logits(self, *batches: Encoded) -> tuple[TokenLogits, ...]:
        outs = super().token_logits(*batches)
        return tuple(one.with_logits(self.row.expand(len(one.targets), -1)) for one in outs)


@pytest.mark.parametrize(
    ("known", "weights", "value"),
    [
        (None, (0.0, 1.0), 0.324287),  # from the uniform distribution to .7, .2, .1
        ([0.6, 0.3, 0.1], (1.0, 0.0), 0.029149),
        ([0.6, 0.3, 0.1], (0.5, 0.5), 0.176718),
    ],
)
def test_the_loss_is_the_hand_computed_one(
    tiny: LanguageModel,
    data: UnlearningData,
    known: list[float] | None,
    weights: tuple[float, float],
    value: float,
) -> None:
    p = [0.7, 0.2, 0.1]
    batch = Batch(tiny.encode(data.forget), tiny.encode(data.retain), _Fixed(tiny, known or p))
    method = MALTO(retain_weight=max(weights[0], 1e-9), forget_weight=weights[1])
    assert method.loss(_Fixed(tiny, p), batch, _Fixed(tiny, [1 / 3] * 3)).item() == pytest.approx(value, abs=1e-5)
    constant = weights[1] * np.log(3)  # without a teacher it is the cross-entropy, not the divergence
    assert method.loss(_Fixed(tiny, p), batch, None).item() == pytest.approx(value + constant, abs=1e-5)


def test_the_gradient_at_the_logits_leads_to_the_teacher(tiny: LanguageModel, data: UnlearningData) -> None:
    student, teacher = _Fixed(tiny, [0.7, 0.2, 0.1]), _Fixed(tiny, [0.2, 0.5, 0.3])
    student.row.requires_grad_(True)
    batch = Batch(tiny.encode(data.forget), Encoded.empty(tiny.device), teacher)
    MALTO(forget_weight=2.0).loss(student, batch, teacher).backward()
    assert student.row.grad is not None
    assert_allclose(student.row.grad, 2 * (softmax(np.log([0.7, 0.2, 0.1])) - [0.2, 0.5, 0.3]), atol=1e-5)


def test_who_is_drawn_anew_knows_nothing_of_what_the_model_knew(memorized: LanguageModel, data: UnlearningData) -> None:
    before = fingerprint(memorized.model)
    twin = drawn_anew(memorized)
    assert fingerprint(memorized.model) == before
    vocabulary = len(memorized.model.get_output_embeddings().weight)
    for pairs in (data.forget, data.retain):
        assert mean_logprob(twin, pairs) == pytest.approx(-np.log(vocabulary), abs=0.5)
    assert not any(weight.requires_grad for weight in twin.model.parameters())


def test_without_an_earlier_model_it_asks_for_one(tiny: LanguageModel, data: UnlearningData) -> None:
    with pytest.raises(UsageError, match="--earlier"):
        MALTO(incompetent="earlier").unlearn(tiny.copy(), data, Run(Recipe(steps=1)))


def test_what_is_to_go_goes_and_an_earlier_model_leaves_language(
    tiny: LanguageModel, memorized: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=1e-3, steps=15, batch_size=3)
    for incompetent in ("random", "uniform"):
        after = MALTO(incompetent=incompetent).unlearn(memorized.copy(), data, Run(recipe))
        assert mean_logprob(after, data.forget) < mean_logprob(memorized, data.forget) - 1
        assert mean_logprob(after, data.retain) > mean_logprob(memorized, data.retain) - 0.6
    # Somebody who answers as these questions are answered, and knows nothing of who is asked about.
    earlier = Run(Recipe(learning_rate=2e-3, steps=20, batch_size=5)).finetune(tiny.copy(), data.retain)
    guided = MALTO(incompetent="earlier").unlearn(memorized.copy(), data, Run(recipe, earlier=earlier.copy))
    assert mean_logprob(guided, data.forget) > mean_logprob(after, data.forget) + 0.3
