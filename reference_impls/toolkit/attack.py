"""What an attack on an unlearned model is: an attempt to get back what was forgotten.

An attack acts on the weights (relearning, rounding) or on what the model is asked (other words, a context). Either
way it ends in a number of the same kind: how much the attacked model knows of the forget set. A number means
nothing alone. It is compared with the same attack on the retrained model, which has nothing to give back.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, cast

from reference_impls.toolkit.data import Pair
from reference_impls.toolkit.language_model import LanguageModel, weights_of
from reference_impls.toolkit.method import check_hyperparameter
from reference_impls.toolkit.splits import Splits
from reference_impls.toolkit.unlearned_model import UnlearnedModel
from reference_impls.toolkit.wrapper import Ensemble

if TYPE_CHECKING:
    from reference_impls.toolkit.training import Run

Knowledge = Callable[[UnlearnedModel, Sequence[Pair]], float]
"""How much a model knows of some pairs' answers, in [0, 1]; a task says how it is measured."""


class NotApplicableError(Exception):
    """An attack cannot be tried on this kind of model; it then has no measurement."""


@dataclass(frozen=True)
class Victim:
    """An unlearned model, what it was to forget, and how to tell whether it has."""

    model: UnlearnedModel
    splits: Splits
    knowledge: Knowledge
    reference: UnlearnedModel | None = None
    """A model that never saw the forget set, for attackers who have one to compare with."""

    def knows(self, model: UnlearnedModel | None = None, pairs: Sequence[Pair] | None = None) -> float:
        """What a model (this one by default) knows of some pairs (the forget set by default), in [0, 1]."""
        return self.knowledge(model or self.model, self.splits.forget if pairs is None else pairs)


@dataclass(frozen=True)
class Attack(ABC):
    """An attack; its fields are its hyper-parameters."""

    paper: ClassVar[str]
    """Id of the record of the paper that the file follows."""

    def __post_init__(self) -> None:
        for field in fields(self):
            check_hyperparameter(field.name, getattr(self, field.name), field.metadata, type(field.default))

    @abstractmethod
    def measure(self, victim: Victim, run: Run) -> dict[str, float]:
        """What the attacked model knows of the forget set, by the name of the measurement.

        Empty where the attack does not apply, as when the task has no question in other words.
        """


def given_and_asked(pairs: Sequence[Pair], share: float, rng: random.Random) -> tuple[list[Pair], list[Pair]]:
    """A random share of some pairs (one at least), whose answers an attacker has, and the rest, to be asked about.

    Where some pairs are whole texts, which answer the questions about their subject, the share is one of subjects: a
    text is given with all of its questions, so that nothing that is asked has been given.
    """
    by_subject = any(not pair.prompt and pair.subject for pair in pairs)
    groups: dict[object, list[Pair]] = {}
    for number, pair in enumerate(pairs):
        groups.setdefault((by_subject and pair.subject) or number, []).append(pair)
    shuffled = list(groups.values())
    rng.shuffle(shuffled)
    given = [pair for group in shuffled[: max(1, round(share * len(shuffled)))] for pair in group]
    return given, [pair for pair in pairs if pair not in given]


def inside(model: UnlearnedModel, pairs: Sequence[Pair]) -> tuple[LanguageModel, list[Pair]]:
    """The weights of a model, with the pairs as they reach them: behind the prompt that a method put before them.

    Raises:
        NotApplicableError: there are no weights to get at, or those of several models, each with states of its own.
    """
    if isinstance(model, Ensemble):
        raise NotApplicableError("several models answer together, each with states and gradients of its own")
    weights, prompt = weights_of(model), getattr(model, "prompt", None)
    if weights is None:
        raise NotApplicableError(f"{type(model).__name__} holds no model to look into")
    if prompt is None:
        return weights, list(pairs)
    return weights, [replace(pair, prompt=prompt(pair.prompt)) for pair in pairs]


def with_weights(model: UnlearnedModel, change: Callable[[LanguageModel], LanguageModel]) -> UnlearnedModel:
    """The model with its weights changed; what a method put around them stays where it is, if that can be.

    Of an ensemble, each member changes: what it was made from has read nothing of the data. Where what is around
    cannot stay (layers inside the model), the attacker, who has the weights, takes it away first.

    Raises:
        NotApplicableError: there are no weights to get at.
    """
    if isinstance(model, LanguageModel):
        return change(model.copy())
    if isinstance(model, Ensemble):
        return model.changed(change)
    around: Any = model
    inner = weights_of(model)
    if inner is not None and is_dataclass(around):
        changed: UnlearnedModel = replace(cast(Any, around), model=change(inner.copy()))
        return changed
    return change(bare(model))


def bare(model: UnlearnedModel) -> LanguageModel:
    """A copy of the weights, with what a method put around them taken away.

    Raises:
        NotApplicableError: nothing is around them, or there are no weights to get at.
    """
    taken_away = getattr(model, "bare", None)
    if taken_away is None:
        raise NotApplicableError(f"nothing is around {type(model).__name__} that could be taken away")
    left: LanguageModel = taken_away()
    return left
