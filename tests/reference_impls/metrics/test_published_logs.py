"""The metrics on per-example logs of real runs give the figures that were published for those runs.

The numbers lie in ``published_logs``, each file with where they come from. Only numbers: of ROUGE-L the logs' own value
per example is taken, so its mean is checked here and its formula in ``test_answers``.

TOFU's leaderboard has all digits of a float. Where the losses are here, figures agree in 13 digits and more; where only
the logged truth ratios are, which are float32, in seven. OpenUnlearning's summaries have all digits too, but it adds
1e-10 to what it divides by; its tables have two digits or so.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reference_impls.metrics.answers import answer_probability, choice_probability, truth_ratio
from reference_impls.metrics.membership import privacy_leakage
from reference_impls.metrics.sets import (
    forget_quality,
    forget_truth_ratio,
    harmonic_mean,
    mean,
    membership_auc,
    utility_truth_ratio,
)

ALL_DIGITS, FLOAT32 = 1e-13, 1e-7
EPSILON = 1e-9
"""What OpenUnlearning's additions of 1e-10 leave."""


def _log(name: str) -> Any:
    return json.loads((Path(__file__).parent / "published_logs" / f"{name}.json").read_text(encoding="utf-8"))


PHI = _log("tofu_phi_retain99")
PHI_FORGET10 = _log("tofu_phi_forget10")
LLAMA = _log("openunlearning_tofu_forget01")
NEWS = _log("openunlearning_muse_news")
SIZES = {"forget": 40, "retain": 300, "real_authors": 100, "world_facts": 117}
FACTS = ("real_authors", "world_facts")


def _answer(loss: float) -> torch.Tensor:
    """Log-probabilities of an answer with that mean loss per token, which is all that the logs keep of it."""
    return torch.full((3,), -loss, dtype=torch.float64)


def _ratios(split: str) -> list[float]:
    log = PHI[split]
    if "perturbed" not in log:
        return list(log["truth_ratios"])
    rows = zip(log["paraphrase"], log["perturbed"], strict=True)
    return [truth_ratio(_answer(right), [_answer(one) for one in wrong]) for right, wrong in rows]


def _probabilities(split: str) -> list[float]:
    log = PHI[split]
    if split not in FACTS:
        return [answer_probability(_answer(loss)) for loss in log["losses"]]
    rows = zip(log["losses"], log["perturbed"], strict=True)
    return [choice_probability(_answer(right), [_answer(one) for one in wrong]) for right, wrong in rows]


def _figures(split: str) -> dict[str, float]:
    total = forget_truth_ratio if split == "forget" else utility_truth_ratio
    return {
        "probability": mean(_probabilities(split)),
        "rouge": mean(PHI[split]["rouge"]),
        "truth_ratio": total(_ratios(split)),
    }


# TOFU: one model, every figure of its row


@pytest.mark.parametrize(("split", "size"), SIZES.items())
def test_probability_rouge_and_truth_ratio_are_those_of_tofus_leaderboard(split: str, size: int) -> None:
    """Probability in the choice form and truth ratios against the original answer for the two sets of facts."""
    assert {len(values) for values in PHI[split].values()} == {size}
    from_losses, figures = "perturbed" in PHI[split], _figures(split)
    for name, published in PHI["published"][split].items():
        tolerance = ALL_DIGITS if from_losses or name != "truth_ratio" else FLOAT32
        assert figures[name] == pytest.approx(published, rel=tolerance), name


def test_each_truth_ratio_is_the_logged_one() -> None:
    assert _ratios("forget") == pytest.approx(PHI["forget"]["truth_ratios"], rel=1e-6)


def test_the_published_truth_ratio_averages_losses_and_not_probabilities_as_the_paper_has_it() -> None:
    log = PHI["forget"]
    ratios = np.exp(-np.array(log["perturbed"])).mean(axis=1) / np.exp(-np.array(log["paraphrase"]))
    assert forget_truth_ratio(ratios.tolist()) == pytest.approx(0.6578, abs=1e-4)
    assert PHI["published"]["forget"]["truth_ratio"] == pytest.approx(0.6446, abs=1e-4)


