r"""Alternating gradient ascent and descent (AGAD).

Forget a chunk by plain ascent, then anneal: train on a part of what is to be kept, so that what ascent took along comes
back. Ascent and descent never meet in one loss. The second way of the winner of SemEval 2025, task 4 (AILS-NTUA).

## Objective

Premptis et al.: the forget set is cut into chunks of $c$. For each chunk $\mathcal C$ in turn, and after every
$\lceil 1 / \iota \rceil$ of them with a random part $\mathcal R$ of the retain set,

$$
\min_\theta\; - L(\mathcal C; \theta), \qquad \text{then} \qquad \min_\theta\; L(\mathcal R; \theta),
\qquad \lvert \mathcal R \rvert = \phi\, \lvert \mathcal D_r \rvert ,
$$

and at the very end $L(\mathcal D_r; \theta)$ on all of it. Each phase begins with a new optimizer and schedule.

## Symbols

- $L$: the mean negative log-likelihood of answers, each counting alike.
- $c$ (`chunk`); $\iota$ (`interleaving`), 0 for the last annealing alone; $\phi$ (`part`).
- A share (`annealing`) of all steps goes to annealing, in proportion to what the phases look at.
- Low-rank adapters of rank 16 that count twice are all that is trained (`rank`); they are one pair of matrices for all
  phases.

## Facts

- **With one chunk it is `gradient-ascent` in adapters, and then fine-tuning on the retain set**: what damage ascent
  does has to be repaired afterwards, where `sugd` and `grad-diff` hold it while it is done.
- **Ascent is unbounded in each phase**, so that the steps of a phase decide. Descent on the retain set does not aim at
  the forget answers, and brings back what of them the two sets share: how such questions are answered.
- **What stays away is found on a narrow ridge.** On `authors`, at the rate 0.002, with 0.7 of the steps for annealing
  forget answers end at 0.78 (from 0.96) and retain answers at 0.98; with 0.5 at 0.56 and 0.86; with 0.3 neither of the
  two is left (0.001 and 0.002). `sugd` forgets further for what it loses.

## Differences

1. The paper makes three passes over the data of each phase. Here the recipe's steps are shared out, between the two
   kinds of phases as asked, and among those of a kind by how much data they have.
2. For its larger model the paper trains the last blocks instead of adapters in some runs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    LoRA,
    Method,
    Pair,
    Run,
    UnlearningData,
    hyperparameter,
    mean_nll,
)


def ascent(model: LanguageModel, batch: Batch) -> Tensor:
    r"""() $-L(\mathcal C; \theta)$ on a batch."""
    return -mean_nll(*model.token_logits(batch.forget))


@dataclass(frozen=True)
class AGAD(Method):
    """Take turns in forgetting chunks and training on what is kept."""

    paper = "premptis2025ails"
    acts_on = "loss"
    retain = "needed"
    trains = "adapters"
    parts = ("blocks",)
    published = {
        "learning_rate": 5e-5,
        "epochs": 3,
        "batch_size": 16,
        "source": "released code, OLMo-7B; passes in each phase",
    }

    chunk: int = hyperparameter(64, "c, how many are forgotten together", source="released code", minimum=1)
    interleaving: float = hyperparameter(
        1.0, "ι, annealings per chunk, besides the last", source="released code", minimum=0, maximum=1
    )
    part: float = hyperparameter(
        0.25, "φ, part of the retain set in an annealing", source="released code", above=0, maximum=1
    )
    annealing: float = hyperparameter(
        0.7,
        "share of the steps in which what is kept is trained",
        source="ours; paper: three passes",
        above=0,
        below=1,
        trade_off=(0.4, 0.5, 0.6, 0.7, 0.85),
    )
    rank: int = hyperparameter(16, "rank of the adapters", source="released code", minimum=1)

    def phases(self, data: UnlearningData, run: Run) -> list[tuple[bool, list[Pair]]]:
        """What is looked at one after another, and whether it is to be forgotten."""
        chunks = [list(data.forget[start : start + self.chunk]) for start in range(0, len(data.forget), self.chunk)]
        every = math.ceil(1 / self.interleaving) if self.interleaving else len(chunks) + 1
        plan = []
        for count, chunk in enumerate(chunks, start=1):
            plan.append((True, chunk))
            if count % every == 0 and len(chunk) == self.chunk:  # a rest is followed by the last annealing alone
                plan.append((False, run.rng.sample(data.retain, max(1, int(self.part * len(data.retain))))))
        return [*plan, (False, list(data.retain))]

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Go through the phases; the adapters become part of the weights at the end."""
        adapted = run.adapt(model, LoRA(self.rank, 2.0 * self.rank))
        plan = self.phases(data, run)
        sizes = {kind: sum(len(pairs) for forgets, pairs in plan if forgets is kind) for kind in (True, False)}
        for (forgets, pairs), stage in zip(plan, run.stages(len(plan)), strict=True):
            share = (1 - self.annealing if forgets else self.annealing) * len(pairs) / sizes[forgets]
            part = replace(stage, recipe=replace(run.recipe, steps=max(1, round(share * run.recipe.steps))))
            if forgets:
                part.minimize(ascent, model, UnlearningData(tuple(pairs)), retain=False)
            else:
                part.finetune(model, pairs, stage="annealing")
        adapted.merge()
        return model
