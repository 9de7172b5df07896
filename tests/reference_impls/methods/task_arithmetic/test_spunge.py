from __future__ import annotations

from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.task_arithmetic.spunge import SPUNGE
from reference_impls.methods.task_arithmetic.task_vector import TaskVector
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, shares_of_subjects


def test_one_part_kept_whole_is_the_negated_task_vector(tiny: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=1e-2, steps=2)
    whole = TaskVector(scale=0.4).unlearn(tiny.copy(), data, Run(recipe, seed=4))
    merged = SPUNGE(scale=0.4, subsets=1, density=1.0).unlearn(tiny.copy(), data, Run(recipe, seed=4))
    for one, other in zip(whole.model.parameters(), merged.model.parameters(), strict=True):
        assert_allclose(one.detach(), other.detach(), atol=1e-6)


def test_no_more_weights_move_than_the_parts_keep(tiny: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=1e-2, steps=2)
    unlearned = SPUNGE(density=0.1).unlearn(tiny.copy(), data, Run(recipe))
    moved = total = 0
    for one, other in zip(tiny.model.parameters(), unlearned.model.parameters(), strict=True):
        moved, total = moved + int((one != other).sum()), total + one.numel()
    assert 0.1 * total * 0.95 <= moved <= 2 * 0.1 * total
    still = SPUNGE(scale=0.0).unlearn(tiny.copy(), data, Run(recipe))
    assert fingerprint(still.model) == fingerprint(tiny.model)


def test_every_part_is_forgotten_more_than_the_rest(learned: LanguageModel, data: UnlearningData) -> None:
    unlearned = SPUNGE(scale=2.0).unlearn(learned.copy(), data, Run(Recipe(learning_rate=1e-3, steps=10, batch_size=2)))
    lost = [
        mean_logprob(learned, pairs) - mean_logprob(unlearned, pairs)
        for pairs in (*shares_of_subjects(data.forget, 2), list(data.retain))
    ]
    assert min(lost[:2]) > max(0.0, lost[2])
