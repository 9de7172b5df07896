"""Models of which the weights are not all: what was unlearned is, at least in part, around them."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.unlearned_model import AnswerDistribution, UnlearnedModel

T = TypeVar("T")


class Wrapper(UnlearnedModel, Protocol):
    """An unlearned model of which the weights are not all: what was unlearned is, at least in part, around them."""

    model: LanguageModel
    """The model inside."""

    def bare(self) -> LanguageModel:
        """A copy of the weights with all that is around them taken away: what an attacker who has them is left with."""
        ...

    def to_json(self) -> dict[str, Any]:
        """All that must be kept besides weights."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """The weights that are around those of the model inside, by name."""
        ...


@dataclass(frozen=True)
class Kept:
    """What was saved of a :class:`Wrapper` besides the weights of the model inside."""

    facts: Mapping[str, Any]
    """See :meth:`Wrapper.to_json`."""
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    """See :meth:`Wrapper.tensors`."""

    def put_into(self, weights: Iterable[tuple[str, Tensor]], prefix: str = "") -> None:
        """Give weights, named as ``named_parameters`` does, the values that were kept under ``prefix`` and their names.

        Raises:
            KeyError, ValueError: what was kept is of another model, or not all of it.
        """
        with torch.no_grad():
            for name, weight in weights:
                value = self.tensors[prefix + name]
                if weight.shape != value.shape:
                    raise ValueError(f"{name} is of another shape than in this model")
                weight.copy_(value)

    def load_into(self, module: nn.Module) -> None:
        """Give a module the state that was kept.

        Raises:
            ValueError: what was kept is of another module, or not all of it.
        """
        try:
            module.load_state_dict(dict(self.tensors))
        except RuntimeError as error:
            raise ValueError(str(error).splitlines()[0]) from None


class Wrapped:
    """A model inside what a method put around it.

    Methods derive from it and add what they keep (``to_json``, ``tensors``) and what they change: the query, by
    :meth:`prompt`, or who answers it, by :meth:`speaker`. As it is, the model inside answers the query as it is.
    """

    model: LanguageModel
    """The model inside."""

    def prompt(self, query: str) -> str:
        """The query as it reaches whoever answers it."""
        return query

    def speaker(self, query: str, answer: str | None = None) -> UnlearnedModel:
        """Who answers a query: the model inside, several models together, or somebody who has but one answer.

        It is asked for every query, so whoever answers is made once.

        Args:
            query: what is asked, before :meth:`prompt`.
            answer: what is to be scored; None where an answer is to be written.
        """
        return self.model

    def bare(self) -> LanguageModel:
        """See :class:`Wrapper`."""
        return self.model.copy()

    def tensors(self) -> dict[str, Tensor]:
        """See :class:`Wrapper`."""
        return {}

    def answer_logprobs(self, prompts: Sequence[str], answers: Sequence[str]) -> list[Tensor]:
        """See :class:`UnlearnedModel`."""
        speakers = list(map(self.speaker, prompts, answers))
        return self._each(
            prompts,
            speakers,
            lambda speaker, asked, rows: speaker.answer_logprobs(asked, [answers[row] for row in rows]),
        )

    def distributions(self, prompts: Sequence[str], answers: Sequence[str]) -> Iterator[AnswerDistribution]:
        """See :class:`UnlearnedModel`."""
        in_order = zip(prompts, answers, map(self.speaker, prompts, answers), strict=True)
        for _, together in itertools.groupby(in_order, key=lambda row: id(row[2])):
            queries, said, (speaker, *_) = zip(*together, strict=True)
            yield from speaker.distributions([self.prompt(query) for query in queries], said)

    def generate(self, prompts: Sequence[str], max_new_tokens: int) -> list[str]:
        """See :class:`UnlearnedModel`."""
        speakers = list(map(self.speaker, prompts))
        return self._each(prompts, speakers, lambda speaker, asked, rows: speaker.generate(asked, max_new_tokens))

    def _each(
        self,
        queries: Sequence[str],
        speakers: Sequence[UnlearnedModel],
        ask: Callable[[UnlearnedModel, list[str], list[int]], list[T]],
    ) -> list[T]:
        """What is answered to each query, each speaker asked once: ``ask(speaker, prompts, rows)``."""
        answers: dict[int, T] = {}
        for speaker in {id(speaker): speaker for speaker in speakers}.values():
            rows = [row for row, candidate in enumerate(speakers) if candidate is speaker]
            answers |= zip(rows, ask(speaker, [self.prompt(queries[row]) for row in rows], rows), strict=True)
        return [answers[row] for row in range(len(queries))]


class Ensemble(Wrapped, ABC):
    """Several models with weights of their own, made from :attr:`model`, which itself answers nothing.

    What changes weights changes each of these members, and they answer together as before.
    """

    @abstractmethod
    def member(self, number: int) -> LanguageModel:
        """A copy of one of the models that answer, with adapters merged and masks applied."""

    @abstractmethod
    def with_members(self, member: Callable[[int], LanguageModel]) -> UnlearnedModel:
        """The same ensemble with other models in the members' places, for questions; it is not kept or trained on."""

    def changed(self, change: Callable[[LanguageModel], LanguageModel]) -> UnlearnedModel:
        """The same ensemble of what ``change`` makes of each member, in place or not, once it has something to say."""

        @cache
        def member(number: int) -> LanguageModel:
            with (
                torch.inference_mode(False),
                torch.enable_grad(),
            ):  # who asks gives no gradients, a change may need them
                return change(self.member(number))

        return self.with_members(member)
