from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from unlearning_toys import gradient_of, mean_logprob, softmax

from reference_impls.methods.gradient_ascent.agad import AGAD, ascent
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData


@pytest.mark.parametrize(
    ("chunk", "interleaving", "expected"),
    [
        (1, 1.0, [(True, 1), (False, 2), (True, 1), (False, 2), (True, 1), (False, 2), (False, 5)]),
        (1, 0.4, [(True, 1), (True, 1), (True, 1), (False, 2), (False, 5)]),  # 1 / .4 = 2.5: after the third
        (1, 0.0, [(True, 1), (True, 1), (True, 1), (False, 5)]),
        (2, 1.0, [(True, 2), (False, 2), (True, 1), (False, 5)]),  # none after the rest but the last
        (9, 1.0, [(True, 3), (False, 5)]),
    ],
)
def test_phases_take_turns_as_asked(
    data: UnlearningData, chunk: int, interleaving: float, expected: list[tuple[bool, int]]
) -> None:
    plan = AGAD(chunk=chunk, interleaving=interleaving, part=0.4).phases(data, Run(Recipe()))
    assert [(forgets, len(pairs)) for forgets, pairs in plan] == expected
    assert [pair for forgets, pairs in plan if forgets for pair in pairs] == list(data.forget)
    assert all(pair in data.retain for forgets, pairs in plan if not forgets for pair in pairs)


def test_steps_are_shared_out_by_what_phases_look_at(
    tiny: LanguageModel, data: UnlearningData, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int]] = []
    monkeypatch.setattr(Run, "minimize", lambda self, *_, **__: seen.append(("ascent", self.recipe.steps)))
    monkeypatch.setattr(Run, "finetune", lambda self, *_, **__: seen.append(("descent", self.recipe.steps)))
    AGAD(chunk=2, part=0.4, annealing=0.7).unlearn(tiny.copy(), data, Run(Recipe(steps=30)))
    # 9 steps over 2 and 1, 21 over 2 and 5.
    assert seen == [("ascent", 6), ("descent", 6), ("ascent", 3), ("descent", 15)]


def test_ascent_goes_up_on_each_answer_alike(tiny: LanguageModel, data: UnlearningData) -> None:
    batch = Batch(tiny.encode(data.forget), tiny.encode(data.retain), None)
    (out,) = tiny.token_logits(batch.forget)
    logits = out.logits.detach().requires_grad_(True)

    class Fixed:
        def token_logits(self, *_: Any) -> Sequence[Any]:
            return (out.with_logits(logits),)

    model: Any = Fixed()
    ascent(model, batch).backward()
    counts = np.bincount(out.sequence.numpy())[out.sequence.numpy()]
    onehot = np.eye(logits.shape[1])[out.targets.numpy()]
    expected = (onehot - softmax(logits.detach().numpy())) / counts[:, None] / len(batch.forget)
    assert_allclose(gradient_of(logits), expected, atol=1e-6)


def test_annealing_brings_back_what_is_kept_and_not_what_went(memorized: LanguageModel, data: UnlearningData) -> None:
    lost = []
    for annealing in (0.05, 0.6):
        recipe = Recipe(learning_rate=3e-3, steps=20, batch_size=3)
        after = AGAD(chunk=3, interleaving=0.0, annealing=annealing).unlearn(memorized.copy(), data, Run(recipe))
        lost.append(
            [mean_logprob(memorized, pairs) - mean_logprob(after, pairs) for pairs in (data.forget, data.retain)]
        )
    assert lost[1][1] < 0.3 * lost[0][1]
    assert lost[1][0] > 2 * lost[1][1]
    assert lost[1][0] > 0.3
