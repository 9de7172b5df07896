"""What is forgotten and what is kept: prompt-answer pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
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


@dataclass(frozen=True)
class UnlearningData:
    """What a method is given: what to forget, what to keep, and what idiosyncratic terms stand for.

    Methods never see the holdout, the utility facts or the retrained model.
    """

    forget: tuple[Pair, ...]
    retain: tuple[Pair, ...] = ()
    anchors: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Idiosyncratic terms of the forget set -> generic counterparts (used by Who's Harry Potter)."""
