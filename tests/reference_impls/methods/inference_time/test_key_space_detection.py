from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint

from reference_impls.methods.inference_time.key_space_detection import Box, KeySpaceDetection, question_keys
from reference_impls.toolkit import REFUSALS, Kept, LanguageModel, Recipe, Run, SoftPrompted, UnlearningData, memories

KEYS = torch.tensor([[0.0, 0.0], [2.0, 2.0], [4.0, 1.0]])


def test_the_box_is_the_one_worked_out_by_hand() -> None:
    box = Box.around(KEYS, 1.0)
    assert_allclose(box.center, (2, 1), atol=1e-6)
    assert_allclose(box.reach, (2, 1), atol=1e-6)  # deviations 2 and 1, and no key is further than one of them
    assert box.has(torch.tensor([[3.9, 0.1], [4.1, 1.0], [2.0, 2.1]])).tolist() == [True, False, False]
    assert_allclose(Box.around(KEYS, 0.5).reach, (1, 0.5), atol=1e-6)


@given(st.integers(0, 10**6), st.integers(1, 6))
def test_the_whole_width_holds_all_keys_and_none_holds_none(seed: int, count: int) -> None:
    keys = torch.randn(count, 4, generator=torch.Generator().manual_seed(seed))
    assert Box.around(keys, 1.0).has(keys).all()
    wider, narrower = (Box.around(keys, scale).has(keys) for scale in (0.8, 0.4))
    assert (wider >= narrower).all()
    assert count == 1 or not Box.around(keys, 0.0).has(keys).any()


def test_keys_are_read_at_the_last_token_of_a_question(tiny: LanguageModel, data: UnlearningData) -> None:
    (memory,) = memories(tiny, [2])
    found = question_keys(tiny, 2, [pair.prompt for pair in data.forget])
    for key, pair in zip(found, data.forget, strict=True):
        ids = tiny.tokenizer(pair.prompt, add_special_tokens=False)["input_ids"]
        assert_allclose(key, memory.keys(tiny, tiny.encode([pair]))[0, len(ids) - 1], atol=1e-5)


def test_behind_a_soft_prompt_it_is_still_the_question_that_is_read(tiny: LanguageModel, data: UnlearningData) -> None:
    questions = [pair.prompt for pair in data.forget]
    vectors = torch.randn(4, tiny.width, generator=torch.Generator().manual_seed(0))
    plain = question_keys(tiny, 2, questions)
    prompted = question_keys(SoftPrompted.of(tiny, vectors), 2, questions)
    assert prompted.shape == plain.shape
    assert not torch.allclose(prompted, plain)
    # Read with the same vectors as tokens would be: nothing but the places differs.
    alone = torch.cat([question_keys(SoftPrompted.of(tiny, vectors), 2, [question]) for question in questions])
    assert_allclose(prompted, alone, atol=1e-5)


def test_forget_questions_are_refused_and_what_is_let_through_is_answered_as_before(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    before = fingerprint(memorized.model)
    guarded = KeySpaceDetection(scale=1.0).unlearn(memorized, data, Run(Recipe()))
    again = KeySpaceDetection.restore(memorized, Kept(guarded.to_json(), guarded.tensors()))
    for model in (guarded, again):
        assert set(model.generate([pair.prompt for pair in data.forget], 20)) == {REFUSALS[0]}
    open_ = KeySpaceDetection(scale=0.0).unlearn(memorized, data, Run(Recipe()))
    asked = [pair.prompt for pair in (*data.forget, *data.retain)]
    assert open_.generate(asked, 5) == memorized.generate(asked, 5)
    assert fingerprint(memorized.model) == before


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_text_of_another_kind_is_let_through(memorized: LanguageModel, data: UnlearningData, scale: float) -> None:
    box = KeySpaceDetection(scale=scale).unlearn(memorized, data, Run(Recipe())).box
    others = ["Hogwarts is a Magic School.", "Ana Lund likes", "A year of storms"]
    assert not box.has(question_keys(memorized, 3, others)).any()
