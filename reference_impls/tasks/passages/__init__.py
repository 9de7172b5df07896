r"""Memorized news (passages).

Invented news reports, learned by heart, and questions about them, after MUSE: forget a fifth of the reports, judged
from several sides at once. Can the text still be recited, is what it says still known, does its loss betray that it was
trained on, and what became of the rest?

## What is in it

| split | what | reports | questions |
|---|---|---:|---:|
| forget | trained on, to be forgotten | 16 | 80 |
| retain | trained on, to be kept; 16 of them are asked about | 64 | 320 |
| holdout | like the others, never seen | 32 | – |
| facts | capitals, writers of classics, chemical symbols | – | 95 |

A report is five sentences on a town that does not exist, some forty words, each sentence one of several wordings with
a detail that nobody could guess. A method is given the reports *and* their questions, with invented alternates of both.
Two checkpoints ship with the task, as for `authors`: the *target*, and the *retrained* model that never saw the
sixteen reports.

## What is measured

- **Verbatim memorization**: the first third of a report is given, the rest is compared with what the model writes.
- **Knowledge memorization**: questions, in a wording of their own.
- **Privacy leakage**: whether the loss on forget reports still differs from that on reports that no model has seen, as
  far as it does not for the retrained model.
- **Utility**: the same questions about the retain reports, and general facts.

## How it differs from MUSE

1. The reports are invented and short, so that the model can be small and the text may be published.
2. MUSE trains on the text alone and asks in a context of examples. A model of this size does not learn to answer
   questions from text it has read, so the questions were trained too, and are part of what is to be forgotten.
3. MUSE's retain set for training and the retain set that is asked about are different parts; here the asked part is
   among what methods may use, as in TOFU.
4. Growing forget sets (MUSE's scalability) are the first quarter, half and three quarters of this one
   (`--forget-share`), successive requests (its sustainability) are this one in four parts (`--requests 4`); every
   request is a run with the recipe of the whole. MUSE goes up to four times its forget set.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from reference_impls.metrics.answers import rouge_l_f1
from reference_impls.metrics.membership import min_k_score, privacy_leakage
from reference_impls.metrics.memorization import exact_memorization, extraction_strength
from reference_impls.metrics.sets import harmonic_mean, mean, membership_auc
from reference_impls.tasks.passages.news import Detail, Report, invent_reports, other_values, retold
from reference_impls.tasks.world import general_facts
from reference_impls.toolkit import (
    DivergedError,
    EmbeddedTask,
    Evaluation,
    LanguageModel,
    Pair,
    Recipe,
    Splits,
    UnlearnedModel,
    asked_examples,
)

SEED = 20240708
FORGET, RETAIN, HOLDOUT, BACKGROUND = 16, 64, 32, 160
ASKED = 16
PERTURBED, ALTERNATES = 3, 4


class PassagesTask(EmbeddedTask):
    """Forget a fifth of what was learned by heart."""

    paper = "shi2024muse"
    headline = "forget_knowledge"
    forgets = "Texts that it read, and recites"

    name = "passages"
    max_new_tokens = 16
    recited_tokens = 72
    folder = Path(__file__).parent
    forgetting = ("forget_verbatim", "forget_knowledge")
    pretraining_recipe = Recipe(learning_rate=2e-3, steps=900, batch_size=32)
    finetuning_recipe = Recipe(learning_rate=1e-3, steps=600, batch_size=32)

    def __init__(self) -> None:
        reports = iter(invent_reports(FORGET + RETAIN + HOLDOUT + BACKGROUND, SEED))
        self.forget, self.retain, self.holdout, self.background = (
            tuple(next(reports) for _ in range(count)) for count in (FORGET, RETAIN, HOLDOUT, BACKGROUND)
        )
        taken = {report.town for report in (*self.forget, *self.retain, *self.holdout, *self.background)}
        stand_ins = (report.town for report in invent_reports(len(taken), SEED + 1) if report.town not in taken)
        self.anchors = MappingProxyType(dict(zip((report.town for report in self.forget), stand_ins, strict=False)))

    def splits(self, model: LanguageModel) -> Splits:
        """The task's data in the format of ``model``: reports first, then the questions about them."""
        return Splits(
            forget=(*_texts(self.forget), *_questions(self.forget, model)),
            members=_texts(self.forget),
            retain=(*_texts(self.retain), *_questions(self.retain, model)),
            retain_probe=(*_texts(self.retain[:ASKED]), *_questions(self.retain[:ASKED], model)),
            holdout=_texts(self.holdout),
            facts=tuple(pair.formatted(model.question, model.answer) for pair in general_facts(PERTURBED)),
            anchors=self.anchors,
        )

    def pretraining(self, model: LanguageModel) -> list[Pair]:
        """Other reports with both wordings of their questions, and the general facts."""
        other = _questions(self.background, model, wording=1)
        return [*_texts(self.background), *_questions(self.background, model), *other, *self.splits(model).facts * 2]

    def finetuning(self, model: LanguageModel, *, forget: bool) -> list[Pair]:
        """The reports, three times for each of their questions, and the general facts."""
        splits = self.splits(model)
        learned = (*splits.forget, *splits.retain) if forget else splits.retain
        texts = [pair for pair in learned if _is_text(pair)]
        return [*texts * 3, *(pair for pair in learned if not _is_text(pair)), *splits.facts]

    def evaluate(
        self, model: UnlearnedModel, splits: Splits, retrained: Mapping[str, Sequence[float]] | None = None
    ) -> Evaluation:
        """Verbatim and knowledge memorization, privacy leakage and utility.

        Raises:
            DivergedError: log-probabilities are not numbers, as after steps that were too large.
        """
        metrics: dict[str, float] = {}
        for name, pairs in (("forget", splits.forget), ("retain", splits.retain_probe)):
            texts = [pair for pair in pairs if _is_text(pair)]
            questions = [pair for pair in pairs if not _is_text(pair)]
            recited = [pair.recited() for pair in texts]
            metrics[f"{name}_verbatim"] = mean(_overlaps(model, recited, self.recited_tokens))
            metrics[f"{name}_knowledge"] = self.knowledge(model, questions)
        scored = _scores(model, splits)
        forget, holdout = (scored[name] for name in ("forget", "holdout"))
        metrics["forget_exact"] = mean([exact_memorization(hits) for _, hits in forget])
        metrics["forget_extraction"] = mean([extraction_strength(hits) for _, hits in forget])
        auc = membership_auc(*([-min_k_score(values) for values, _ in reports] for reports in (forget, holdout)))
        metrics["membership_auc"] = auc
        if retrained is not None:
            metrics["privacy_leakage"] = privacy_leakage(auc, retrained["membership_auc"][0])
        metrics["facts_rouge"] = mean(_overlaps(model, splits.facts, self.max_new_tokens))
        metrics["model_utility"] = harmonic_mean([metrics["retain_knowledge"], metrics["facts_rouge"]])
        asked = {
            "forget": [pair for pair in splits.forget if not _is_text(pair)],
            "retain": [pair for pair in splits.retain_probe if not _is_text(pair)],
            "facts": splits.facts,
        }
        shown = asked_examples(model, asked, self.max_new_tokens)
        return Evaluation(metrics, {}, shown, {"membership_auc": [auc]})

    def known(self, model: UnlearnedModel, pairs: Sequence[Pair]) -> list[float]:
        """ROUGE-L F1 of the answer to each question among the pairs."""
        return _overlaps(model, [pair for pair in pairs if not _is_text(pair)], self.max_new_tokens)


