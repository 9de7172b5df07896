"""Passes are counted by sequence, whoever calls the model."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import pytest
import torch
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


# Walks back: 3 sequences to forget, 2 to keep


def inner(model: LanguageModel, pairs: list[Pair], depth: float = 0.0) -> Tensor:
    """A loss that stops inside the model."""
    return model.activations(model.encode(pairs), depth).square().mean()


def outer(model: LanguageModel, pairs: list[Pair]) -> Tensor:
    """A loss of what the model says."""
    (out,) = model.token_logits(model.encode(pairs))
    return out.token_logprobs().mean()


def both_of_one_call(model: LanguageModel, pairs: list[Pair]) -> Tensor:
    """A loss of the answers and of states on the way to them."""
    kept = []
    handle = model.blocks[0].register_forward_hook(lambda module, given, out: kept.append(out))
    try:
        loss: Tensor = outer(model, pairs) + kept[0].square().mean()
        return loss
    finally:
        handle.remove()


def twice(model: LanguageModel, forget: list[Pair], retain: list[Pair]) -> Tensor:
    """A loss whose graph is walked once before it is returned."""
    loss = outer(model, forget)
    loss.backward(retain_graph=True)
    return loss


@pytest.mark.parametrize("checkpointed", [False, True])
@pytest.mark.parametrize(
    ("loss", "forward", "backward"),
    [
        (lambda model, forget, retain: outer(model, forget), 3, 3),
        (lambda model, forget, retain: inner(model, forget), 3, 3),
        (lambda model, forget, retain: inner(model, forget) + outer(model, retain), 5, 5),
        (lambda model, forget, retain: inner(model, forget) + inner(model, forget, 1.0), 6, 6),
        (lambda model, forget, retain: both_of_one_call(model, forget), 3, 3),
        (lambda model, forget, retain: outer(model, forget) + inner(model, retain).detach(), 5, 3),
        (lambda model, forget, retain: outer(model, forget + retain) - outer(model, forget), 8, 8),
        (twice, 3, 6),
    ],
    ids=["output", "states", "both", "two depths", "both of one call", "detached", "two forward, one back", "twice"],
)
def test_a_sequence_is_counted_once_for_each_walk_through_any_part_of_its_graph(
    loss: Callable[..., Tensor],
    forward: int,
    backward: int,
    checkpointed: bool,
    fresh: LanguageModel,
    pairs: list[Pair],
) -> None:
    fresh.model.train()
    with fresh.recomputing() if checkpointed else nullcontext(), count_passes(fresh.model) as passes:
        loss(fresh, pairs[:3], pairs[3:5]).backward()
    assert (passes.forward, passes.backward) == (forward, backward)
    assert any(bool(weight.grad.any()) for weight in fresh.model.parameters() if weight.grad is not None)


def test_what_trains_in_one_late_block_alone_is_walked_as_well(fresh: LanguageModel, pairs: list[Pair]) -> None:
    fresh.model.requires_grad_(False)
    fresh.blocks[-1].requires_grad_(True)
    with count_passes(fresh.model) as passes:
        inner(fresh, pairs[:3], 1.0).backward()
        torch.autograd.grad(inner(fresh, pairs[:2], 1.0), [next(fresh.blocks[-1].parameters())])
        assert not inner(fresh, pairs[:4], 0.0).requires_grad
    assert (passes.forward, passes.backward) == (9, 5)


def test_a_call_that_fails_is_none_and_leaves_the_next_ones_as_they_were(
    fresh: LanguageModel, pairs: list[Pair]
) -> None:
    def fail(module: torch.nn.Module, given: object) -> None:
        raise ZeroDivisionError

    with count_passes(fresh.model) as passes:
        handle = fresh.blocks[1].register_forward_pre_hook(fail)
        with pytest.raises(ZeroDivisionError):
            outer(fresh, pairs[:3])
        handle.remove()
        outer(fresh, pairs[:2]).backward()
    assert (passes.forward, passes.backward) == (2, 2)
