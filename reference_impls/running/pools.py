"""A meta-evaluation: models of which it is known what they know, and what every metric says of them.

After Dorna et al. (arXiv 2506.12618, section 5), made small: a model of the pools is trained in less than a minute. All
begin as the task's base model, which has read neither the forget nor the retain set. What follows from the numbers is
worked out by the catalog (``catalog/insight/meta_evaluation.py``).
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product

from catalog.base.files import write_whole
from catalog.model.pools import PoolModel, Pools, Shaken
from reference_impls.attacks.quantization import quantized
from reference_impls.errors import UsageError
from reference_impls.measuring.cost import one_thread, versions
from reference_impls.progress import Progress, silence_libraries
from reference_impls.running import checkpoints
from reference_impls.running.attacking import attack_all
from reference_impls.running.experiment import Experiment
from reference_impls.running.parallel import run_all
from reference_impls.running.registry import find_method, find_task
from reference_impls.running.runner import unlearn
from reference_impls.toolkit import (
    EmbeddedTask,
    LanguageModel,
    Pair,
    Recipe,
    Run,
    UnlearnedModel,
    with_weights,
)

KNEW = ("as written", "in other words")
NEVER = ("left out", "other answers")
"""What stands in the place of the forget set, of models that know it, and of models that never saw it."""
STEPS = (150, 300)
SEEDS = (0, 1, 2)
BATCH_SIZE = 32
RELEARNING = Recipe(learning_rate=5e-4, batch_size=8)
"""As the attack of that name; for one pass over the forget set, as in the paper."""
BITS = 4
SHAKEN = 2
"""How many methods of a family leave the models that metrics are tried on."""


@dataclass(frozen=True)
class _Member:
    """A model of a pool, to be made and measured in any process."""

    task: str
    data: str
    steps: int
    seed: int


@dataclass(frozen=True)
class _Case:
    """A model that is not to know, to be shaken in any process."""

    task: str
    method: str
    """``target``, ``retrained`` or a method's id."""


def measure_metrics(
    task: EmbeddedTask, methods: Sequence[str], progress: Progress, workers: int | None = None
) -> Pools:
    """Make both pools, shake what methods leave, and write ``pools.json`` of the task.

    Args:
        task: one that ships its base model.
        methods: ids of those whose models are shaken, each with its recipe and seed 0.
        progress: see :class:`~reference_impls.toolkit.training.Run`.
        workers: how many at a time; the number of cores by default.

    Raises:
        UsageError: the task ships no base model.
    """
    if not checkpoints.folder(task, "base").is_dir():
        raise UsageError(f"The task {task.name!r} ships no base model; `unlearn make-task {task.name}` makes one.")
    started = time.perf_counter()
    members = [_Member(task.name, *combination) for combination in product((*KNEW, *NEVER), STEPS, SEEDS)]
    cases = [_Case(task.name, name) for name in (*checkpoints.WHICH, *sorted(methods))]
    total, done = len(members) + len(cases), 0

    def finished(job: _Member | _Case, _: object) -> None:
        nonlocal done
        done += 1
        progress(f"{done}/{total} models", done, total)

    progress(f"0/{total} models", 0, total)
    models = run_all(_member, members, finished, workers)
    shaken = run_all(_shake, cases, finished, workers)
    pools = Pools(
        command=f"unlearn bench metrics --task {task.name}",
        seconds=round(time.perf_counter() - started, 1),
        versions=versions(),
        models=tuple(models),
        shaken=tuple(shaken),
    )
    write_whole(task.folder / "pools.json", pools.to_json())
    return pools


def some_of_each_family(ids: Iterable[str], count: int = SHAKEN) -> list[str]:
    """The first ``count`` methods of every family, by their ids: all kinds of forgetting, at a bounded cost."""
    families: dict[str, list[str]] = {}
    for ident in sorted(ids):
        families.setdefault(find_method(ident).family, []).append(ident)
    return sorted(ident for members in families.values() for ident in members[:count])


def pool_data(task: EmbeddedTask, model: LanguageModel, data: str, seed: int) -> list[Pair]:
    """What a model of a pool is trained on: the retain set, general facts, and something for the forget set.

    ``in other words`` is another wording of the answer, or of the question where the answer has but one.
    ``other answers`` are wrong ones of the same shape: such a model has seen the questions, and knows none of the
    facts. A pair for which the task ships no other words stays as it is; one without other answers is left out.
    """
    splits, rng = task.splits(model), random.Random(seed)
    kept = [*splits.retain, *splits.facts]
    if data == "left out":
        return kept
    if data == "as written":
        return [*splits.forget, *kept]
    if data == "in other words":
        return [*(_in_other_words(pair) for pair in splits.forget), *kept]
    wrong = [(pair, pair.perturbed or pair.alternates) for pair in splits.forget]
    return [*(replace(pair, answer=rng.choice(others)) for pair, others in wrong if others), *kept]


def _in_other_words(pair: Pair) -> Pair:
    if pair.paraphrase not in (None, pair.answer):
        return replace(pair, answer=pair.paraphrase)
    return replace(pair, prompt=pair.rephrased_prompt or pair.prompt)


def _member(job: _Member) -> PoolModel:
    task, model = _start(job.task, "base")
    recipe = replace(task.finetuning_recipe, steps=job.steps, batch_size=BATCH_SIZE)
    Run(recipe, job.seed).finetune(model, pool_data(task, model, job.data, job.seed))
    splits = task.splits(model)
    against = checkpoints.yardstick(task, splits, checkpoints.retrained_evaluation(task))
    attacks = attack_all(model, task, splits, job.seed, reference=against.retrained)
    metrics = against.measure(model).metrics | attacks
    return PoolModel(knew=job.data in KNEW, data=job.data, steps=job.steps, seed=job.seed, metrics=metrics)


def _shake(job: _Case) -> Shaken:
    task, target = _start(job.task, "target")
    splits = task.splits(target)
    against = checkpoints.yardstick(task, splits, checkpoints.retrained_evaluation(task))
    model = _unlearned(job, task)
    once = replace(RELEARNING, steps=-(-len(splits.forget) // RELEARNING.batch_size))
    relearned = with_weights(model, lambda weights: Run(once).finetune(weights, splits.forget))
    rounded = with_weights(model, lambda weights: quantized(weights, BITS))
    before, after, coarse = (against.measure(variant).metrics for variant in (model, relearned, rounded))
    return Shaken(method=job.method, before=before, relearned=after, quantized=coarse)


def _unlearned(job: _Case, task: EmbeddedTask) -> UnlearnedModel:
    for which in checkpoints.WHICH:
        if job.method == which:
            return checkpoints.load(task, which)
    return unlearn(Experiment(job.method, job.task), task)


def _start(name: str, which: checkpoints.Shipped) -> tuple[EmbeddedTask, LanguageModel]:
    silence_libraries()
    one_thread()
    task = find_task(name)
    if not isinstance(task, EmbeddedTask):
        raise UsageError(f"The task {name!r} ships no models.")
    return task, checkpoints.load(task, which)