def test_model_utility_from_the_logs_is_the_published_one() -> None:
    figures = [value for split in ("retain", *FACTS) for value in _figures(split).values()]
    assert harmonic_mean(figures) == pytest.approx(PHI["published"]["model_utility"], rel=FLOAT32)


def test_model_utility_of_the_published_components_is_the_published_one() -> None:
    figures = [value for split in ("retain", *FACTS) for value in PHI["published"][split].values()]
    assert harmonic_mean(figures) == pytest.approx(PHI["published"]["model_utility"], rel=ALL_DIGITS)


# TOFU: a model against the retrained one


def test_forget_quality_of_the_target_is_that_of_tofus_leaderboard() -> None:
    ratios, published = PHI_FORGET10["truth_ratios"], PHI_FORGET10["published"]
    assert {name: len(values) for name, values in ratios.items()} == {"full": 300, "retain90": 300}
    assert forget_quality(ratios["full"], ratios["retain90"]) == pytest.approx(published["forget_quality"], rel=1e-12)
    for name, values in ratios.items():
        assert forget_truth_ratio(values) == pytest.approx(published["truth_ratio"][name], rel=FLOAT32)


@pytest.mark.parametrize(
    ("distance", "published"),
    [
        (14, 0.01430154804770646),
        (15, 0.006760732303569208),
        (16, 0.003018184077228396),
        (17, 0.0012708143485281624),
    ],
)
def test_the_leaderboards_forget_qualities_on_40_examples_are_those_of_a_distance(
    distance: int, published: float
) -> None:
    """Every p-value below 1 of ``llama-1p.csv``: with 40 examples a side, one for each distance in fortieths."""
    one, other = [float(i) for i in range(40)], [i + distance - 0.5 for i in range(40)]
    assert forget_quality(one, other) == pytest.approx(published, rel=1e-12)


# OpenUnlearning


def test_forget_quality_and_truth_ratios_are_openunlearnings() -> None:
    ratios = {name: LLAMA[name]["truth_ratios"] for name in ("full", "retain99")}
    published = LLAMA["published"]
    quality = forget_quality(ratios["full"], ratios["retain99"])
    assert quality == pytest.approx(published["forget_quality"], rel=1e-12)
    assert f"{quality:.2f}" == published["rounded"]["forget_quality"]
    for name, values in ratios.items():
        assert len(values) == 40
        assert forget_truth_ratio(values) == pytest.approx(published["truth_ratio"][name], rel=EPSILON)
        assert f"{forget_truth_ratio(values):.2f}" == published["rounded"]["truth_ratio"][name]


def test_answer_probability_is_openunlearnings() -> None:
    """Which keeps each answer's probability as float32."""
    probability = mean([answer_probability(_answer(loss)) for loss in LLAMA["full"]["losses"]])
    assert probability == pytest.approx(LLAMA["published"]["probability"]["full"], rel=FLOAT32)


def _auc(scores: dict[str, list[float]], size: int) -> float:
    assert {len(values) for values in scores.values()} == {size}
    return membership_auc(scores["forget"], scores["holdout"])


def test_membership_and_leakage_on_tofu_are_openunlearnings() -> None:
    """Without a retrained model's log it compares with an AUC of one half."""
    published, auc = LLAMA["published"], _auc(LLAMA["retain99"]["min_k"], 40)
    assert auc == pytest.approx(published["min_k_auc"]["retain99"], rel=ALL_DIGITS)
    leakage = privacy_leakage(auc, 0.5)
    assert leakage == pytest.approx(published["privacy_leakage_against_a_half"]["retain99"], rel=EPSILON)


def test_privacy_leakage_of_muses_target_is_openunlearnings() -> None:
    published = NEWS["published"]
    aucs = {name: _auc(NEWS[name], 100) for name in ("target", "retrain")}
    assert aucs == pytest.approx(published["min_k_auc"], rel=ALL_DIGITS)
    leakage = privacy_leakage(aucs["target"], aucs["retrain"])
    assert leakage == pytest.approx(published["privacy_leakage"], rel=EPSILON)
    assert f"{leakage:.2f}" == published["rounded"]["privacy_leakage"]
    against_a_half = published["privacy_leakage_against_a_half"]["retrain"]
    assert privacy_leakage(aucs["retrain"], 0.5) == pytest.approx(against_a_half, rel=EPSILON)
