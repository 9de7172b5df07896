from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import NAMES, fingerprint, invented_pairs, mean_logprob, question

from reference_impls.methods.task_arithmetic.sift_masks import (
    UNIT,
    WHOLE,
    MaskedMerge,
    SIFTMasks,
    in_units,
    random_signs,
    sign_fixed,
)
from reference_impls.toolkit import Kept, LanguageModel, Recipe, Run, UnlearningData

RECIPE = Recipe(learning_rate=2e-3, steps=3, batch_size=4)


def test_what_moves_against_its_sign_is_put_back() -> None:
    start, grows = torch.tensor([1.0, 1.0, 1.0, 1.0]), torch.tensor([True, False, True, False])
    found = []
    for raw in ((0.4, 0.2, -0.1, -0.3), (-0.2, -0.6, 0.2, -0.1)):
        weight = start + torch.tensor(raw)
        sign_fixed([weight], [start], [grows])()
        found.append(weight - start)
    assert_allclose(found[0], [0.4, 0, 0, -0.3], atol=1e-6)
    assert_allclose(found[1], [0, -0.6, 0.2, -0.1], atol=1e-6)


def test_signs_are_of_the_seed_and_about_half_of_either() -> None:
    weights = [torch.zeros(100, 10), torch.zeros(7)]
    one, again, other = (random_signs(weights, seed) for seed in (1, 1, 2))
    assert all(map(torch.equal, one, again))
    assert not torch.equal(one[0], other[0])
    assert 0.45 < float(one[0].float().mean()) < 0.55


@given(st.permutations(range(6)), st.lists(st.floats(-3, 3, width=32), min_size=6, max_size=6))
def test_sums_in_units_come_out_alike_in_any_order(order: list[int], values: list[float]) -> None:
    units = in_units(torch.tensor(values))
    assert sum(units[place] for place in order) == sum(units)
    assert_allclose(torch.stack(units).double() * UNIT, values, atol=UNIT)


def _by_hand(tiny: LanguageModel) -> MaskedMerge:
    """Two tasks that change the last norm's first four weights as in the other test, and nothing else."""
    merged = MaskedMerge(tiny, scale=1.0)
    for row, tau in enumerate(([0.4, 0, 0, -0.3], [0, -0.6, 0.2, -0.1])):
        vector = [torch.zeros_like(weight) for weight in tiny.model.parameters()]
        vector[-1][:4] = torch.tensor(tau)
        merged.add([invented_pairs()[row]], in_units(vector))
    return merged


def test_a_task_is_served_its_part_of_the_mean(tiny: LanguageModel) -> None:
    merged = _by_hand(tiny)
    *_, before = tiny.model.parameters()

    def change(number: int) -> list[float]:
        *_, now = merged.served(number).model.parameters()
        return [round(one, 5) for one in (now - before)[:4].tolist()]

    assert before.dim() == 1
    assert change(WHOLE) == [0.2, -0.3, 0.1, -0.2]
    assert change(0) == [0.2, 0, 0, -0.2]
    assert change(1) == [0, -0.3, 0.1, -0.2]
    vector = [torch.zeros_like(weight) for weight in tiny.model.parameters()]
    vector[-1][:4] = torch.tensor([0.4, 0, 0, -0.3])
    merged.remove(0, in_units(vector))
    assert change(1) == change(WHOLE) == [0, -0.6, 0.2, -0.1]


def test_a_query_belongs_to_the_task_whose_name_it_has(tiny: LanguageModel) -> None:
    merged = _by_hand(tiny)
    merged.names[1].append("Ana Lundgren")
    assert [merged.task_of(question(name)) for name in (*NAMES[:3], "Ana Lundgren")] == [0, 1, WHOLE, 1]
    assert merged.speaker(question(NAMES[0])) is merged.speaker(f"Well, {question(NAMES[0])}")


def test_deleting_is_to_the_bit_never_having_merged(tiny: LanguageModel) -> None:
    pairs, method, run = invented_pairs(), SIFTMasks(subjects=2), Run(RECIPE, seed=3)
    tasks = method.tasks(pairs)
    assert len(tasks) == 4
    merged = method.learn(tiny, tasks, run)
    method.delete(merged, tasks[1], run)
    never = method.learn(tiny, [task for task in tasks if task != tasks[1]], Run(RECIPE, seed=3))
    assert all(map(torch.equal, merged.total, never.total))
    assert sorted(merged.names.values()) == sorted(never.names.values())
    for number, other in ((0, 0), (WHOLE, WHOLE)):
        assert fingerprint(merged.served(number).model) == fingerprint(never.served(other).model)
    signs = random_signs(tiny.model.parameters(), run.seed)
    for total, up in zip(merged.total, signs, strict=True):
        assert bool(((total == 0) | ((total > 0) == up)).all())


def test_behind_its_mask_a_task_finds_itself_in_the_sum(tiny: LanguageModel, data: UnlearningData) -> None:
    run = Run(Recipe(learning_rate=3e-3, steps=80, batch_size=4), earlier=tiny.copy)
    before = fingerprint(tiny.model)
    merged = SIFTMasks(subjects=1).unlearn(tiny, data, run)
    assert fingerprint(merged.model.model) == before
    assert len(merged.masks) == 5
    whole = mean_logprob(merged.served(WHOLE), data.retain)
    assert mean_logprob(merged, data.retain) > whole + 0.2
    assert mean_logprob(merged, data.forget) == pytest.approx(mean_logprob(merged.served(WHOLE), data.forget))


def test_the_sum_and_masks_come_back_with_what_was_kept(tiny: LanguageModel, data: UnlearningData) -> None:
    merged = SIFTMasks(subjects=2).unlearn(tiny, data, Run(RECIPE))
    again = MaskedMerge.of(tiny, Kept(merged.to_json(), merged.tensors()))
    asked = ([pair.prompt for pair in data.retain], [pair.answer for pair in data.retain])
    for first, second in zip(merged.answer_logprobs(*asked), again.answer_logprobs(*asked), strict=True):
        assert torch.equal(first, second)
    assert merged.generate(asked[0], 4) == again.generate(asked[0], 4)
