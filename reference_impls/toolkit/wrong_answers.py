"""Wrong answers made of other pairs' right ones: for methods that put something false in an answer's place."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace

from reference_impls.errors import UsageError
from reference_impls.toolkit.data import Pair


def flipped_answer(pair: Pair, others: Sequence[Pair], rng: random.Random) -> str:
    """A wrong answer to the pair's prompt: another subject's answer to the question most like it, renamed."""
    return rng.choice(flipped_answers(pair, others))


def flipped_answers(pair: Pair, others: Sequence[Pair]) -> list[str]:
    """All wrong answers to the pair's prompt that other subjects' answers to the questions most like it give, renamed.

    Raises:
        UsageError: every other answer is its own.
    """
    question = distinct_words(pair.prompt) - distinct_words(pair.subject)
    wrong = [other for other in others if _said_of(pair.subject, other) != pair.answer]
    candidates = [other for other in wrong if other.subject != pair.subject] or wrong
    if not candidates:
        raise UsageError("Every answer is the same, so there is no wrong one.")
    likeness = [
        jaccard(question, distinct_words(candidate.prompt) - distinct_words(candidate.subject))
        for candidate in candidates
    ]
    best = [candidate for candidate, value in zip(candidates, likeness, strict=True) if value == max(likeness)]
    return [_said_of(pair.subject, donor) for donor in best]


def false_answers(pair: Pair, others: Sequence[Pair], count: int, rng: random.Random) -> tuple[str, ...]:
    """At most ``count`` false answers: the pair's alternates, or else other pairs' answers, each but once.

    Raises:
        UsageError: the pair has no alternates, and every other answer is its own.
    """
    return pair.alternates[:count] or tuple(dict.fromkeys(flipped_answer(pair, others, rng) for _ in range(count)))


def with_answers_of_others(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """The pairs with the other pairs' answers as alternates; its own where there is no other."""
    answers = tuple(dict.fromkeys(pair.answer for pair in pairs))
    others = (tuple(answer for answer in answers if answer != pair.answer) for pair in pairs)
    return tuple(replace(pair, alternates=wrong or answers) for pair, wrong in zip(pairs, others, strict=True))


def _said_of(subject: str, donor: Pair) -> str:
    """The donor's answer with the subject's name in place of its own."""
    return donor.answer.replace(donor.subject, subject) if donor.subject else donor.answer


def distinct_words(text: str) -> frozenset[str]:
    """The distinct words of a text, in lower case."""
    return frozenset(re.findall(r"\w+", text.casefold()))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard similarity, in [0, 1]."""
    return len(one & other) / max(1, len(one | other))


def most_alike(pairs: Sequence[Pair], kept: Sequence[Pair], count: int) -> list[list[Pair]]:
    """For each pair, the ``count`` of those kept that share most words with it, most first; of several the first."""
    words = [distinct_words(pair.prompt + pair.answer) for pair in kept]

    def order(pair: Pair) -> list[int]:
        own = distinct_words(pair.prompt + pair.answer)
        return sorted(range(len(kept)), key=lambda row: -jaccard(own, words[row]))

    return [[kept[row] for row in order(pair)[:count]] for pair in pairs]