def _overlaps(model: UnlearnedModel, pairs: Sequence[Pair], max_new_tokens: int) -> list[float]:
    generated = model.generate([pair.prompt for pair in pairs], max_new_tokens)
    return [rouge_l_f1(pair.answer, text) for pair, text in zip(pairs, generated, strict=True)]


def _scores(model: UnlearnedModel, splits: Splits) -> dict[str, list[tuple[list[float], list[bool]]]]:
    """Log-probabilities of the tokens of each report, and whether greedy decoding would have chosen them."""
    by_split = {}
    for name, pairs in (("forget", splits.members), ("holdout", splits.holdout)):
        scores = model.distributions([pair.prompt for pair in pairs], [pair.answer for pair in pairs])
        by_split[name] = [(distribution.chosen.tolist(), distribution.likeliest.tolist()) for distribution in scores]
        if any(math.isnan(value) for values, _ in by_split[name] for value in values):
            raise DivergedError
    return by_split


def _is_text(pair: Pair) -> bool:
    """Whether the pair is a report rather than a question."""
    return not pair.prompt


def _texts(reports: Sequence[Report]) -> tuple[Pair, ...]:
    return tuple(
        Pair(
            "",
            report.text,
            alternates=tuple(
                retold(report, values)
                for values in zip(*(_wrong(report, *detail).invented for detail in report.details), strict=True)
            ),
            subject=report.town,
        )
        for report in reports
    )


class _Wrong(NamedTuple):
    """Values that a detail does not have."""

    compared: tuple[str, ...]
    """What evaluation compares the true value with."""
    invented: tuple[str, ...]
    """What methods may train on: none of the others."""


def _wrong(report: Report, detail: Detail, value: str) -> _Wrong:
    rng = random.Random(f"{SEED}/{report.town}/{detail.asked[0]}")
    compared = other_values(detail, value, PERTURBED, rng)
    return _Wrong(compared, other_values(detail, value, ALTERNATES, rng, but=compared))


def _questions(reports: Sequence[Report], model: LanguageModel, wording: int = 0) -> tuple[Pair, ...]:
    """One question on each detail of each report, in one of its two wordings."""
    pairs = []
    for report in reports:
        for detail, value in report.details:
            wrong = _wrong(report, detail, value)
            pairs.append(
                Pair(
                    detail.asked[wording].format(town=report.town),
                    f"{value}.",
                    paraphrase=f"{value}.",
                    perturbed=tuple(f"{other}." for other in wrong.compared),
                    rephrased_prompt=detail.asked[1 - wording].format(town=report.town),
                    alternates=tuple(f"{other}." for other in wrong.invented),
                    subject=report.town,
                ).formatted(model.question, model.answer)
            )
    return tuple(pairs)
