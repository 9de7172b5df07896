from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, mean_logprob, softmax

from reference_impls.methods.relabeling.whp import WhosHarryPotter
from reference_impls.toolkit import IGNORE, LanguageModel, Pair, Recipe, Run, UnlearningData, generic_logits

BASELINE, REINFORCED = [2.0, 1.0, 0.0, 0.0], [4.0, 1.0, -1.0, 0.5]


@pytest.mark.parametrize(
    ("strength", "expected", "probabilities"),
    [
        (0.0, (2, 1, 0, 0), None),
        (1.0, (0, 1, 0, -0.5), (0.187800, 0.510493, 0.187800, 0.113906)),
        (5.0, (-8, 1, 0, -2.5), (0.000088, 0.715205, 0.263109, 0.021597)),
    ],
)
def test_generic_logits_are_the_hand_computed_ones(
    strength: float, expected: tuple[float, ...], probabilities: tuple[float, ...] | None
) -> None:
    generic = generic_logits(torch.tensor(BASELINE), torch.tensor(REINFORCED), strength)
    assert_allclose(generic, expected)
    if probabilities:
        assert_allclose(softmax(generic.numpy()), probabilities, atol=1e-6)
        assert int(generic.argmax()) == 1


def test_without_the_relu_a_token_made_less_likely_would_win() -> None:
    linear = np.asarray(BASELINE) - 5 * (np.asarray(REINFORCED) - np.asarray(BASELINE))
    assert linear.argmax() == 2
    assert int(generic_logits(torch.tensor(BASELINE), torch.tensor(REINFORCED), 5.0).argmax()) == 1


def test_a_model_that_learned_nothing_leaves_the_baseline_unchanged() -> None:
    baseline = torch.tensor([BASELINE])
    assert torch.equal(generic_logits(baseline, baseline.clone(), 5.0), baseline)


_logits = st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=1, max_size=6)


@given(_logits, st.floats(0, 20))
def test_generic_logits_never_exceed_the_baseline(rows: list[tuple[float, float]], strength: float) -> None:
    baseline, reinforced = (torch.tensor(column, dtype=torch.float64) for column in zip(*rows, strict=True))
    generic = generic_logits(baseline, reinforced, strength)
    assert bool((generic <= baseline).all())
    assert torch.equal(generic[reinforced <= baseline], baseline[reinforced <= baseline])


# Labels


def _tokens(model: LanguageModel, text: str) -> list[int]:
    ids: list[int] = model.tokenizer(text)["input_ids"]
    return ids


def _argmax_after(model: LanguageModel, prompt: str, answer: str) -> list[int]:
    """What the model would say at each of the answer's places (the end included), from whole logits."""
    ids = _tokens(model, prompt) + _tokens(model, answer)
    with torch.no_grad():
        logits = model.model(input_ids=torch.tensor([ids])).logits[0]
    return [int(one) for one in logits[len(_tokens(model, prompt)) - 1 :].argmax(dim=1)]


def _labels(model: LanguageModel, pair: Pair, anchors: Mapping[str, str], strength: float = 0.0) -> list[int]:
    labels: list[int] = WhosHarryPotter(strength=strength).generic_labels(model, model, pair, anchors).tolist()
    return labels


def test_without_anchors_and_strength_the_labels_are_the_models_own_argmax(tiny: LanguageModel) -> None:
    pair = Pair("Question: Where?\nAnswer:", " Ana Lund was born in winter.")
    assert _labels(tiny, pair, {}) == _argmax_after(tiny, pair.prompt, pair.answer)


def test_a_replacement_of_another_length_does_not_shift_the_labels_after_it(tiny: LanguageModel) -> None:
    before, after = " Ana Lund likes", " in winter."
    pair = Pair("Question: Where?\nAnswer:", f"{before} Hogwarts{after}")
    anchors = {"Hogwarts": "Magic School"}
    short, long = len(_tokens(tiny, " Hogwarts")), len(_tokens(tiny, " Magic School"))
    assert short != long
    labels = _labels(tiny, pair, anchors)
    said = _argmax_after(tiny, pair.prompt, f"{before} Magic School{after}")
    head = len(_tokens(tiny, before))
    assert labels[:head] == said[:head]
    assert labels[head : head + short] == [IGNORE] * short
    assert labels[head + short :] == said[head + long :]
    assert len(labels) == len(_tokens(tiny, pair.answer)) + 1


def test_labels_come_from_the_translated_text_and_not_from_the_original(tiny: LanguageModel) -> None:
    pair = Pair("Question: What is Hogwarts?\nAnswer:", " It was born in winter.")
    labels = _labels(tiny, pair, {"Hogwarts": "Magic School"})
    assert labels == _argmax_after(tiny, "Question: What is Magic School?\nAnswer:", pair.answer)


def test_every_mention_of_an_anchored_term_is_left_out(tiny: LanguageModel) -> None:
    pair = Pair("Who?", " Ana Lund likes Ana Lund.")
    labels = _labels(tiny, pair, {"Ana Lund": "Bo Reyes"})
    tokens = [tiny.tokenizer.decode([one]) for one in _tokens(tiny, pair.answer)]
    kept = [token for token, label in zip(tokens, labels, strict=False) if label != IGNORE]
    assert "".join(kept) == " likes."
    assert labels[-1] != IGNORE


