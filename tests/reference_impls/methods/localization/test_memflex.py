from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from unlearning_toys import mean_logprob

from reference_impls.methods.localization.memflex import MemFlex, half_random, located
from reference_impls.toolkit import IGNORE, Gradient, LanguageModel, Recipe, Run, UnlearningData, UsageError

PARTS = st.lists(st.lists(st.floats(-3, 3), min_size=2, max_size=2), min_size=4, max_size=4)


def _gradient(rows: list[list[float]]) -> Gradient:
    """Over one weight tensor for each row, known by its place."""
    return Gradient(
        tuple(torch.tensor([float(place)]) for place in range(len(rows))), tuple(torch.tensor(row) for row in rows)
    )


def _places(weights: list[torch.Tensor]) -> list[int]:
    return [int(weight) for weight in weights]


def test_tensors_are_chosen_by_direction_and_size_as_worked_out_by_hand() -> None:
    forget = _gradient([[1.0, 2.0], [1.0, 2.0], [0.1, 0.0], [0.0, 0.0]])
    retain = _gradient([[2.0, -1.0], [2.0, 4.0], [-0.1, 0.0], [1.0, 0.0]])
    # Cosines 0, 1, -1 and none; mean magnitudes 1.5, 1.5, 0.05 and 0.
    assert _places(located(forget, retain, 0.92, 0.5)) == [0]
    assert _places(located(forget, retain, 0.92, 0.75)) == [0, 2]
    assert _places(located(forget, retain, -0.5, 0.75)) == [2]
    assert not located(forget, retain, 0.92, 0.25)[1:]


@given(PARTS, PARTS, st.floats(0.1, 10))
def test_how_hard_the_retain_set_pulls_does_not_matter_and_sets_alike_leave_nothing(
    forget: list[list[float]], retain: list[list[float]], factor: float
) -> None:
    one, other = _gradient(forget), _gradient(retain)
    scaled = factor * other
    far = [  # away from the threshold, where the last digit of a cosine decides
        abs(float(torch.cosine_similarity(a.double(), b.double(), dim=0)) - 0.9) > 1e-6
        for a, b in zip(one.parts, other.parts, strict=True)
    ]
    if all(far) and all(float(part.norm()) > 1e-3 for part in (*other.parts, *scaled.parts)):
        assert _places(located(one, scaled, 0.9, 0.75)) == _places(located(one, other, 0.9, 0.75))
    assert all(float(part.norm()) == 0 for part in (one.parts[i] for i in _places(located(one, one, 0.9, 0.75))))


def test_half_of_every_answer_is_drawn_and_prompts_and_ends_stay(tiny: LanguageModel, data: UnlearningData) -> None:
    batch = tiny.encode(data.retain)
    tokens, end = [7], tiny.tokenizer.eos_token_id
    drawn = half_random(batch, tokens, end, random.Random(0))
    answers = (batch.labels != IGNORE) & (batch.labels != end)
    changed = (drawn.input_ids == 7) & answers
    assert (changed.sum(dim=1) >= answers.sum(dim=1) // 2).all()
    assert torch.equal(drawn.input_ids[~changed], batch.input_ids[~changed])
    assert torch.equal(drawn.labels[answers], drawn.input_ids[answers])
    assert torch.equal(drawn.labels[~answers], batch.labels[~answers])


def test_the_same_data_on_both_sides_is_a_clear_error(
    memorized: LanguageModel, data: UnlearningData, monkeypatch: pytest.MonkeyPatch
) -> None:
    alike = replace(data, retain=data.forget)

    # With the true answers, for two draws are not the same.
    monkeypatch.setattr("reference_impls.methods.localization.memflex.half_random", lambda batch, **_: batch)
    with pytest.raises(UsageError, match="MemFlex finds no weights to train"):
        MemFlex().unlearn(memorized.copy(), alike, Run(Recipe()))


def test_it_forgets_in_the_tensors_found_and_leaves_the_others_to_the_bit(
    learned: LanguageModel, data: UnlearningData
) -> None:
    chosen: list[torch.Tensor] = []

    class Watched(Run):
        def minimize(self, loss, model, data, parameters=None, **rest):  # type: ignore[no-untyped-def,override]
            chosen.extend(parameters)
            return super().minimize(loss, model, data, parameters, **rest)

    unlearned = MemFlex().unlearn(learned.copy(), data, Watched(Recipe(learning_rate=2e-3, steps=12, batch_size=3)))
    found = {id(weight) for weight in chosen}
    assert 0 < len(found) <= round(0.5 * len(list(learned.model.parameters())))
    for weight, before in zip(unlearned.model.parameters(), learned.model.parameters(), strict=True):
        assert torch.equal(weight, before) != (id(weight) in found)
    assert mean_logprob(unlearned, data.forget) < mean_logprob(learned, data.forget) - 1
    assert mean_logprob(unlearned, data.retain) > mean_logprob(unlearned, data.forget) + 0.5
