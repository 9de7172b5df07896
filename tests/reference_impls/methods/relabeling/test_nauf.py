from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from unlearning_toys import mean_logprob

from reference_impls.methods.relabeling.nauf import NAMING, NAUF, refused, with_names_exchanged
from reference_impls.toolkit import Batch, LanguageModel, Pair, Recipe, Run, UnlearningData

PAIRS = [
    Pair("When was Ana Lund born?", " In spring.", subject="Ana Lund"),
    Pair("Where does she live?", " In Oslo.", subject="Ana Lund"),
    Pair("What does Bo Reyes like?", " Tea.", subject="Bo Reyes"),
]


def test_names_are_exchanged_where_they_are_asked_about() -> None:
    found = with_names_exchanged(PAIRS[:1], PAIRS, 10, random.Random(0))
    assert {(pair.prompt, pair.subject) for pair in found} == {
        ("When was Ana Lund born?", "Ana Lund"),
        ("What does Ana Lund like?", "Ana Lund"),
    }
    assert [pair.subject for pair in with_names_exchanged(PAIRS, PAIRS, 1, random.Random(0))] == [
        "Ana Lund",
        "Bo Reyes",
    ]
    assert with_names_exchanged(PAIRS, [replace(pair, subject="") for pair in PAIRS], 3, random.Random(0)) == []


def test_every_refusal_names_the_subject_in_the_answer_s_spacing() -> None:
    alternates = refused(PAIRS[0]).alternates
    assert len(alternates) == len(NAMING) == 10
    assert all(text.startswith(" ") and "Ana Lund" in text and "{}" not in text for text in alternates)
    assert all("this" in text for text in refused(replace(PAIRS[0], subject="")).alternates)


def test_both_kinds_of_people_are_asked_and_those_who_stay_get_the_model_s_own_answers(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    prepared = NAUF(exchanged=2, length=8).prepare(memorized, data, Run(Recipe(steps=1)))
    subjects = {pair.subject for pair in data.forget}, {pair.subject for pair in data.retain}
    assert prepared.forget[: len(data.forget)] == tuple(map(refused, data.forget))
    assert len(prepared.forget) == len(data.forget) + 2 * len(subjects[0])
    added = prepared.retain[len(data.retain) :]
    assert {pair.subject for pair in added} <= subjects[1]
    assert [pair.answer for pair in added] == memorized.generate([pair.prompt for pair in added], 8)
    assert NAUF(exchanged=0).prepare(memorized, data, Run(Recipe(steps=1))).retain == data.retain


def test_the_loss_is_that_of_refusals_and_of_what_is_kept(tiny: LanguageModel, data: UnlearningData) -> None:
    said = [replace(pair, answer=refused(pair).alternates[row]) for row, pair in enumerate(data.forget)]
    batch = Batch(tiny.encode(data.forget), tiny.encode(data.retain), None, tiny.encode(said))
    with torch.no_grad():
        value = NAUF(retain_weight=2.0).loss(tiny, batch).item()
    refusing, kept = (
        np.mean([float(-one.mean()) for one in tiny.pair_logprobs(part)]) for part in (said, list(data.retain))
    )
    assert value == pytest.approx(refusing + 2 * kept, rel=1e-5)


def test_it_learns_whom_to_refuse(memorized: LanguageModel, data: UnlearningData) -> None:
    method, recipe = NAUF(exchanged=2, length=8), Recipe(learning_rate=1e-3, steps=20, batch_size=4)
    model = method.unlearn(memorized.copy(), data, Run(recipe))

    def refusing(one: LanguageModel, pairs: tuple[Pair, ...]) -> float:
        return mean_logprob(one, [replace(pair, answer=refused(pair).alternates[0]) for pair in pairs])

    assert refusing(model, data.forget) > refusing(model, data.retain) + 0.3
    assert refusing(model, data.forget) > refusing(memorized, data.forget) + 1
    assert mean_logprob(model, data.forget) < mean_logprob(memorized, data.forget) - 0.3
    assert mean_logprob(model, data.retain) > mean_logprob(memorized, data.retain) - 0.3
