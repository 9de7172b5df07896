from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from unlearning_toys import mean_logprob, token_logits

from reference_impls.methods.gradient_ascent.sugd import SUGD, sugd_loss
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData


def test_the_loss_is_the_mean_of_the_examples_by_their_factors() -> None:
    """Losses .2 (to forget), 1 and 2 (to keep) with the factors -1, .5, .5: 1.3 / 3."""

    def row(loss: float) -> list[float]:  # of two tokens, the first of which has this loss
        return [0.0, float(torch.tensor(loss).exp().sub(1).log())]

    forget = token_logits([row(0.2)], [0])
    retain = token_logits([row(1.0), row(2.0)], [0, 0], [0, 1])
    assert sugd_loss(forget, retain, ratio=2, retain_weight=0.5).item() == pytest.approx(0.433333, abs=1e-6)


def test_every_chunk_is_kept_by_others_and_each_is_used_before_any_is_used_twice(
    tiny: LanguageModel, data: UnlearningData, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, list[Any]]] = []

    def noted(self: SUGD, model: Any, forget: Sequence[Any], kept: Sequence[Any], run: Run) -> None:
        seen.append((len(forget), [data.retain.index(pair) for pair in kept]))
        assert run.recipe.steps == 4

    monkeypatch.setattr(SUGD, "_train", noted)
    SUGD(chunk=2, ratio=3).unlearn(tiny.copy(), data, Run(Recipe(steps=7)))
    assert seen == [(2, [0, 1, 2, 3, 4, 0]), (1, [1, 2, 3])]


def test_the_retain_examples_of_a_forget_example_come_with_it(
    tiny: LanguageModel, data: UnlearningData, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode, encoded = LanguageModel.encode, list[list[str]]()

    def listed(self: LanguageModel, pairs: Sequence[Any], *rows: Any) -> Any:
        encoded.append([pair.prompt for pair in pairs])
        return encode(self, pairs, *rows)

    monkeypatch.setattr(LanguageModel, "encode", listed)
    SUGD(chunk=3, ratio=1).unlearn(tiny.copy(), data, Run(Recipe(steps=2, batch_size=2)))
    own = dict(zip((pair.prompt for pair in data.forget), (pair.prompt for pair in data.retain), strict=False))
    assert encoded
    for forget, kept in zip(encoded[::2], encoded[1::2], strict=True):
        assert kept == [own[prompt] for prompt in forget]


def test_what_is_to_go_goes_and_the_rest_stays(memorized: LanguageModel, data: UnlearningData) -> None:
    method = SUGD(chunk=2, ratio=2, retain_weight=1.0)
    after = method.unlearn(memorized.copy(), data, Run(Recipe(learning_rate=1e-3, steps=12, batch_size=2)))
    lost = [mean_logprob(memorized, pairs) - mean_logprob(after, pairs) for pairs in (data.forget, data.retain)]
    assert lost[0] > 0.3
    assert lost[0] > 3 * lost[1]
