"""What an unlearning method is.

Methods act in different places: on the loss, on gradients or weights, on activations, on decoding, on the prompt.
So the interface is one function, :meth:`Method.unlearn`, which returns an unlearned model: anything that gives
log-probabilities and text. Most methods act on a loss; they derive from :class:`LossMethod` and give that alone.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from reference_impls.toolkit.batch import Batch, Reference
from reference_impls.toolkit.data import UnlearningData
from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.support import Part
from reference_impls.toolkit.wrapper import Kept, Wrapper

if TYPE_CHECKING:
    from reference_impls.toolkit.training import Run


class HyperparameterError(ValueError):
    """A hyper-parameter has a value that the method does not allow; the message says which are."""


def hyperparameter(
    default: Any,
    meaning: str,
    *,
    source: str,
    above: float | None = None,
    minimum: float | None = None,
    below: float | None = None,
    maximum: float | None = None,
    choices: tuple[Any, ...] | None = None,
    trade_off: tuple[Any, ...] | None = None,
) -> Any:
    """Declare a hyper-parameter: its default, what it is, where the default comes from, and what is allowed.

    ``trade_off`` marks the one knob that trades forgetting for retaining: ascending values at which the search for a
    recipe may try it, beside the learning rate. The search goes past their ends where the best is at one.

    The catalog reads these calls from the file's syntax tree, so every argument is a literal.
    """
    bounds = {"above": above, "minimum": minimum, "below": below, "maximum": maximum, "choices": choices}
    meaning_and_source = {"meaning": meaning, "source": source, "trade_off": trade_off}
    return dataclasses.field(default=default, metadata=meaning_and_source | bounds)


@dataclass(frozen=True)
class Method(ABC):
    """An unlearning method; its fields are its hyper-parameters."""

    paper: ClassVar[str]
    """Id of the record of the paper that the file follows."""
    acts_on: ClassVar[str]
    """loss, gradients, weights, activations, data, decoding or prompt."""
    reference: ClassVar[Reference] = "nothing"
    """What it needs of the model before unlearning: nothing, a frozen copy of it (``Batch.reference``), or its
    log-probabilities of the forget answers (``Batch.forget.reference``), which are computed once."""
    access: ClassVar[str] = "weights"
    """How far one must reach to run it: prompts (it changes nothing inside), weights, or training (from the start)."""
    retain: ClassVar[str] = "needed"
    """Whether it needs examples of what must stay: needed, optional (``retain_weight`` can be 0, or any other examples
    will do) or unused."""
    trains: ClassVar[str] = "all"
    """Which weights have gradients and an optimizer's state: all, part, adapters (added ones) or nothing."""
    copies: ClassVar[int] = 0
    """How many models it makes beside the one that unlearns; the frozen one of ``reference`` is counted by itself."""
    earlier: ClassVar[str] = "unused"
    """What it does with a checkpoint of the model from before it met what is to be forgotten (``run.earlier_than``):
    needed, optional or unused."""
    reads_features: ClassVar[str] = ""
    """Of what it takes features of sparse autoencoders (``features_of``): blocks, or memories (what MLPs write); empty
    for a method that takes none."""
    exact: ClassVar[bool] = False
    """Whether the result is what training without the data gives."""
    separate: ClassVar[bool] = False
    """Whether each request is served by itself, so that nothing adds up over many."""
    continues: ClassVar[bool] = False
    """Whether it goes on from what it returned itself: a method that works around the weights and serves requests that
    come one after another."""
    parts: ClassVar[tuple[Part, ...]] = ()
    """What a model must have inside for it, asked before anything is loaded; see
    :mod:`~reference_impls.toolkit.support`."""
    weighs_weights: ClassVar[bool] = False
    """Whether its rule is about the model's own weights one by one, such as which of them matter or how far they went;
    others in their place, as adapters are, would make it another method."""
    remembers: ClassVar[bool] = True
    """Whether its steps may build on more than the loop knows of (the weights, the optimizer's state, the run's random
    numbers, the place in the data): then a training that was interrupted cannot go on as if it had not been."""
    published: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """With what the method's own paper, or code that follows it, trained a model of billions: learning rate, epochs or
    steps, batch and their source, as :mod:`catalog.model.recipes` reads them. Empty where that is not known."""
    stops_itself: ClassVar[bool] = False
    """Whether a rule of its own ends the training. A run that the recipe's steps ended instead is then none of it."""

    @property
    def looks_at_retain(self) -> bool:
        """Whether examples of what must stay play a part: not where the weight of their term is 0."""
        return self.retain != "unused" and getattr(self, "retain_weight", 1.0) != 0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            check_hyperparameter(field.name, getattr(self, field.name), field.metadata, type(field.default))

    @abstractmethod
    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel | Wrapper:
        """Forget ``data.forget``. ``model`` is the run's own copy and may be changed."""

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> Wrapper:
        """What ``unlearn`` returned, from the weights and what was kept besides; for methods that return wrappers.

        Raises:
            KeyError, TypeError, ValueError: it cannot be made of what was kept.
        """
        raise TypeError(f"{cls.__name__} puts nothing around the weights")

    @classmethod
    def wraps(cls) -> bool:
        """Whether what it unlearns is, at least in part, around the weights."""
        return cls.restore.__func__ is not Method.restore.__func__  # type: ignore[attr-defined]


@dataclass(frozen=True)
class LossMethod(Method):
    """A method that minimises a loss over batches of forget and retain pairs."""

    remembers: ClassVar[bool] = False
    alternates: ClassVar[bool] = False
    """Whether the loss needs an alternate answer to each forget prompt (``Batch.alternate``)."""

    @abstractmethod
    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """() The objective on one batch."""

    def prepare(self, model: LanguageModel, data: UnlearningData, run: Run) -> UnlearningData:
        """Change the data first (alternate answers, other labels); by default nothing."""
        return data

    def trainable(self, model: LanguageModel) -> Iterable[Tensor]:
        """The weights that may move; by default all."""
        parameters: Iterable[Tensor] = model.model.parameters()
        return parameters

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Prepare, then minimise the loss with the run's recipe."""
        prepared = self.prepare(model, data, run)
        return run.minimize(
            self.loss,
            model,
            prepared,
            self.trainable(model),
            self.reference,
            self.alternates,
            retain=self.looks_at_retain,
        )


def check_hyperparameter(name: str, value: Any, allowed: Any, kind: type) -> None:
    """Check a value against what :func:`hyperparameter` declared.

    Raises:
        HyperparameterError: it is not of its type or range.
    """
    numeric = kind in (int, float)
    if numeric and (isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < math.inf):
        raise HyperparameterError(f"{name} must be a number, not {value!r}")
    if kind is int and not isinstance(value, int):
        raise HyperparameterError(f"{name} must be a whole number, not {value!r}")
    for key, sign, holds in (
        ("above", "greater than", lambda bound: value > bound),
        ("minimum", "at least", lambda bound: value >= bound),
        ("below", "less than", lambda bound: value < bound),
        ("maximum", "at most", lambda bound: value <= bound),
        ("choices", "one of", lambda bound: value in bound),
    ):
        bound = allowed.get(key)
        if bound is not None and not holds(bound):
            raise HyperparameterError(f"{name} must be {sign} {bound}, not {value!r}")
