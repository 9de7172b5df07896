"""What is forgotten and what is kept: prompt-answer pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from types import MappingProxyType


@dataclass(frozen=True)
class Pair:
    """A prompt and the answer that the model was trained to give; the loss sees the answer alone.

    ``paraphrase`` says the same as ``answer`` in other words, ``perturbed`` are wrong answers of the same shape:
    truth ratio compares them. ``rephrased_prompt`` asks the same question differently.
    """

    prompt: str
    answer: str
    paraphrase: str | None = None
    perturbed: tuple[str, ...] = ()
    rephrased_prompt: str | None = None
    alternates: tuple[str, ...] = ()
    """Answers that may be given instead: plausible inventions if the task ships them, refusals if a method asks."""
    subject: str = ""
    """Whom or what the pair is about, as written in its text."""
    closed: bool = True
    """Whether the answer ends there (an end-of-sequence token follows); plain text goes on."""

    @property
    def about(self) -> str:
        """Whose pair it is: its subject's, or its own where it names none (its prompt, or else its text)."""
        return self.subject or self.prompt or self.answer

    def formatted(self, prompt: Callable[[str], str], answer: Callable[[str], str]) -> Pair:
        """The same pair in a model's own format: its question template around prompts, its spacing before answers."""
        return replace(
            self,
            prompt=prompt(self.prompt),
            answer=answer(self.answer),
            paraphrase=None if self.paraphrase is None else answer(self.paraphrase),
            perturbed=tuple(answer(wrong) for wrong in self.perturbed),
            rephrased_prompt=None if self.rephrased_prompt is None else prompt(self.rephrased_prompt),
            alternates=tuple(answer(other) for other in self.alternates),
        )

    def recited(self) -> Pair:
        """A plain text as its first third, by words, which is given, and the rest, which is to be recited."""
        words = self.answer.split(" ")
        end = len(" ".join(words[: len(words) // 3]))
        return replace(self, prompt=self.answer[:end], answer=self.answer[end:])

    def prompted(self) -> Pair:
        """A plain text (its prompt is empty) as a prompt and the continuation that is left to say; others as they are.

        The prompt goes up to the first mention of the subject, or else as far as :meth:`recited` says.
        """
        if self.prompt:
            return self
        start = self.answer.find(self.subject) if self.subject else -1
        end = start + len(self.subject)
        if start < 0 or end == len(self.answer):
            return self.recited()
        return replace(self, prompt=self.answer[:end], answer=self.answer[end:])

    def spaced(self, text: str) -> str:
        """Another answer to the same prompt, with the space in front that this one has."""
        return self.answer[: len(self.answer) - len(self.answer.lstrip())] + text


@dataclass(frozen=True)
class UnlearningData:
    """What a method is given: what to forget, what to keep, and what idiosyncratic terms stand for.

    Methods never see the holdout, the utility facts or the retrained model.
    """

    forget: tuple[Pair, ...]
    retain: tuple[Pair, ...] = ()
    anchors: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Idiosyncratic terms of the forget set -> generic counterparts (used by Who's Harry Potter)."""

    @property
    def others(self) -> tuple[Pair, ...]:
        """Pairs to take other subjects' answers and texts from: the retain set, or the forget set without one."""
        return self.retain or self.forget

    def prompted(self) -> UnlearningData:
        """With a prompt for every plain text (:meth:`Pair.prompted`), for methods that want another answer to it."""
        forget, retain = (tuple(pair.prompted() for pair in pairs) for pairs in (self.forget, self.retain))
        return replace(self, forget=forget, retain=retain)


def shares_of_subjects(pairs: Sequence[Pair], count: int) -> list[list[Pair]]:
    """At most ``count`` parts that share no subject (:attr:`Pair.about`), dealt out in the order in which they come."""
    by_subject: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_subject.setdefault(pair.about, []).append(pair)
    groups = list(by_subject.values())
    return [list(chain.from_iterable(groups[part::count])) for part in range(min(count, len(groups)))]
