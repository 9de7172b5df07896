from __future__ import annotations

from typing import Any

import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import (
    FORGET_LOGITS,
    FORGET_REFERENCE,
    FORGET_TARGETS,
    RETAIN_LOGITS,
    RETAIN_REFERENCE,
    RETAIN_TARGETS,
    fingerprint,
    gradient_of,
    hooks,
    mean_logprob,
    softmax,
    token_logits,
)

from reference_impls.methods.modular.eul import EUL, LayeredModel, UnlearningLayer, eul_loss
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData


def _layers(layered: LayeredModel) -> list[UnlearningLayer]:
    return [layer for layer in layered.layers if isinstance(layer, UnlearningLayer)]


def _toy(keep: float, task: float, lm: float) -> float:
    return eul_loss(
        token_logits(FORGET_LOGITS, FORGET_TARGETS),
        token_logits(FORGET_REFERENCE, FORGET_TARGETS),
        token_logits(RETAIN_LOGITS, RETAIN_TARGETS),
        token_logits(RETAIN_REFERENCE, RETAIN_TARGETS),
        keep,
        task,
        lm,
    ).item()


def test_each_part_of_the_loss_on_the_toy_is_the_hand_computed_one() -> None:
    before, now = softmax(FORGET_REFERENCE), softmax(FORGET_LOGITS)
    forget_kl = float((before * (torch.tensor(before).log() - torch.tensor(now).log()).numpy()).sum(axis=1).mean())
    assert _toy(0, 0, 0) == pytest.approx(-forget_kl, abs=1e-6)
    assert _toy(1, 0, 0) + forget_kl == pytest.approx(0.098886, abs=1e-6)
    assert _toy(0, 1, 0) + forget_kl == pytest.approx(0.551445, abs=1e-6)
    assert _toy(0, 0, 1) + forget_kl == pytest.approx(-0.395495, abs=1e-6)
    assert _toy(0.5, 1, 0.5) == pytest.approx(0.049443 - forget_kl + 0.551445 - 0.197748, abs=1e-5)


def test_bare_is_without_the_layers_and_with_the_hooks_of_others(tiny: LanguageModel, data: UnlearningData) -> None:
    model = tiny.copy()
    asked: list[int] = []
    model.blocks[0].register_forward_hook(lambda module, given, out: asked.append(1))
    hooked = hooks(model.model)
    layered = LayeredModel(model, 4)
    with torch.no_grad():
        for layer in _layers(layered):
            layer.up.weight.fill_(1.0)
    bare = layered.bare()
    assert hooks(bare.model) == hooked
    asked.clear()
    assert mean_logprob(bare, data.forget) == mean_logprob(tiny, data.forget) != mean_logprob(layered, data.forget)
    assert asked


def test_a_layer_adds_what_its_bottleneck_makes_of_the_state() -> None:
    layer = UnlearningLayer(2, 1)
    state = torch.tensor([[1.0, 2.0], [-1.0, -2.0]])
    assert torch.equal(layer(state), state)
    layer.down.weight.data = torch.tensor([[0.5, 1.0]])
    layer.up.weight.data = torch.tensor([[2.0], [-1.0]])
    assert_allclose(layer(state).detach(), [[6.0, -0.5], [-1.0, -2.0]])  # 2.5 passes the ReLU, -2.5 does not


def test_at_the_start_the_divergences_pull_nowhere(tiny: LanguageModel, data: UnlearningData) -> None:
    model = tiny.copy()
    layered = LayeredModel(model, 4)
    outs = model.token_logits(model.encode(data.forget), model.encode(data.retain))
    befores = tiny.token_logits(tiny.encode(data.forget), tiny.encode(data.retain))
    value = eul_loss(outs[0], befores[0], outs[1], befores[1], 0.8, 0.0, 0.0)
    value.backward()
    assert value.item() == pytest.approx(0.0, abs=1e-6)
    for layer in _layers(layered):
        assert_allclose(gradient_of(layer.up.weight), 0, atol=1e-6)


def test_only_the_layers_learn_and_without_them_the_model_is_the_one_before(
    learned: LanguageModel, data: UnlearningData
) -> None:
    model = learned.copy()
    layered = EUL(width=8).unlearn(model, data, Run(Recipe(learning_rate=1e-3, steps=5)))
    assert len(layered.layers) == model.layers
    assert all(bool(layer.up.weight.any()) for layer in _layers(layered))
    assert fingerprint(model.model) == fingerprint(learned.model)
    asked = ([pair.prompt for pair in data.forget], [pair.answer for pair in data.forget])
    changed, start = layered.answer_logprobs(*asked), learned.answer_logprobs(*asked)
    assert not torch.allclose(changed[0], start[0])
    restored = layered.remove().answer_logprobs(*asked)
    assert all(torch.equal(one, other) for one, other in zip(restored, start, strict=True))


def test_the_divergence_is_from_the_model_before_and_not_from_itself(
    learned: LanguageModel, data: UnlearningData
) -> None:
    seen: list[float] = []

    class Watched(Run):
        def minimize(
            self, loss: Any, model: LanguageModel, data: UnlearningData, parameters: Any = None, *_: Any, **more: Any
        ) -> LanguageModel:
            batch = Batch(model.encode(data.forget), model.encode(data.retain), None)
            seen.append(loss(model, batch).item())
            parameters[1].data.normal_(generator=torch.Generator().manual_seed(0))
            seen.append(loss(model, batch).item())
            return model

    EUL(keep_weight=0.0, task_weight=0.0, lm_weight=0.0).unlearn(learned.copy(), data, Watched(Recipe()))
    assert seen[0] == pytest.approx(0.0, abs=1e-5)
    assert seen[1] < -1e-2


def test_the_forget_answers_go_and_the_retain_answers_stay(learned: LanguageModel, data: UnlearningData) -> None:
    layered = EUL().unlearn(learned.copy(), data, Run(Recipe(learning_rate=5e-3, steps=50, batch_size=8)))

    assert mean_logprob(layered, data.forget) < -1
    assert mean_logprob(layered, data.retain) > -0.5


def test_the_layers_are_what_is_kept_besides_the_weights(tiny: LanguageModel, data: UnlearningData) -> None:
    layered = EUL(width=2).unlearn(tiny.copy(), data, Run(Recipe(learning_rate=1e-3, steps=1)))
    assert layered.to_json() == {"width": 2}
    kept = layered.tensors()
    for place, layer in enumerate(_layers(layered)):
        assert torch.equal(kept[f"{place}.up.weight"], layer.up.weight.detach())
        assert torch.equal(kept[f"{place}.down.weight"], layer.down.weight.detach())
