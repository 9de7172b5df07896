from __future__ import annotations

import pytest
from unlearning_toys import fingerprint, invented_pairs, mean_logprob

from reference_impls.methods.data_centric.lu import LU, stages
from reference_impls.methods.representation.rmu import RMU
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, shares_of_subjects


def test_three_folds_of_nine_are_forgotten_one_after_another_and_wait_among_what_is_kept() -> None:
    pairs = tuple(invented_pairs())
    data = UnlearningData(pairs[:6], pairs[6:])
    first, second, third = stages(data, 3)
    assert [len(stage.forget) for stage in (first, second, third)] == [2, 4, 6]
    for stage in (first, second, third):
        assert {*stage.forget, *stage.retain} == set(pairs)
        assert not {*stage.forget} & {*stage.retain}
    assert third.retain == data.retain


@pytest.mark.parametrize(("kept", "waits", "often"), [(5, 2, 3), (4, 2, 2), (1, 2, 1), (0, 2, 0)])
def test_folds_that_wait_are_met_as_often_as_the_retain_set(kept: int, waits: int, often: int) -> None:
    pairs = invented_pairs()
    data = UnlearningData(tuple(pairs[:3]), tuple(pairs[3 : 3 + kept]))
    first = next(stages(data, 3))
    waiting = [pair for pair in first.retain if pair in data.forget]
    assert len(waiting) == waits * often


def test_one_fold_is_the_method_itself(tiny: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=1e-2, steps=2, batch_size=3)
    layered = LU(folds=1).unlearn(tiny.copy(), data, Run(recipe, seed=4))
    plain = RMU().unlearn(tiny.copy(), data, Run(recipe, seed=4))
    assert fingerprint(layered.model) == fingerprint(plain.model)


def test_the_steps_are_shared_out(tiny: LanguageModel, data: UnlearningData) -> None:
    seen: list[int] = []
    run = Run(Recipe(steps=7, batch_size=3), progress=lambda stage, done, total: seen.append(total))
    LU(folds=3).unlearn(tiny.copy(), data, run)
    assert set(seen) == {3}
    assert run.trainings == 3


def test_gradient_difference_may_stand_in_its_place(memorized: LanguageModel, data: UnlearningData) -> None:
    run = Run(Recipe(learning_rate=5e-4, steps=6, batch_size=3))
    unlearned = LU(primitive="grad-diff", retain_weight=2.0).unlearn(memorized.copy(), data, run)
    lost = [mean_logprob(memorized, pairs) - mean_logprob(unlearned, pairs) for pairs in (data.forget, data.retain)]
    assert lost[0] > max(0.1, 3 * lost[1])


def test_a_fold_is_kept_until_its_turn_comes(memorized: LanguageModel, data: UnlearningData) -> None:
    """After the first stage the folds that wait are answered as before, and the first is not."""
    method = LU(folds=3, steering=20.0, retain_weight=50.0)
    first = next(stages(data, 3))
    model = memorized.copy()
    method._stage(model, first, Run(Recipe(learning_rate=1e-3, steps=40, batch_size=3)))
    gone, *waiting = shares_of_subjects(data.forget, 3)
    lost = [mean_logprob(memorized, pairs) - mean_logprob(model, pairs) for pairs in (gone, *waiting, data.retain)]
    assert lost[0] > 2 * max(lost[1:])
