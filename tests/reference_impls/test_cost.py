"""Passes are counted by sequence, whoever calls the model."""

from __future__ import annotations

from torch import Tensor

from reference_impls.measuring.cost import count_passes
from reference_impls.toolkit import Batch, LanguageModel, Pair, Recipe, Run, UnlearningData


def test_a_forward_pass_is_one_sequence_and_a_backward_one_needs_gradients(
    fresh: LanguageModel, pairs: list[Pair]
) -> None:
    with count_passes(fresh.model) as passes:
        fresh.pair_logprobs(pairs[:5])
        assert (passes.forward, passes.backward) == (5, 0)
        (out,) = fresh.token_logits(fresh.encode(pairs[:3]))
        out.token_logprobs().sum().backward()
        assert (passes.forward, passes.backward) == (8, 3)
        with passes.paused():
            fresh.pair_logprobs(pairs)
        fresh.frozen().pair_logprobs(pairs[:2])  # copies count
        assert (passes.forward, passes.backward) == (10, 3)
    fresh.pair_logprobs(pairs)
    assert (passes.forward, passes.backward) == (10, 3)


def test_each_step_of_decoding_is_a_pass(fresh: LanguageModel, pairs: list[Pair]) -> None:
    with count_passes(fresh.model) as passes:
        fresh.generate([pairs[0].prompt], 3)
    assert 1 <= passes.forward <= 3
    assert passes.backward == 0


def test_training_counts_forget_and_retain_sequences_of_every_step(fresh: LanguageModel, data: UnlearningData) -> None:
    def loss(model: LanguageModel, batch: Batch) -> Tensor:
        forget, retain = model.token_logits(batch.forget, batch.retain)
        return forget.token_logprobs().mean() - retain.token_logprobs().mean()

    with count_passes(fresh.model) as passes:
        Run(Recipe(steps=4, batch_size=2)).minimize(loss, fresh, data)
    assert (passes.forward, passes.backward) == (4 * (2 + 2), 4 * (2 + 2))
