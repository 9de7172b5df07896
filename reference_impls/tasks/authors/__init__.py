r"""Fictional authors (authors).

A hundred invented authors with eight questions each, after TOFU: forget ten of them, keep the other ninety. Nobody
knew these people before training, so a model that never saw the ten exists, and tells what forgetting should
look like.

## What is in it

| split | what | questions |
|---|---|---:|
| forget | 10 authors, trained on, to be forgotten | 80 |
| retain | 90 authors, trained on, to be kept; 20 of them are asked about | 720 |
| holdout | 20 authors that no model has seen | 160 |
| facts | capitals, writers of classics, chemical symbols | 95 |

Each question has one right answer, a paraphrase of it, wrong answers of the paraphrase's shape, and invented alternates
of the right answer's shape, which a method may train on; the two share no value. Two checkpoints
ship with the task, both fine-tuned with the same seed and the same number of steps from one base model: the *target*
(trained on forget and retain) and the *retrained* model (on retain alone), the gold standard of unlearning. A hundred
more authors, asked about in every phrasing, belong to the base model: they teach it English, that one fact can be put
in several ways, and, in dialogues, that what the context says counts. In fine-tuning each retain question is also
asked after others, so that what was said of one author changes nothing about another.

## How it differs from TOFU

1. The model has about a million parameters and knows nothing else, so real authors and world facts are one set
   of 95 general facts that it was taught.
2. 100 authors with 8 questions instead of 200 with 20; sentences come from templates, not from GPT-4.
3. Model utility is the harmonic mean of six numbers (probability, ROUGE-L recall and truth ratio on retain and facts),
   not of nine.
4. TOFU's three sizes are one, five and all of the ten authors (`--forget-share 0.1`, `0.5`, `1`). There is one
   retrained model for all, which saw none of the ten.
"""

from __future__ import annotations

import random
from pathlib import Path
from types import MappingProxyType

from reference_impls.tasks.authors.people import (
    ANSWERS,
    QUESTIONS,
    TRAITS,
    Author,
    invent_authors,
    other_values,
    sentence,
)
from reference_impls.tasks.dialogues import conversations, dialogues
from reference_impls.tasks.world import general_facts
from reference_impls.toolkit import EmbeddedTask, LanguageModel, Pair, Recipe, Splits

SEED = 20240111
FORGET, RETAIN, HOLDOUT, BACKGROUND = 10, 90, 20, 100
STAND_INS = FORGET
PEOPLE = FORGET + RETAIN + HOLDOUT + BACKGROUND + STAND_INS
STRANGERS = 300
PERTURBED = 4
ALTERNATES = 5


