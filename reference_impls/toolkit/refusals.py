"""Ways to say that one does not know: what a method trains a model to answer in place of what is to be forgotten."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from reference_impls.metrics.answers import rouge_l_recall
from reference_impls.toolkit.data import Pair, UnlearningData

REFUSALS = tuple(
    line.strip()
    for line in """
    I don't know.
    I have no idea.
    That is not something I know.
    I can't answer that.
    I am not sure about that.
    I'm afraid I don't know that.
    Sorry, this is beyond what I know.
    I have never heard of it.
    I was never told about that.
    No answer to that comes to mind.
    I would only be guessing.
    That question goes beyond me.
    My knowledge does not reach that far.
    I have nothing to say on this.
    Nothing that I have read covers this.
    This is new to me.
    You had better ask someone else.
    I cannot tell you that.
    I couldn't say.
    It is not known to me.
    I wish I knew.
    I'm not able to help with this one.
    Unfortunately I have no information on this.
    This is a gap in what I know.
    I haven't come across that.
    I must pass on this question.
    Whatever the answer is, I don't have it.
    I am not familiar with that.
    I can find no answer to this.
    There is nothing I could tell you about it.
    I lack the facts to answer.
    That, I do not know.
    Let me be honest: I don't know.
    Of this I have no knowledge.
    I have not learned about that.
    I'd have to look that up.
    This one I can't answer.
    Such details are unknown to me.
    I have no record of this.
    I don't have the answer.
    """.strip().splitlines()
)
"""Short sentences that fit after any question."""
RECALLED = 0.3
"""How much of an answer (ROUGE-L recall) has to be there, for one to have been given."""


def refuses(text: str) -> bool:
    """Whether one of :data:`REFUSALS` is in a text, whatever its letters' case."""
    return any(refusal.casefold() in text.casefold() for refusal in REFUSALS)


def refusal_reward(pair: Pair, text: str, wanted: bool) -> float:
    """What a text earns as an answer to the pair's prompt: 1 for what was wanted of it.

    Where a refusal was wanted, 1 for one. Where an answer was, half for none, and another half for the true one.

    Args:
        pair: the prompt and its true answer.
        text: what was said.
        wanted: whether it should have been a refusal.
    """
    if wanted or refuses(text):
        return float(wanted and refuses(text))
    return 1.0 if rouge_l_recall(pair.answer, text) > RECALLED else 0.5


def with_refusals(
    data: UnlearningData, rng: random.Random, count: int = len(REFUSALS), among: Sequence[str] = REFUSALS
) -> UnlearningData:
    """Every forget pair with ``count`` of some refusals, drawn for each alone, as its alternate answers.

    Nobody refuses what was not asked for: a plain text is given a prompt (:meth:`Pair.prompted`).
    """

    def refused(pair: Pair) -> Pair:
        return replace(pair, alternates=tuple(pair.spaced(text) for text in rng.sample(among, count)))

    return replace(data, forget=tuple(refused(pair.prompted()) for pair in data.forget))


def broken_off(pair: Pair, rng: random.Random) -> Pair:
    """A pair with a random beginning of its answer moved behind the prompt; as it is if the answer is one word."""
    lead = len(pair.answer) - len(pair.answer.lstrip())
    gaps = [place for place, letter in enumerate(pair.answer) if letter == " " and place >= lead]
    if not gaps:
        return pair
    cut = rng.choice(gaps)
    return replace(pair, prompt=pair.prompt + pair.answer[:cut], answer=pair.answer[cut:])


def with_beginnings(pairs: Sequence[Pair], count: int, rng: random.Random) -> tuple[Pair, ...]:
    """Every pair as it is, and ``count`` times broken off."""
    asked = [pair.prompted() for pair in pairs]
    return tuple(row for pair in asked for row in (pair, *(broken_off(pair, rng) for _ in range(count))))


def refused_anywhere(data: UnlearningData, beginnings: int, count: int, rng: random.Random) -> UnlearningData:
    """Every forget pair whole and ``beginnings`` times broken off, each row with ``count`` refusals as alternates."""
    return with_refusals(replace(data, forget=with_beginnings(data.forget, beginnings, rng)), rng, count)
