from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob, softmax, token_logits

from reference_impls.methods.distillation.whp_causal import NameChangeTeacher, moved_back, taught, teacher_loss
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, UsageError


def test_a_name_is_put_back_and_names_are_averaged_as_by_hand() -> None:
    """Columns: what begins the subject's name, what begins the other one, and the rest."""
    probs = torch.tensor([[0.10, 0.50, 0.40], [0.05, 0.25, 0.70], [0.10, 0.50, 0.40]])
    back = moved_back(probs, [1], torch.tensor([0, 0, 0]), torch.tensor([True, True, False]))
    assert_allclose(back, [[0.6, 0.0, 0.4], [0.3, 0.0, 0.7], [0.1, 0.5, 0.4]], atol=1e-6)
    teacher = back[:2].mean(dim=0, keepdim=True)
    loss = teacher_loss(token_logits([np.log([0.9, 0.05, 0.05]).tolist()], [0]), teacher)
    assert loss.item() == pytest.approx(0.45 * np.log(0.45 / 0.9) + 0.55 * np.log(0.55 / 0.05), abs=1e-5)


@given(arrays(np.float32, (3, 5), elements=st.floats(-5, 5, width=16)), st.sets(st.integers(0, 4)), st.integers(0, 4))
def test_no_probability_is_lost(logits: np.ndarray, name: set[int], own: int) -> None:
    probs = torch.from_numpy(softmax(logits)).float()
    back = moved_back(probs, sorted(name), torch.full((3,), own), torch.tensor([True, True, True]))
    assert_allclose(back.sum(dim=1), 1, atol=1e-5)
    assert_allclose(back[:, own], probs[:, sorted(name | {own})].sum(dim=1), atol=1e-5)


def test_the_subjects_own_name_teaches_nothing(learned: LanguageModel, data: UnlearningData) -> None:
    pair = data.forget[1]
    kept, teacher = taught(learned, pair, [pair.subject])
    batch = learned.encode([pair])
    (out,) = learned.token_logits(batch)
    assert_allclose(teacher, torch.softmax(out.logits.detach(), dim=1)[kept], atol=1e-5)
    assert teacher_loss(out.chosen(kept), teacher).item() == pytest.approx(0.0, abs=1e-5)
    place = batch.supervised[1]
    assert not learned.subject_mentions([pair])[0, place[kept]].any()
    assert 0 < len(teacher) < len(kept)


def test_a_name_that_does_not_fit_is_left_out(learned: LanguageModel, data: UnlearningData) -> None:
    pair = data.forget[0]
    names = ["Dee Lund", "Eli Moss"]
    kept, teacher = taught(learned, pair, names)
    each = [taught(learned, pair, [name])[1] for name in names]
    assert_allclose(teacher, (each[0] + each[1]) / 2, atol=1e-5)
    nowhere, nothing = taught(learned, replace(pair, subject=""), [])
    assert not nowhere.any()
    assert len(nowhere) == len(kept)
    assert nothing.shape == (0, teacher.shape[1])


def test_texts_about_nobody_are_told_so(learned: LanguageModel, data: UnlearningData) -> None:
    nobody = replace(data, forget=tuple(replace(pair, subject="") for pair in data.forget))
    with pytest.raises(UsageError, match="subject"):
        NameChangeTeacher().unlearn(learned.copy(), nobody, Run(Recipe(steps=1)))


def test_one_other_is_enough(learned: LanguageModel, data: UnlearningData) -> None:
    other = next(pair.subject for pair in data.retain if pair.subject)
    alone = replace(data, retain=tuple(pair for pair in data.retain if pair.subject == other))
    unlearned = NameChangeTeacher().unlearn(learned.copy(), alone, Run(Recipe(learning_rate=1e-3, steps=15)))
    assert mean_logprob(unlearned, data.forget) < mean_logprob(learned, data.forget)


def test_facts_go_and_sentences_stay(learned: LanguageModel, data: UnlearningData) -> None:
    """What tells the season falls; the words around it stay as they were, and so do other people."""
    unlearned = NameChangeTeacher().unlearn(learned.copy(), data, Run(Recipe(learning_rate=1e-3, steps=15)))
    seasons = ("spring", "summer", "autumn", "winter")

    def season(model: LanguageModel) -> float:
        """The mean log-probability of the true seasons."""
        found = []
        for pair in data.forget:
            beginning = pair.answer[: pair.answer.index(" in ") + 3]
            word = next(word for word in seasons if word in pair.answer)
            found.append(mean_logprob(model, [replace(pair, prompt=pair.prompt + beginning, answer=f" {word}")]))
        return sum(found) / len(found)

    assert season(unlearned) < season(learned) - 0.3
    assert mean_logprob(unlearned, data.retain) > mean_logprob(learned, data.retain) - 0.3