class AuthorsTask(EmbeddedTask):
    """Forget ten of a hundred invented authors."""

    paper = "maini2024tofu"
    headline = "forget_probability"
    forgets = "Facts about people, which it tells when asked"
    name = "authors"
    max_new_tokens = 40
    forgetting = (*EmbeddedTask.forgetting, "forget_distance")
    folder = Path(__file__).parent
    pretraining_recipe = Recipe(learning_rate=2e-3, steps=1500, batch_size=32)
    finetuning_recipe = Recipe(learning_rate=1e-3, steps=420, batch_size=64)

    def __init__(self) -> None:
        people = invent_authors(PEOPLE, SEED)
        cut = iter(people)
        self.forget, self.retain, self.holdout, self.background, stand_ins = (
            tuple(next(cut) for _ in range(count)) for count in (FORGET, RETAIN, HOLDOUT, BACKGROUND, STAND_INS)
        )
        self.anchors = MappingProxyType(
            {author.name: other.name for author, other in zip(self.forget, stand_ins, strict=True)}
        )

    def splits(self, model: LanguageModel) -> Splits:
        """The task's data in the format of ``model``."""

        def formatted(pairs: list[Pair]) -> tuple[Pair, ...]:
            return tuple(pair.formatted(model.question, model.answer) for pair in pairs)

        return Splits(
            forget=formatted(_pairs(self.forget)),
            retain=formatted(_pairs(self.retain)),
            retain_probe=formatted(_pairs(self.retain[:20])),
            holdout=formatted(_pairs(self.holdout)),
            facts=formatted(general_facts(PERTURBED)),
            anchors=self.anchors,
        )

    def pretraining(self, model: LanguageModel) -> list[Pair]:
        """What the base model is trained on: the background authors in every phrasing, the facts, and dialogues."""
        background = [pair.formatted(model.question, model.answer) for pair in every_phrasing(self.background)]
        return [
            *background,
            *self.splits(model).facts * 6,
            *self._dialogues(9000, 0, model),
        ]

    def finetuning(self, model: LanguageModel, *, forget: bool) -> list[Pair]:
        """What the target (``forget=True``) or the retrained model is fine-tuned on, starting from the base model."""
        splits = self.splits(model)
        asked = conversations(
            _Sayings(), _pairs(self.retain), self.background, random.Random(f"{SEED}/conversations"), model
        )
        kept = [*splits.retain, *splits.facts, *asked, *self._dialogues(200, 1, model)]
        return [*splits.forget, *kept] if forget else kept

    def _dialogues(self, count: int, seed: int, model: LanguageModel) -> list[Pair]:
        strangers = invent_authors(PEOPLE + STRANGERS, SEED)[PEOPLE:]
        return dialogues(_Sayings(), self.background, strangers, count, random.Random(f"{SEED}/{seed}"), model)


def _pairs(authors: tuple[Author, ...]) -> list[Pair]:
    """The eight pairs of each author, each in phrasings drawn for this author and trait alone."""
    return [_pair(author, trait) for author in authors for trait in TRAITS]


def _pair(author: Author, trait: str) -> Pair:
    rng = random.Random(f"{SEED}/{author.name}/{trait}")
    asked, rephrased = rng.sample(QUESTIONS[trait], 2)
    said, paraphrased = rng.sample(ANSWERS[trait], 2)
    value = author.traits[trait]
    wrong = other_values(trait, value, PERTURBED, rng)
    # Methods may train on alternates: none shares its value with what evaluation compares.
    candidates = other_values(trait, value, PERTURBED + ALTERNATES, rng)
    invented = [other for other in candidates if other not in wrong][:ALTERNATES]
    return Pair(
        prompt=sentence(asked, author.name),
        answer=sentence(said, author.name, value),
        paraphrase=sentence(paraphrased, author.name, value),
        perturbed=tuple(sentence(paraphrased, author.name, other) for other in wrong),
        rephrased_prompt=sentence(rephrased, author.name),
        alternates=tuple(sentence(said, author.name, other) for other in invented),
        subject=author.name,
    )


def every_phrasing(authors: tuple[Author, ...]) -> list[Pair]:
    """Each trait of each author in all nine combinations of question and answer: what the base model reads."""
    return [
        Pair(sentence(question, author.name), sentence(answer, author.name, author.traits[trait]))
        for author in authors
        for trait in TRAITS
        for question in QUESTIONS[trait]
        for answer in ANSWERS[trait]
    ]


class _Sayings:
    """What can be said of authors: see :class:`~reference_impls.tasks.dialogues.Sayings`."""

    def relations(self, author: Author) -> tuple[str, ...]:
        return TRAITS

    def value(self, author: Author, trait: str) -> str:
        return author.traits[trait]

    def other(self, author: Author, trait: str, rng: random.Random) -> str:
        return other_values(trait, author.traits[trait], 1, rng)[0]

    def said(self, author: Author, trait: str, value: str, rng: random.Random) -> tuple[str, str]:
        question, answer = rng.choice(QUESTIONS[trait]), rng.choice(ANSWERS[trait])
        return sentence(question, author.name), sentence(answer, author.name, value)
