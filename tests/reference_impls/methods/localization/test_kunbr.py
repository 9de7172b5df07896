from __future__ import annotations

import pytest
import torch
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.localization.kunbr import KUnBR, exchange, grouped
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData


@pytest.mark.parametrize(
    ("layers", "groups", "spared", "expected"),
    [
        (32, 8, 2, [range(first, first + 4) for first in range(0, 24, 4)]),  # the released run's
        (4, 8, 2, [range(1), range(1, 2), range(2, 3)]),
        (4, 2, 0, [range(2), range(2, 4)]),
        (5, 2, 0, [range(2), range(2, 5)]),
        (4, 4, 9, [range(1)]),
    ],
)
def test_layers_are_parted_and_the_last_are_spared(
    layers: int, groups: int, spared: int, expected: list[range]
) -> None:
    assert grouped(layers, groups, spared) == expected


def test_the_loss_is_the_difference_of_the_two(tiny: LanguageModel, data: UnlearningData) -> None:
    batch = Batch(tiny.encode(data.forget), tiny.encode(data.retain), None)
    with torch.no_grad():
        value = KUnBR(retain_weight=2.0).loss(tiny, batch).item()
        means = [
            sum(float(one.mean()) for one in tiny.pair_logprobs(pairs)) / len(pairs)
            for pairs in (data.forget, data.retain)
        ]
    assert value == pytest.approx(means[0] - 2 * means[1], abs=1e-4)


def test_blocks_change_places_and_come_back(memorized: LanguageModel, tiny: LanguageModel) -> None:
    one, other = memorized.copy(), tiny.copy()
    before = fingerprint(one.model), fingerprint(other.model)
    exchange(one, other, range(1, 3))
    assert [fingerprint(block) for block in one.blocks] == [
        fingerprint(which.blocks[layer]) for layer, which in enumerate((memorized, tiny, tiny, memorized))
    ]
    exchange(other, one, range(1, 3))
    assert (fingerprint(one.model), fingerprint(other.model)) == before


METHOD = KUnBR(groups=4, spared=2, rounds=2, retain_weight=2.0)
RECIPE = Recipe(learning_rate=1e-3, steps=16, batch_size=4)


@pytest.fixture(scope="module")
def unlearned(memorized: LanguageModel, data: UnlearningData) -> LanguageModel:
    return METHOD.unlearn(memorized.copy(), data, Run(RECIPE))


@pytest.fixture(scope="module")
def first(memorized: LanguageModel, data: UnlearningData) -> LanguageModel:
    """After the first unlearning."""
    return KUnBR(groups=4, spared=2, rounds=0, retain_weight=2.0).unlearn(memorized.copy(), data, Run(RECIPE))


def test_all_but_the_groups_in_turn_is_as_the_first_unlearning_left_it(
    first: LanguageModel, unlearned: LanguageModel
) -> None:
    before = dict(first.model.named_parameters())
    changed = {name for name, weight in unlearned.model.named_parameters() if not torch.equal(weight, before[name])}
    assert {name.rsplit("layers.", 1)[-1].split(".")[0] for name in changed} == {"0", "1"}
    assert all(name.startswith("model.layers.") for name in changed)


def test_groups_do_not_meet(memorized: LanguageModel, unlearned: LanguageModel, data: UnlearningData) -> None:
    """The lower group is trained as if there were no other."""
    alone = KUnBR(groups=4, spared=3, rounds=2, retain_weight=2.0)
    run = Run(RECIPE)
    model, before = memorized.copy(), memorized.copy()
    first, second = run.stages(2)
    first.minimize(alone.loss, model, data)
    for stage, _ in zip(second.stages(4), range(2), strict=False):
        exchange(model, before, range(1))
        stage.minimize(alone.loss, before, data, list(before.blocks[0].parameters()))
        exchange(model, before, range(1))
    assert fingerprint(before.model) == fingerprint(memorized.model)
    assert fingerprint(model.blocks[0]) == fingerprint(unlearned.blocks[0])


def test_answers_are_forgotten_before_those_that_stay_and_further_than_at_first(
    memorized: LanguageModel, first: LanguageModel, unlearned: LanguageModel, data: UnlearningData
) -> None:
    forgotten, kept, at_first = (
        mean_logprob(memorized, pairs) - mean_logprob(model, pairs)
        for model, pairs in ((unlearned, data.forget), (unlearned, data.retain), (first, data.forget))
    )
    assert forgotten > kept
    assert forgotten > at_first
