"""Mixtures of experts: found in models of every family that has them, and read as the model reads them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from numpy.testing import assert_allclose
from torch.nn.functional import linear
from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock
from unlearning_toys import invented_pairs

from reference_impls.errors import UnsupportedModelError
from reference_impls.models.architectures import ALL, small_model
from reference_impls.toolkit import LanguageModel, mixtures, routed

MIXED = ("mixtral", "qwen2_moe", "qwen3_moe", "gpt_oss", "deepseek_v3", "llama4_text", "qwen3_next", "jamba")
"""Families whose blocks have experts, all or some of them."""


@pytest.mark.parametrize("family", [name for name in MIXED if name in ALL])
def test_every_family_of_experts_is_read(family: str, tiny: LanguageModel) -> None:
    model = small_model(family, tiny.tokenizer)
    found = mixtures(model.model)
    assert [one.layer for one in found] == sorted({one.layer for one in found})
    batch = model.encode(invented_pairs()[:2])
    with routed(found) as kept:
        model.token_logits(batch)
    for mixture, passes in zip(found, kept, strict=True):
        (scores,) = passes
        assert scores.shape == (batch.input_ids.numel(), len(mixture.experts))
        assert_allclose(scores.sum(dim=-1).detach(), 1, rtol=1e-5)
        assert ((mixture.sent(scores) > 0).sum(dim=-1) == mixture.active).all()
        assert 1 <= mixture.active <= len(mixture.experts)


@pytest.mark.parametrize("family", ["llama", "gpt2", "mamba"])
def test_a_model_without_experts_is_told_so_in_a_line(family: str, tiny: LanguageModel) -> None:
    with pytest.raises(UnsupportedModelError, match=r"^no block of \w+ sends tokens to a few of several experts$"):
        mixtures(small_model(family, tiny.tokenizer).model)


def test_an_experts_rows_are_its_own_and_no_others(tiny_experts: LanguageModel) -> None:
    for mixture in mixtures(tiny_experts.model):
        for weight in mixture.experts[0].weights:
            rows = [
                mask
                for expert in mixture.experts
                for own, mask in zip(expert.weights, expert.rows, strict=True)
                if own is weight
            ]
            assert torch.stack(rows).sum(dim=0).tolist() == [1] * len(weight)


def test_only_its_own_rows_decide_what_an_expert_does(tiny_experts: LanguageModel) -> None:
    """What a block gives to a token changes with the rows of the experts that it is sent to, and with no other's."""
    model = tiny_experts.copy()
    mixture, block = mixtures(model.model)[0], model.blocks[0].mlp
    assert isinstance(block, MixtralSparseMoeBlock)
    states = torch.randn(1, 9, model.width, generator=torch.Generator().manual_seed(0))
    sent = mixture.sent(mixture.scores(states[0])) > 0
    before = block(states)[0].detach()
    expert = mixture.experts[2]
    with torch.no_grad():
        for weight, rows in zip(expert.weights, expert.rows, strict=True):
            weight[rows] = 0
    changed = (block(states)[0] - before).abs().sum(dim=-1) > 1e-7
    assert changed.tolist() == sent[:, 2].tolist()
    assert 0 < int(changed.sum()) < 9


def test_the_scores_are_those_of_the_models_own_router(tiny_experts: LanguageModel) -> None:
    mixture = mixtures(tiny_experts.model)[1]
    states = torch.randn(5, tiny_experts.width)
    weight: Any = mixture.router.weight
    assert_allclose(mixture.scores(states).detach(), linear(states, weight).softmax(-1).detach(), rtol=1e-6)
    _, gates, chosen = mixture.router(states)  # Mixtral divides the scores of those chosen by their sum
    sent = mixture.sent(mixture.scores(states))
    assert_allclose((sent / sent.sum(-1, keepdim=True)).gather(-1, chosen).detach(), gates.detach(), rtol=1e-5)


def test_padding_changes_nothing_for_the_tokens_beside_it(tiny_experts: LanguageModel) -> None:
    found = mixtures(tiny_experts.model)
    pairs = invented_pairs()
    with routed(found) as together:
        batch = tiny_experts.encode([pairs[0], pairs[2]])
        tiny_experts.token_logits(batch)
    with routed(found) as alone:
        tiny_experts.token_logits(tiny_experts.encode([pairs[0]]))
    read = batch.attention_mask.bool()
    for (scores,), (single,) in zip(together, alone, strict=True):
        own = scores.unflatten(0, read.shape)[0][read[0]]
        assert_allclose(own.detach(), single.detach(), atol=1e-5)


def test_nothing_is_kept_afterwards(tiny_experts: LanguageModel) -> None:
    found = mixtures(tiny_experts.model)
    with routed(found) as kept:
        pass
    tiny_experts.token_logits(tiny_experts.encode(invented_pairs()[:1]))
    assert kept == [[] for _ in found]
