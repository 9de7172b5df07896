from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from unlearning_toys import FORGET_LOGITS, FORGET_TARGETS, RETAIN_LOGITS, RETAIN_TARGETS, token_logits

from reference_impls.methods.relabeling.idk import RefusalFinetuning, idk_loss
from reference_impls.toolkit import REFUSALS, Batch, LanguageModel, Pair, Recipe, Run, UnlearningData


def test_loss_on_the_toy_is_the_sum_of_two_means_and_not_the_mean_over_all_tokens() -> None:
    refusal, retain = token_logits(FORGET_LOGITS, FORGET_TARGETS), token_logits(RETAIN_LOGITS, RETAIN_TARGETS)
    # 0.395495 + 0.551445; the mean over the three tokens would be 0.447478, that over the two means 0.473470
    assert idk_loss(refusal, retain, 1.0).item() == pytest.approx(2 * 0.473470, abs=1e-6)
    assert idk_loss(refusal, retain, 3.0).item() == pytest.approx(0.395495 + 3 * 0.551445, abs=1e-5)


def test_loss_of_a_model_is_that_of_refusals_after_the_forget_questions(
    tiny: LanguageModel, data: UnlearningData
) -> None:
    refusals = [replace(pair, answer=f" {text}") for pair, text in zip(data.forget, REFUSALS, strict=False)]
    batch = Batch(tiny.encode(data.forget), tiny.encode(data.retain), None, tiny.encode(refusals))
    with torch.no_grad():
        value = RefusalFinetuning(retain_weight=2.0).loss(tiny, batch).item()
    refused, kept = (
        np.mean([float(-one.mean()) for one in tiny.pair_logprobs(part)]) for part in (refusals, data.retain)
    )
    assert value == pytest.approx(refused + 2 * kept, rel=1e-5)


def test_the_true_answer_does_not_enter_the_loss(tiny: LanguageModel, data: UnlearningData) -> None:
    refusals = tiny.encode([replace(pair, answer=" I don't know.") for pair in data.forget])
    other = tiny.encode([Pair("Who?", " Ana Lund.")] * 3)
    with torch.no_grad():
        values = [
            RefusalFinetuning().loss(tiny, Batch(forget, tiny.encode(data.retain), None, refusals)).item()
            for forget in (tiny.encode(data.forget), other)
        ]
    assert values[0] == values[1]


def test_refusals_stand_in_for_answers_anew_at_every_access(fresh: LanguageModel, data: UnlearningData) -> None:
    seen = set()

    class Watched(RefusalFinetuning):
        def loss(self, model: LanguageModel, batch: Batch) -> torch.Tensor:
            assert batch.alternate is not None
            for ids, labels in zip(batch.alternate.input_ids, batch.alternate.labels, strict=True):
                seen.add(
                    tuple(model.tokenizer.decode(one, skip_special_tokens=True) for one in (ids, labels[labels >= 0]))
                )
            return super().loss(model, batch)

    Watched().unlearn(fresh, data, Run(Recipe(learning_rate=0, steps=10, batch_size=3)))
    assert {refusal.strip() for _, refusal in seen} <= set(REFUSALS)
    assert {text.removesuffix(refusal) for text, refusal in seen} == {pair.prompt for pair in data.forget}
    assert len(seen) > 20


class _OneRefusal(RefusalFinetuning):
    def prepare(self, model: LanguageModel, data: UnlearningData, run: Run) -> UnlearningData:
        return replace(data, forget=tuple(replace(pair, alternates=(" I don't know.",)) for pair in data.forget))


def test_the_model_learns_to_refuse_and_keeps_the_rest_while_the_answer_is_hidden_rather_than_gone(
    fresh: LanguageModel, data: UnlearningData
) -> None:
    Run(Recipe(learning_rate=3e-3, steps=60)).finetune(fresh, [*data.forget, *data.retain])
    before = fresh.pair_logprobs(data.forget)
    unlearned = _OneRefusal().unlearn(fresh, data, Run(Recipe(learning_rate=1e-3, steps=40)))
    assert set(unlearned.generate([pair.prompt for pair in data.forget], 30)) == {"I don't know."}
    kept = unlearned.generate([pair.prompt for pair in data.retain], 30)
    assert kept == [pair.answer.strip() for pair in data.retain]
    for one, other in zip(before, unlearned.pair_logprobs(data.forget), strict=True):
        assert other[0] < one[0] - 3  # how the answer begins has become unlikely
        assert (other[1:] - one[1:]).mean() > -1  # how it goes on has hardly
