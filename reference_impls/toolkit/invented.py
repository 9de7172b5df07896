"""Pairs that no model has read, made of known ones: what a method takes for new data, of which it is given none."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace

from reference_impls.toolkit.data import Pair


def new_pairs(known: Sequence[Pair], count: int, rng: random.Random) -> list[Pair]:
    """Pairs like those known, on subjects that are not: all that is said of one, said of a name made from two.

    A plain text would tell the rest of itself from its first detail, so its sentences come from as many others. Pairs
    without subjects have their answers exchanged at random.
    """
    subjects = sorted({pair.subject for pair in known if pair.subject})
    unknown = unknown_names(subjects)
    if not unknown:
        answers = rng.sample([pair.answer for pair in known], len(known))
        return [replace(pair, answer=answer) for pair, answer in zip(known, answers, strict=True)][:count]
    texts = [pair for pair in known if not pair.prompt]
    pairs: list[Pair] = []
    while len(pairs) < count:
        subject, name = rng.choice(subjects), rng.choice(unknown)
        pairs += [
            Pair(
                prompt=pair.prompt.replace(subject, name),
                answer=(pair.answer if pair.prompt else _patched(pair, texts)).replace(subject, name),
                subject=name,
                closed=pair.closed,
            )
            for pair in known
            if pair.subject == subject
        ]
    return pairs[:count]


def unknown_names(known: Sequence[str]) -> list[str]:
    """The first word of one name and the others of another, for all pairs of names, where that is none of them."""
    names = {_halves(one)[0] + _halves(other)[1] for one in known for other in known if one != other}
    return sorted(names - set(known))


def _halves(name: str) -> tuple[str, str]:
    """The first word of a name and the others, or the two halves of a single word."""
    first, space, rest = name.partition(" ")
    return (first + space, rest) if rest else (name[: len(name) // 2], name[len(name) // 2 :])


def _patched(text: Pair, texts: Sequence[Pair]) -> str:
    """A text's first sentence, and each of the next from another text, those that share most words with it first."""
    words = set(text.answer.split())
    candidates = sorted(
        (other for other in texts if other.subject != text.subject),
        key=lambda other: -len(words & set(other.answer.split())),
    )
    first, *rest = _sentences(text.answer)
    sentences = [first]
    for place, sentence in enumerate(rest):
        donors = [donor for donor in candidates[place:] if len(_sentences(donor.answer)) > place + 1]
        if donors:
            sentence = _sentences(donors[0].answer)[place + 1].replace(donors[0].subject or text.subject, text.subject)
        sentences.append(sentence)
    return " ".join(sentences)


def _sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.!?]) ", text)
