from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from unlearning_toys import WithoutDistributions

from reference_impls.errors import UsageError
from reference_impls.toolkit import Pair, Splits, evaluate, probe


class Scripted(WithoutDistributions):
    """A model that knows each answer's log-probabilities and what to say."""

    def __init__(self, losses: dict[str, float], said: dict[str, str]) -> None:
        self.losses, self.said = losses, said

    def answer_logprobs(self, prompts: Sequence[str], answers: Sequence[str]) -> list[Tensor]:
        return [
            torch.full((1 + len(answer) % 3,), -self.losses[f"{prompt}{answer}"])
            for prompt, answer in zip(prompts, answers, strict=True)
        ]

    def generate(self, prompts: Sequence[str], max_new_tokens: int) -> list[str]:
        return [self.said[prompt] for prompt in prompts]


def _pair(name: str) -> Pair:
    return Pair(f"{name}?", f" {name} yes", paraphrase=f" {name} yes indeed", perturbed=(f" {name} no", f" {name} nay"))


def _losses(name: str, right: float, paraphrase: float, *wrong: float) -> dict[str, float]:
    pair = _pair(name)
    return {
        f"{name}?{answer}": loss
        for answer, loss in zip(
            (pair.answer, pair.paraphrase, *pair.perturbed), (right, paraphrase, *wrong), strict=True
        )
    }


MODEL = Scripted(
    {
        **_losses("Ana", 0.5, 0.5, 1.0, 2.0),
        **_losses("Bo", 1.0, 1.0, 1.0, 1.0),
        **_losses("Cy", 0.1, 0.2, 3.0, 3.0),
        **_losses("Dee", 2.0, 1.5, 1.0, 1.0),
        **_losses("Eli", 0.3, 0.3, 0.9, 1.5),
    },
    {"Ana?": "Ana yes", "Bo?": "no", "Cy?": "Cy yes", "Dee?": "", "Eli?": "yes"},
)


def test_a_probe_holds_what_each_answer_showed() -> None:
    found = probe(MODEL, [_pair("Ana"), _pair("Dee")], 5)
    assert found.losses == pytest.approx((0.5, 2.0))
    assert found.probabilities == pytest.approx((math.exp(-0.5), math.exp(-2.0)))
    assert found.truth_ratios == pytest.approx((math.exp(0.5 - 1.5), math.exp(1.5 - 1.0)))
    assert found.rouge == pytest.approx((1.0, 0.0))
    assert found.generated == ("Ana yes", "")


def test_a_choice_is_measured_against_the_wrong_answers() -> None:
    found = probe(MODEL, [_pair("Eli")], 5, choose=True)
    weights = [math.exp(-loss) for loss in (0.3, 0.9, 1.5)]
    assert found.probabilities == pytest.approx((weights[0] / sum(weights),))
    assert found.losses == pytest.approx((0.3,))


def test_pairs_without_wrong_answers_have_no_truth_ratio() -> None:
    bare = Pair("Ana?", " Ana yes")
    found = probe(MODEL, [bare, _pair("Bo")], 5, choose=True)
    assert found.truth_ratios == ()
    assert found.probabilities == pytest.approx((math.exp(-0.5), math.exp(-1.0)))


def test_a_model_that_gives_no_numbers_is_a_clear_error() -> None:
    broken = Scripted({"Ana? Ana yes": math.nan}, {"Ana?": ""})
    with pytest.raises(UsageError, match="diverged"):
        probe(broken, [Pair("Ana?", " Ana yes")], 5)


def _splits() -> Splits:
    return Splits(
        forget=(_pair("Ana"), _pair("Bo")), retain=(_pair("Cy"),), holdout=(_pair("Dee"),), facts=(_pair("Eli"),)
    )


def test_metrics_are_those_computed_by_hand() -> None:
    metrics = evaluate(MODEL, _splits(), 5, {"truth_ratios": [1.0, math.exp(-1.0)]}).metrics
    choice = math.exp(-0.3) / sum(math.exp(-loss) for loss in (0.3, 0.9, 1.5))
    utility = [math.exp(-0.1), 1.0, 1 - math.exp(0.2 - 3.0), choice, 0.5, 1 - math.exp(0.3 - 1.2)]
    assert metrics == pytest.approx(
        {
            "forget_probability": (math.exp(-0.5) + math.exp(-1.0)) / 2,
            "forget_rouge": 0.5,
            "forget_truth_ratio": (math.exp(-1.0) + 1.0) / 2,
            "retain_probability": utility[0],
            "retain_rouge": utility[1],
            "retain_truth_ratio": utility[2],
            "facts_probability": utility[3],
            "facts_rouge": utility[4],
            "facts_truth_ratio": utility[5],
            "holdout_probability": math.exp(-2.0),
            "holdout_rouge": 0.0,
            "holdout_truth_ratio": 0.0,
            "model_utility": 6 / sum(1 / value for value in utility),
            "forget_truth_preferred": 0.5,  # ratios of 1/e and 1
            "forget_distance": 0.0,
            "forget_quality": 1.0,
            "membership_auc": 1.0,
        },
        abs=1e-6,
    )


def test_what_cannot_be_measured_is_left_out() -> None:
    splits = Splits(forget=(Pair("Ana?", " Ana yes"),), retain=(Pair("Cy?", " Cy yes"),))
    metrics = evaluate(MODEL, splits, 5).metrics
    assert set(metrics) == {
        "forget_probability",
        "forget_rouge",
        "retain_probability",
        "retain_rouge",
        "model_utility",
    }


def test_only_the_part_of_the_retain_set_that_is_asked_about_counts() -> None:
    splits = Splits(forget=(_pair("Ana"),), retain=(_pair("Bo"), _pair("Dee")), retain_probe=(_pair("Cy"),))
    assert evaluate(MODEL, splits, 5).metrics["retain_probability"] == pytest.approx(math.exp(-0.1))


def test_examples_show_every_split_as_asked_and_answered() -> None:
    examples = evaluate(MODEL, _splits(), 5).examples
    assert [(one.split, one.prompt, one.answer, one.generated) for one in examples] == [
        ("forget", "Ana?", "Ana yes", "Ana yes"),
        ("forget", "Bo?", "Bo yes", "no"),
        ("retain", "Cy?", "Cy yes", "Cy yes"),
        ("holdout", "Dee?", "Dee yes", ""),
        ("facts", "Eli?", "Eli yes", "yes"),
    ]


def test_without_wrong_answers_there_is_no_truth_ratio_to_compare_with_a_reference() -> None:
    plain = (Pair("Ana?", " Ana yes"),)
    found = evaluate(MODEL, Splits(forget=plain, retain=()), 5, {"truth_ratios": []})
    assert found.metrics["forget_probability"] == pytest.approx(math.exp(-0.5))
    assert not {name for name in found.metrics if "quality" in name or "distance" in name}
    assert found.kept == {"truth_ratios": []}
