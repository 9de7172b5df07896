from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import gradient_of

from reference_impls.methods.representation.rmu import RMU
from reference_impls.toolkit import (
    IGNORE,
    Encoded,
    LanguageModel,
    Recipe,
    Run,
    UnlearningData,
    misdirection_loss,
    random_direction,
)


def _batch(*lengths: int) -> Encoded:
    """Texts with so many supervised tokens each, all to predict but the first."""
    labels = torch.full((len(lengths), max(lengths) + 1), IGNORE)
    for row, length in enumerate(lengths):
        labels[row, 1 : length + 1] = 1
    ids = torch.zeros_like(labels)
    return Encoded(ids, torch.ones_like(ids), labels, torch.arange(len(lengths)))


def test_loss_is_the_mean_squared_distance_over_tokens_summed_over_entries() -> None:
    states, target = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([1.0, 0.0])
    assert misdirection_loss(states, target, _batch(2)).item() == pytest.approx((4 + 1) / 2)
    assert misdirection_loss(states, states, _batch(2)).item() == 0.0


def test_every_text_counts_alike_however_long() -> None:
    states, target = torch.tensor([[1.0, 2.0], [0.0, 0.0], [1.0, 0.0], [3.0, 1.0]]), torch.tensor([1.0, 0.0])
    # Squared distances 4, 1, 0 of the first text's tokens and 5 of the second's.
    assert misdirection_loss(states, target, _batch(3, 1)).item() == pytest.approx((5 / 3 + 5) / 2)


def test_the_squared_length_of_the_specification() -> None:
    states, target = torch.tensor([[1.0, 2.0, 3.0, 4.0]]), 2 * torch.full((4,), 0.5)
    assert misdirection_loss(states, target, _batch(1)).item() == pytest.approx(14.0)


def test_gradient_is_twice_the_distance_over_the_number_of_tokens() -> None:
    states = torch.tensor([[1.0, 2.0], [0.0, 0.0]], requires_grad=True)
    misdirection_loss(states, torch.tensor([1.0, 0.0]), _batch(2)).backward()
    assert_allclose(gradient_of(states), [[0.0, 2.0], [-1.0, 0.0]])


def test_direction_is_a_unit_vector_of_positive_entries_that_the_seed_decides() -> None:
    one, same, other = random_direction(4096, 1), random_direction(4096, 1), random_direction(4096, 2)
    assert one.norm().item() == pytest.approx(1.0, abs=1e-5)
    assert bool((one >= 0).all())
    assert torch.equal(one, same)
    assert float(one @ other) == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize(("depth", "layers"), [(0.0, {0}), (0.34, {0, 1}), (1.0, {1, 2, 3})])
def test_only_the_down_projections_up_to_the_layer_change(
    depth: float, layers: set[int], tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData
) -> None:
    RMU(depth=depth).unlearn(fresh, data, Run(Recipe(learning_rate=1e-3, steps=2, warmup=0)))
    changed = {
        name
        for (name, before), after in zip(tiny.model.named_parameters(), fresh.model.parameters(), strict=True)
        if not torch.equal(before, after)
    }
    assert changed == {f"model.layers.{layer}.mlp.down_proj.weight" for layer in layers}


def test_forget_states_move_to_the_direction_and_retain_states_stay(
    tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData
) -> None:
    method = RMU(depth=0.34, steering=3.0, retain_weight=5.0)
    target = 3.0 * random_direction(128, 0)
    RMU.unlearn(method, fresh, data, Run(Recipe(learning_rate=2e-3, steps=40), seed=0))

    def states(model: LanguageModel, forget: bool) -> torch.Tensor:
        return model.activations(model.encode(data.forget if forget else data.retain), 0.34).detach()

    forget, retain = tiny.encode(data.forget), tiny.encode(data.retain)
    before, after = (misdirection_loss(states(model, True), target, forget).item() for model in (tiny, fresh))
    assert after < 0.5 * before
    moved = misdirection_loss(states(fresh, False), states(tiny, False), retain).item()
    assert moved < misdirection_loss(states(fresh, True), states(tiny, True), forget).item()


def test_at_the_start_the_retain_loss_is_zero(tiny: LanguageModel, data: UnlearningData) -> None:
    batch = tiny.encode(data.retain)
    with torch.no_grad():
        now, before = (model.activations(batch, 0.34) for model in (tiny, tiny.frozen()))
        assert misdirection_loss(now, before, batch).item() == 0.0


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("gpt2", "transformer.h.1.mlp.c_proj.weight"),
        ("opt", "model.decoder.layers.1.fc2.weight"),
        ("gpt_neox", "gpt_neox.layers.1.mlp.dense_4h_to_h.weight"),
        ("qwen2", "model.layers.1.mlp.down_proj.weight"),
    ],
)
def test_the_mlp_output_of_a_layer_is_found_whatever_it_is_called(family: str, name: str, tiny: LanguageModel) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    layers = 12  # so that layer 1 must not be taken for layer 11
    sizes = (
        {"n_embd": 8, "n_layer": layers, "n_head": 2}
        if family == "gpt2"
        else {"hidden_size": 8, "num_hidden_layers": layers, "num_attention_heads": 2, "intermediate_size": 8}
    )
    if family == "opt":
        sizes |= {"ffn_dim": 8, "word_embed_proj_dim": 8}
    if family == "qwen2":
        sizes |= {"num_key_value_heads": 2}
    config = AutoConfig.for_model(family, vocab_size=len(tiny.tokenizer), pad_token_id=1, **sizes)
    model = LanguageModel(AutoModelForCausalLM.from_config(config), tiny.tokenizer)
    names = {id(weight): one for one, weight in model.model.named_parameters()}
    assert [names[id(weight)] for weight in model.down_projections([1])] == [name]
    assert len(model.down_projections(range(layers))) == layers


def test_an_unknown_architecture_is_an_error_that_names_it(tiny: LanguageModel) -> None:
    model = replace(tiny, model=tiny.copy().model)
    for block in model.model.model.layers:
        block.mlp.out = block.mlp.down_proj
        del block.mlp.down_proj
    with pytest.raises(ValueError, match="LlamaForCausalLM"):
        model.down_projections([0])


def test_the_loss_of_a_model_is_bounded_below_by_zero() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        states, target = (torch.tensor(rng.normal(size=(3, 4))) for _ in range(2))
        assert misdirection_loss(states, target, _batch(1, 2)).item() >= 0