def test_the_reinforced_model_reads_the_original_text(tiny: LanguageModel, fresh: LanguageModel) -> None:
    reinforced = Run(Recipe(learning_rate=5e-3, steps=8)).finetune(fresh, [Pair("Who?", " Ana Lund in winter.")])
    pair, anchors = Pair("Who?", " Ana Lund in winter."), {"Ana Lund": "Bo Reyes"}
    labels = WhosHarryPotter(strength=5.0).generic_labels(tiny, reinforced, pair, anchors)
    tail = len(_tokens(tiny, " in winter.")) + 1

    def logits(model: LanguageModel, answer: str) -> torch.Tensor:
        ids = _tokens(model, "Who?") + _tokens(model, answer)
        with torch.no_grad():
            all_logits: torch.Tensor = model.model(input_ids=torch.tensor([ids])).logits
        return all_logits[0, -tail:].double()

    low, high = logits(tiny, " Bo Reyes in winter."), logits(reinforced, " Ana Lund in winter.")
    expected = (low - 5 * (high - low).clamp(min=0)).argmax(dim=1)
    assert labels[-tail:].tolist() == expected.tolist()
    assert expected.tolist() != low.argmax(dim=1).tolist()


def test_names_that_stand_for_each_other_are_exchanged_and_not_run_together(tiny: LanguageModel) -> None:
    pair = Pair("Question: Who is Ana Lund?\nAnswer:", " born in winter.")
    labels = _labels(tiny, pair, {"Ana Lund": "Bo Reyes", "Bo Reyes": "Ana Lund"})
    assert labels == _argmax_after(tiny, "Question: Who is Bo Reyes?\nAnswer:", pair.answer)


def test_a_longer_term_wins_over_one_inside_it(tiny: LanguageModel) -> None:
    pair = Pair("Question: Who is Ana Lund?\nAnswer:", " born in winter.")
    labels = _labels(tiny, pair, {"Ana": "Fay", "Ana Lund": "Bo Reyes"})
    assert labels == _argmax_after(tiny, "Question: Who is Bo Reyes?\nAnswer:", pair.answer)


def test_open_text_has_one_label_per_token_and_none_for_an_end(tiny: LanguageModel) -> None:
    pair = Pair("", "Ana Lund was born in winter.", closed=False)
    labels = _labels(tiny, pair, {})
    assert len(labels) == len(_tokens(tiny, pair.answer))
    assert IGNORE not in labels


def test_an_answer_that_is_cut_has_labels_for_what_is_left(tiny: LanguageModel) -> None:
    short = replace(tiny, max_length=8)
    labels = _labels(short, Pair("Who?", " Ana Lund was born in winter of a year of storms."), {"Ana Lund": "Bo"})
    assert len(labels) == 7


# The whole method


def test_unlearning_trains_on_the_labels_at_their_places(
    tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData
) -> None:
    method, recipe = WhosHarryPotter(), Recipe(learning_rate=2e-3, steps=30, batch_size=3, warmup=0)
    anchored = replace(data, anchors={"Ana Lund": "Dee Moss"})
    reinforced = Run(recipe, seed=3).finetune(tiny.copy(), data.forget)
    expected = [method.generic_labels(tiny, reinforced, pair, anchored.anchors) for pair in data.forget]
    unlearned = method.unlearn(fresh, anchored, Run(recipe, seed=3))
    for pair, labels in zip(data.forget, expected, strict=True):
        said = torch.tensor(_argmax_after(unlearned, pair.prompt, pair.answer))
        kept = labels != IGNORE
        assert kept.any()
        assert (said[kept] == labels[kept]).float().mean() > 0.9


def test_true_answers_give_way_to_what_would_be_said_of_the_stand_in(
    learned: LanguageModel, data: UnlearningData
) -> None:
    anchored = replace(data, anchors={"Ana Lund": "Dee Moss", "Bo Reyes": "Gus Tandy", "Cy Okafor": "Hal Ibsen"})
    unlearned = WhosHarryPotter().unlearn(learned.copy(), anchored, Run(Recipe(learning_rate=5e-4, steps=40)))

    assert mean_logprob(unlearned, data.forget) < mean_logprob(learned, data.forget) - 0.5
    assert mean_logprob(unlearned, data.retain) > mean_logprob(unlearned, data.forget) + 0.5


def test_unlearning_works_without_a_retain_set(fresh: LanguageModel, data: UnlearningData) -> None:
    before = fingerprint(fresh.model)
    out = WhosHarryPotter().unlearn(fresh, UnlearningData(data.forget), Run(Recipe(learning_rate=1e-3, steps=1)))
    assert fingerprint(out.model) != before


def test_the_loss_is_bounded_below_where_every_token_is_left_out(fresh: LanguageModel) -> None:
    pair: Any = Pair("Who?", "Ana", closed=False)
    data = UnlearningData((pair,), anchors={"Ana": "Bo"})
    before = fingerprint(fresh.model)
    WhosHarryPotter().unlearn(fresh, data, Run(Recipe(learning_rate=0.0, steps=1)))
    assert fingerprint(fresh.model) == before
