from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from unlearning_toys import mean_logprob

from reference_impls.methods.distillation.scrub import SCRUB, is_max_step
from reference_impls.toolkit import Gradient, LanguageModel, Recipe, Run, UnlearningData, mean_nll, softened_kl


def test_passes_take_turns_and_the_last_part_is_for_following() -> None:
    steps = [is_max_step(step, 2, 12, 0.67) for step in range(12)]
    assert steps == [False, False, True, True, False, False, True, True, False, False, False, False]


@given(st.integers(1, 20), st.integers(1, 100), st.floats(0.01, 1))
def test_no_training_begins_with_a_max_pass_and_at_most_half_of_its_share_is_one(
    length: int, steps: int, share: float
) -> None:
    leaves = [is_max_step(step, length, steps, share) for step in range(steps)]
    assert not any(leaves[:length])
    assert sum(leaves) <= share * steps / 2 + 1


def test_a_student_that_is_the_teacher_has_nothing_to_leave(memorized: LanguageModel, data: UnlearningData) -> None:
    teacher, student = (one.token_logits(one.encode(data.forget))[0] for one in (memorized.frozen(), memorized))
    leaving, ascending = (
        Gradient.of(-softened_kl(teacher, student, 1.0), memorized),
        Gradient.of(-mean_nll(*memorized.token_logits(memorized.encode(data.forget))), memorized),
    )
    assert leaving.norm() < 1e-5 < ascending.norm()


def test_max_passes_forget_and_min_passes_keep(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=1e-3, steps=18, batch_size=3)
    unlearned = SCRUB().unlearn(memorized.copy(), data, Run(recipe))
    assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget) - 1
    assert mean_logprob(unlearned, data.retain) > mean_logprob(memorized, data.retain) - 0.1
