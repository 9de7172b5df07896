"""The one training loop, and the tools that a run offers to methods."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from reference_impls.errors import UsageError
from reference_impls.scaling import LoRA, Scaling
from reference_impls.toolkit import processes
from reference_impls.toolkit.adapters import Adapted, before_training
from reference_impls.toolkit.batch import Batch, Reference
from reference_impls.toolkit.data import Pair, UnlearningData
from reference_impls.toolkit.gradients import Gradient
from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.logprobs import Encoded, mean_nll
from reference_impls.toolkit.parts import Parts, in_parts
from reference_impls.toolkit.savepoints import Savepoints, State, names_of
from reference_impls.toolkit.stepping import MakeOptimizer, Stepper

BATCHES_SORTED = 16
"""How many batches are drawn together, to put sequences of similar length into one."""


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train: chosen per task and method, never by the method's file."""

    learning_rate: float = 1e-5
    steps: int = 60
    batch_size: int = 16
    weight_decay: float = 0.0
    warmup: float = 0.1
    """Fraction of the steps over which the learning rate rises linearly from 0."""
    max_grad_norm: float = 1.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.learning_rate):
            raise UsageError(f"The learning rate must be a finite number, not {self.learning_rate}.")


@dataclass
class Run:
    """One run of a method: its recipe, its seed, and tools. State that changes lives here, not in the method."""

    recipe: Recipe
    seed: int = 0
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None
    """Called as ``progress(stage, steps done, steps in all)``."""
    scaling: Scaling = field(default_factory=Scaling)
    """How a model is trained that is large for its machine."""
    savepoints: Savepoints | None = None
    """Where the state of :meth:`minimize` is kept, and what it goes on from, if anywhere."""
    earlier: Callable[[], LanguageModel] | None = None
    """Loads a checkpoint of the model from before it met what is to be forgotten, if there is one."""
    autoencoders: tuple[str, ...] = ()
    """Where published sparse autoencoders of the model lie, for methods that work on features; none by default."""
    rng: random.Random = field(init=False)
    stopped: int | None = field(init=False, default=None)
    """After how many steps the method's own rule ended the training; None if the recipe did."""
    notes: list[str] = field(init=False, default_factory=list)
    """What people have to know of the result besides its numbers, such as weights that could not be touched."""
    trainings: int = field(init=False, default=0)
    """How often the loop was gone through."""

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        torch.manual_seed(self.seed)

    def tell(self, note: str) -> None:
        """Let people know, once; an empty note is none."""
        if note and note not in self.notes:
            self.notes.append(note)

    def apart(self, seed: int) -> Run:
        """A run like this one with random numbers of its own, for a training that must not depend on any other's."""
        self.trainings += 1
        return replace(self, seed=seed, savepoints=None)

    def stages(self, count: int) -> Iterator[Run]:
        """Runs for trainings one after another, which share out the recipe's steps; each has its own random numbers."""
        recipe = replace(self.recipe, steps=-(-self.recipe.steps // count))
        for stage in range(count):
            yield replace(self.apart(self.seed * count + stage), recipe=recipe)

    def earlier_than(self, model: LanguageModel) -> LanguageModel:
        """The model as it was before it met what is to be forgotten; it may be changed.

        Raises:
            UsageError: there is no such checkpoint, or it is one of another model.
        """
        if self.earlier is None:
            raise UsageError(
                "There is no checkpoint from before the model met what is to be forgotten; name one with --earlier."
            )
        earlier = self.earlier()
        then, now = ({name: one.shape for name, one in which.model.named_parameters()} for which in (earlier, model))
        if then != now:
            other = min(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
            raise UsageError(
                f"The earlier checkpoint is one of another model: its {other} is not of the same shape, or not there. "
                "Name one of the same model with --earlier."
            )
        return earlier

    def minimize(
        self,
        loss: Callable[[LanguageModel, Batch], Tensor | Gradient],
        model: LanguageModel,
        data: UnlearningData,
        parameters: Iterable[Tensor] | None = None,
        reference: Reference = "nothing",
        alternates: bool = False,
        finished: Callable[[int], bool] = lambda step: False,
        after_step: Callable[[], None] | None = None,
        retain: bool = True,
        optimizer: MakeOptimizer = torch.optim.AdamW,
    ) -> LanguageModel:
        """Minimise a loss over random batches; ``model`` is changed in place and returned.

        A method that changes gradients, or makes one of several losses, returns the finished :class:`Gradient` in
        place of a loss: the optimizer takes it as it would take the loss's own.

        Each epoch meets every forget pair once; each batch has as many retain pairs, drawn at random (as in TOFU), and,
        with ``alternates``, one of the alternate answers of each forget pair. Without ``retain``, or without a
        retain set, there are no retain pairs in it.
        What depends only on the model before unlearning is computed once, before the first step.
        ``finished`` is asked before each step, with its number from 0, and may end the run before the recipe does.
        ``after_step`` is called after each, without gradients: there a constraint on the weights is put back in force.
        """
        queues: dict[str, list[int]] = {"forget": [], "retain": []}
        with in_parts(self._parts):
            batches = self._batches(model, data, reference, alternates, retain, queues)
        trained = parameters or model.model.parameters()

        def step() -> Tensor | Gradient:
            return loss(model, next(batches))

        self._descend(
            model,
            trained,
            step,
            "unlearning",
            finished=finished,
            after_step=after_step,
            make_optimizer=optimizer,
            queues=queues,
        )
        return model

    def finetune_lora(
        self,
        model: LanguageModel,
        pairs: Sequence[Pair],
        rank: int,
        alpha: float,
        stage: str = "fine-tuning",
        before_merge: Callable[[torch.nn.Module], None] = lambda adapted: None,
    ) -> LanguageModel:
        """Fine-tune low-rank adapters on every linear layer of the blocks, then merge them into the weights.

        ``before_merge`` may change the trained adapters (peft's ``lora_A`` and ``lora_B``).
        """
        adapted = self.adapt(model, LoRA(rank, alpha))
        self.finetune(model, pairs, stage=stage)
        before_merge(model.model)
        adapted.merge()
        return model

    def adapt(self, model: LanguageModel, lora: LoRA) -> Adapted:
        """Put fresh adapters into the model, which alone train until they are merged, and tell what they cannot reach.

        Raises:
            UsageError: there is no layer for one.
        """
        adapted = Adapted(model, lora)
        self.tell(adapted.not_adapted())
        return adapted

    def finetune(
        self,
        model: LanguageModel,
        pairs: Sequence[Pair],
        recipe: Recipe | None = None,
        parameters: Iterable[Tensor] | None = None,
        stage: str = "fine-tuning",
    ) -> LanguageModel:
        """Ordinary fine-tuning on the pairs' answers (mean negative log-likelihood); changes ``model`` in place."""
        recipe = recipe or self.recipe
        lengths = [len(pair.prompt) + len(pair.answer) for pair in pairs]
        rows = _alike(_epochs(len(pairs), recipe.batch_size * BATCHES_SORTED, self.rng), lengths, recipe, self.rng)

        def loss() -> Tensor:
            chosen = next(rows)
            return mean_nll(*model.token_logits(model.encode([pairs[row] for row in chosen], chosen)))

        self._descend(model, parameters or model.model.parameters(), loss, stage, recipe)
        return model

    def _descend(
        self,
        model: LanguageModel,
        parameters: Iterable[Tensor],
        loss: Callable[[], Tensor | Gradient],
        stage: str,
        recipe: Recipe | None = None,
        finished: Callable[[int], bool] = lambda step: False,
        after_step: Callable[[], None] | None = None,
        make_optimizer: MakeOptimizer = torch.optim.AdamW,
        queues: Mapping[str, list[int]] | None = None,
    ) -> None:
        recipe = recipe or self.recipe
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        if not trained:
            raise UsageError("There is nothing to train: none of the weights that the method would move may move.")
        # Optimizers that are given gradients find them in the order in which :class:`Gradient` has them.
        place = {id(weight): place for place, weight in enumerate(model.model.parameters())}
        trained.sort(key=lambda weight: place.get(id(weight), len(place)))
        warmup = max(1, round(recipe.warmup * recipe.steps))
        stepper = Stepper(trained, make_optimizer, recipe.learning_rate, recipe.weight_decay, warmup)
        self.trainings += 1
        kept = self._kept(model, stepper, queues)
        first = kept.restore(stepper) if kept else 0
        frozen = _freeze_others(model.model, trained)
        with ExitStack() as stack:
            stack.enter_context(model.training())
            stack.enter_context(in_parts(self._parts))
            if self.scaling.gradient_checkpointing:
                stack.enter_context(model.recomputing())
            for step in range(first, recipe.steps):
                if finished(step):
                    self.stopped = step
                    break
                value = loss()
                if isinstance(value, Gradient):
                    value.hand_over()
                else:
                    value.backward()
                    processes.average_gradients(trained)
                stepper.step(recipe.max_grad_norm, after_step)
                self.progress(stage, step + 1, recipe.steps)
                if kept:
                    kept.write_if_due(step + 1)
        for parameter in frozen:
            parameter.requires_grad_(True)

    @property
    def _parts(self) -> Parts:
        """How batches go through a model while it trains."""
        return Parts(self.scaling.accumulate, processes.rank(), processes.world())

    def _kept(self, model: LanguageModel, stepper: Stepper, queues: Mapping[str, list[int]] | None) -> _Kept | None:
        """The state of this training, where it is to be kept."""
        if self.savepoints is None or queues is None:
            return None
        weights = dict(zip(names_of(stepper.weights, model.model), stepper.moved, strict=True))
        state = State(weights, stepper.optimizer, queues, self.rng)
        return _Kept(self.savepoints, self.trainings, state)

    def _batches(
        self,
        model: LanguageModel,
        data: UnlearningData,
        needs: Reference,
        alternates: bool,
        looks_at_retain: bool,
        queues: Mapping[str, list[int]],
    ) -> Iterator[Batch]:
        """Endless batches. References are computed here and now, in evaluation mode, not with the first batch."""
        size = self.recipe.batch_size
        forget = _Encoder(model, data.forget, needs)
        retain = _Encoder(model, data.retain) if looks_at_retain and data.retain else None
        nothing = Encoded.empty(model.device)
        alternate = _AlternateEncoder(model, data.forget, needs, self.rng) if alternates else None
        reference = before_training(model) if needs == "model" else None
        forget_rows = _epochs(len(data.forget), size, self.rng, queues["forget"])
        # Drawn even where nobody looks at them, so that what else is drawn does not depend on it.
        as_many = min(size, len(data.forget))
        retain_rows = _epochs(len(data.retain), as_many, self.rng, queues["retain"]) if data.retain else None

        def batch(rows: list[int]) -> Batch:
            drawn = next(retain_rows) if retain_rows else []
            kept = retain(drawn) if retain else nothing
            return Batch(forget(rows), kept, reference, alternate(rows) if alternate else None)

        return map(batch, forget_rows)


@dataclass(frozen=True)
class _Kept:
    """The state of one training, and where it is kept."""

    savepoints: Savepoints
    stage: int
    state: State

    def restore(self, stepper: Stepper) -> int:
        """Go on from what was kept, if anything; returns after how many steps that was."""
        step = self.savepoints.restore(self.stage, self.state)
        if step:
            stepper.go_on(step)
        return step

    def write_if_due(self, step: int) -> None:
        if self.savepoints.due(step):
            self.savepoints.write(self.stage, step, self.state)


class _Encoder:
    """Rows of a data set -> a batch, with the reference log-probabilities of its tokens."""

    def __init__(self, model: LanguageModel, pairs: Sequence[Pair], needs: Reference = "nothing") -> None:
        self.model, self.pairs = model, pairs
        self.reference = model.pair_logprobs(pairs) if needs == "log-probabilities" else None

    def __call__(self, rows: list[int]) -> Encoded:
        encoded = self.model.encode([self.pairs[row] for row in rows], rows)
        if self.reference is None:
            return encoded
        values = torch.cat([self.reference[row] for row in rows]).to(encoded.input_ids.device)
        return replace(encoded, reference=values.clone())


class _AlternateEncoder:
    """Rows of a data set -> a batch of the same prompts with other answers, one drawn for each."""

    def __init__(self, model: LanguageModel, pairs: Sequence[Pair], needs: Reference, rng: random.Random) -> None:
        counts = [len(pair.alternates) for pair in pairs]
        if not all(counts):
            raise ValueError(f"no alternate answer for {pairs[counts.index(0)].prompt!r}")
        ends = list(itertools.accumulate(counts))
        self.choices = [range(end - count, end) for end, count in zip(ends, counts, strict=True)]
        self.encoder = _Encoder(
            model, [replace(pair, answer=alternate) for pair in pairs for alternate in pair.alternates], needs
        )
        self.rng = rng

    def __call__(self, rows: list[int]) -> Encoded:
        encoded = self.encoder([self.rng.choice(self.choices[row]) for row in rows])
        return replace(encoded, rows=torch.tensor(rows, device=encoded.rows.device))


def _epochs(count: int, size: int, rng: random.Random, queue: list[int] | None = None) -> Iterator[list[int]]:
    """Rows in random order, every one once per epoch, ``size`` at a time; endless. ``queue`` holds what comes next."""
    if not count:
        raise ValueError("there is nothing to draw from: the data set is empty")
    queue = [] if queue is None else queue
    while True:
        while len(queue) < min(size, count):
            epoch = list(range(count))
            rng.shuffle(epoch)
            queue += epoch
        drawn = queue[: min(size, count)]
        del queue[: min(size, count)]
        yield drawn


def _alike(
    groups: Iterator[list[int]], lengths: Sequence[int], recipe: Recipe, rng: random.Random
) -> Iterator[list[int]]:
    """Cut groups of rows into batches of similar length, in random order: less padding, the same data."""
    for group in groups:
        order = sorted(group, key=lambda row: (lengths[row], row))
        batches = [order[start : start + recipe.batch_size] for start in range(0, len(order), recipe.batch_size)]
        rng.shuffle(batches)
        yield from batches


def _freeze_others(module: torch.nn.Module, trained: Sequence[Tensor]) -> list[Tensor]:
    """Turn gradients off where no weight may move, so that backward does no needless work; returns those."""
    kept = {id(parameter) for parameter in trained}
    frozen: list[Tensor] = [
        parameter for parameter in module.parameters() if id(parameter) not in kept and parameter.requires_grad
    ]
    for parameter in frozen:
        parameter.requires_grad_(False)
    return frozen
