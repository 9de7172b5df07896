r"""Continual learning and private unlearning (CLPU-DER++).

Data come task by task, each to be remembered, or to be learned for the time being. The latter is learned by a copy of
the model, of its own: to forget it is to delete the copy. If it is to stay after all, what the copy says is merged into
the model, by replaying a few of its examples.

## Objective

Liu et al., in the form of their released code: for a task $\mathcal D_t$ to be remembered, and for one that a copy
learned and that is to stay,

$$
\mathcal L_{\mathrm{learn}} = L(\mathcal D_t; \theta) + r(\mathcal B; \theta), \qquad
\mathcal L_{\mathrm{merge}} = r(\mathcal B_t; \theta) + r(\mathcal B; \theta),
$$
$$
r(\mathcal B; \theta) = \mathbb E_{(x, y, z) \sim \mathcal B} \left[ \alpha\, \| h_\theta(x, y) - z \|^2
- \beta\, \log p_\theta(y \mid x) \right] .
$$

## Symbols

- $\theta$: the model, from a checkpoint that met none of the data (the embedded tasks ship theirs; `--earlier` names
  another).
- $\mathcal B$: examples of the tasks that are remembered; $\mathcal B_t$: those of a temporary one; `buffer` of each.
- $z$: the logits $h$ that were said to an example when it was stored, by the model, or by the copy that learned it.
  The square is a mean over tokens and vocabulary, the likelihood one over tokens.
- $\alpha$ (`logit_weight`), $\beta$ (`label_weight`); $L$: mean negative log-likelihood.

## Facts

- **Exact**: the model never saw what was deleted, and nothing in it depends on it, to the bit. That holds for what was
  announced as temporary; what was merged is in $\theta$ for good.
- **The request is free, the consent costs**: deleting takes no step; to keep takes a training, and loses what the
  buffers do not hold.
- **It cannot be applied afterwards**, as `sisa` cannot, which prepares for any request and pays when one comes.
- With $\alpha = 0$ it is plain replay (ER), with $\beta = 0$ dark experience replay (DER).
- Later papers cite this one for the difference loss of `grad-diff`; it is not in the paper's scheme, nor in its code.
- **What replay loses, the buffer decides.** On `authors`, with 400 steps for four tasks of 180 answers and a rate of
  0.001, retain answers end at 0.96 where 200 examples of each are stored, which is all, and at 0.81 with 50; 0.88 if
  no task is temporary. Forget answers are at 0.49 in the first two cases, as strangers' are (0.46); the retrained model
  has 0.45 and 0.97.
- **Logits keep more than their answers**: with 50 and $\alpha = 0$ retain answers end at 0.75, and facts that no task
  teaches, which replay never sees, at 0.10 in place of 0.38.

## Differences

1. Here there is one request: the retain set is `tasks` tasks, dealt out by subject, of which the last `temporary`
   ones are learned in copies and then merged, and the forget set is one more that was learned so, and is deleted.
2. The paper classifies images, each task with classes of its own, and a task's data are asked of the network that
   learned them. Here requests are settled by the end, and the model answers all.
3. The code averages over tasks, a batch from the buffer of each; here a batch comes from all buffers together.
4. A copy begins as the model is by then, which is an option in the code; by default it begins at random.
5. The recipe's steps are shared out evenly among all trainings, those of copies and merging included.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Encoded,
    LanguageModel,
    Method,
    Pair,
    Run,
    TokenLogits,
    UnlearningData,
    hyperparameter,
    mean_nll,
    shares_of_subjects,
)


@dataclass(frozen=True)
class Example:
    """A pair that is replayed."""

    pair: Pair
    logits: Tensor
    """(T, V) $z$."""


@torch.no_grad()
def stored(model: LanguageModel, pairs: Sequence[Pair], count: int, rng: random.Random) -> list[Example]:
    """As many of the pairs as are kept, drawn at random, with what the model says to them."""
    drawn, kept = rng.sample(list(pairs), min(count, len(pairs))), list[Tensor]()
    for batch in model.encoded(drawn):
        (out,) = model.token_logits(batch)
        kept += [out.logits[out.sequence == row] for row in range(len(batch))]
    return [Example(pair, logits) for pair, logits in zip(drawn, kept, strict=True)]


@dataclass(frozen=True)
class CLPUDER(Method):
    """Learn in turn, aside what may have to go; delete, and merge what is to stay."""

    paper = "liu2022continual"
    acts_on = "weights"
    access = "training"
    retain = "needed"
    earlier = "needed"
    exact = True
    copies = 2

    tasks: int = hyperparameter(4, "tasks that stay", source="ours; paper: 5", minimum=1)
    temporary: int = hyperparameter(1, "how many of them are learned aside first", source="ours", minimum=0)
    buffer: int = hyperparameter(
        200, "examples that are stored of each task", source="code", minimum=1, trade_off=(25, 50, 100, 200)
    )
    logit_weight: float = hyperparameter(0.5, "α, weight of stored logits", source="code", minimum=0)
    label_weight: float = hyperparameter(1.0, "β, weight of stored answers", source="code", minimum=0)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Learn everything, then delete what is to be forgotten and merge what is to stay."""
        model = run.earlier_than(model)
        tasks = shares_of_subjects(data.retain, self.tasks)
        lasting = max(0, len(tasks) - self.temporary)
        stages = run.stages(2 * len(tasks) - lasting + 1)
        memory: list[Example] = []
        for task in tasks[:lasting]:
            stage = next(stages)
            self.learn(model, task, memory, stage)
            memory += stored(model, task, self.buffer, stage.rng)
        aside = [self.aside(model, task, next(stages)) for task in (*tasks[lasting:], data.forget)]
        aside.pop()  # the request
        for _, examples in aside:
            self.merge(model, examples, memory, next(stages))
            memory += examples
        return model

    def learn(self, model: LanguageModel, task: Sequence[Pair], memory: Sequence[Example], run: Run) -> None:
        """Learn a task to be remembered, and replay the others."""

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            new, old = model.token_logits(batch.forget, batch.retain)
            return mean_nll(new) + self.replayed(old, batch.retain, memory)

        run.minimize(loss, model, _with(task, memory), retain=bool(memory))

    def aside(self, model: LanguageModel, task: Sequence[Pair], run: Run) -> tuple[LanguageModel, list[Example]]:
        """A copy that has learned a task, and examples of what it says."""
        copied = run.finetune(model.copy(), task)
        return copied, stored(copied, task, self.buffer, run.rng)

    def merge(self, model: LanguageModel, task: Sequence[Example], memory: Sequence[Example], run: Run) -> None:
        """Learn a task from what a copy said, and replay the others."""

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            new, old = model.token_logits(batch.forget, batch.retain)
            return self.replayed(new, batch.forget, task) + self.replayed(old, batch.retain, memory)

        run.minimize(loss, model, _with([one.pair for one in task], memory), retain=bool(memory))

    def replayed(self, out: TokenLogits, batch: Encoded, examples: Sequence[Example]) -> Tensor:
        """() $r$ on a batch of some examples; 0 if there are none in it."""
        if not len(batch):
            return out.logits.new_zeros(())
        said = torch.cat([examples[row].logits for row in batch.rows.tolist()])
        return self.logit_weight * (out.logits - said).square().mean() + self.label_weight * mean_nll(out)


def _with(task: Sequence[Pair], memory: Sequence[Example]) -> UnlearningData:
    """A task in the place of what is to be forgotten, so that every batch has some of it, and as much replayed."""
    return UnlearningData(tuple(task), tuple(one.pair for one in memory))
