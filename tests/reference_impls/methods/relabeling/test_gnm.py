from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from unlearning_toys import (
    FORGET_LOGITS,
    FORGET_TARGETS,
    RETAIN_LOGITS,
    RETAIN_REFERENCE,
    RETAIN_TARGETS,
    SEASONS,
    mean_logprob,
    token_logits,
)

from reference_impls.methods.relabeling.gnm import GNM, chain
from reference_impls.toolkit import Batch, Encoded, LanguageModel, Recipe, Run, TokenLogits, UnlearningData


class _Told:
    """A model of which all is known that the loss asks for."""

    def __init__(self, *outs: TokenLogits) -> None:
        self.outs = outs

    def token_logits(self, *batches: object) -> tuple[TokenLogits, ...]:
        assert len(batches) == len(self.outs)
        return self.outs


@pytest.mark.parametrize(
    ("weights", "loss"),
    [
        ((1.0, 0.0, 0.0), -0.395495),
        ((0.0, 1.0, 0.0), 0.098886),
        ((0.0, 0.0, 1.0), 0.551445),
        ((0.5, 5.0, 0.04), 0.318741),
    ],
)
def test_loss_on_the_toy_is_the_hand_computed_one(weights: tuple[float, float, float], loss: float) -> None:
    retain, before = (token_logits(rows, RETAIN_TARGETS) for rows in (RETAIN_LOGITS, RETAIN_REFERENCE))
    # The retain token stands for the negative, too.
    model = _Told(token_logits(FORGET_LOGITS, FORGET_TARGETS), retain, retain)
    batch = Batch(None, None, _Told(before))  # type: ignore[arg-type]
    method = GNM(forget_weight=weights[0], retain_weight=weights[1], negative_weight=weights[2])
    assert method.loss(model, batch, None).item() == pytest.approx(loss, abs=1e-5)  # type: ignore[arg-type]


def _with_lies(data: UnlearningData) -> UnlearningData:
    """Each forget pair with the other three seasons for alternates."""
    told = [
        replace(
            pair,
            alternates=tuple(pair.answer.replace(SEASONS[row], one) for one in SEASONS if one != SEASONS[row]),
        )
        for row, pair in enumerate(data.forget)
    ]
    return replace(data, forget=tuple(told))


def test_a_chain_goes_from_the_likeliest_to_the_most_far_fetched(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    pair = _with_lies(data).forget[0]
    found = chain(memorized, pair, pair.alternates)
    values = [mean_logprob(memorized, [replace(pair, answer=answer)]) for answer in found]
    assert sorted(found) == sorted(pair.alternates)
    assert values == sorted(values, reverse=True)


def _seen(method: GNM, model: LanguageModel, data: UnlearningData, steps: int) -> list[list[str]]:
    """For each step, the answers that the negatives of the batch have, by row."""
    seen: list[list[str]] = []

    class Watched(GNM):
        def loss(self, model: LanguageModel, batch: Batch, negatives: Encoded) -> torch.Tensor:
            texts = model.tokenizer.batch_decode(negatives.input_ids, skip_special_tokens=True)
            rows = batch.forget.rows.tolist()
            by_row = {row: text.removeprefix(data.forget[row].prompt) for row, text in zip(rows, texts, strict=True)}
            seen.append([by_row[row] for row in sorted(rows)])
            return super().loss(model, batch, negatives)

    Watched(**vars(method)).unlearn(model, data, Run(Recipe(learning_rate=1e-4, steps=steps, batch_size=3)))
    return seen


def test_the_chain_is_gone_through_step_by_step(tiny: LanguageModel, data: UnlearningData) -> None:
    told = _with_lies(data)
    chains = [chain(tiny, pair, pair.alternates) for pair in told.forget]
    seen = _seen(GNM(negatives=3), tiny.copy(), told, 6)
    assert seen == [[one[place] for one in chains] for place in (0, 0, 1, 1, 2, 2)]


def test_what_is_taught_is_never_the_true_answer(tiny: LanguageModel, data: UnlearningData) -> None:
    seen = _seen(GNM(negatives=4, order="shuffled"), tiny.copy(), data, 4)  # without alternates: other answers, renamed
    right = [pair.answer for pair in data.forget]
    assert all(one != true for step in seen for one, true in zip(step, right, strict=True))
    assert len({tuple(step) for step in seen}) > 1


def test_it_says_something_else_and_not_just_anything(memorized: LanguageModel, data: UnlearningData) -> None:
    told = _with_lies(data)
    recipe = Recipe(learning_rate=5e-4, steps=18, batch_size=3)
    with_chain, without = (
        GNM(negatives=3, negative_weight=weight).unlearn(memorized.copy(), told, Run(recipe)) for weight in (0.5, 0.0)
    )
    lies = [replace(pair, answer=lie) for pair in told.forget for lie in pair.alternates]
    assert mean_logprob(with_chain, data.forget) < mean_logprob(memorized, data.forget) - 0.5
    assert mean_logprob(with_chain, lies) > mean_logprob(with_chain, data.forget) + 0.2
    assert mean_logprob(without, lies) < mean_logprob(with_chain, lies) - 1
    assert mean_logprob(with_chain, data.retain) > mean_logprob(memorized, data.retain) - 0.1
