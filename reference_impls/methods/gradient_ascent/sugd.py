r"""Sequential unlearning with gradient difference (SUGD).

The forget set is unlearned chunk by chunk, and each chunk gets its own share of the retain set, several examples to
every one that goes. Between two chunks the optimizer starts anew. The winner of SemEval 2025, task 4 (AILS-NTUA).

## Objective

Premptis et al.: the forget set is cut into chunks of $c$, and a pointer runs round the retain set. For each chunk
$\mathcal C$ in turn, with the next $r\,\lvert \mathcal C \rvert$ retain examples $\mathcal R$,

$$
\mathcal L = \frac{1}{1 + r} \Big( -L(\mathcal C; \theta) + a\, r\, L(\mathcal R; \theta) \Big),
$$

which is the mean of each example's loss times its factor: $-1$ if it is to be forgotten, $a$ if it is to be kept.

## Symbols

- $L$: the mean negative log-likelihood of answers, each counting alike.
- $c$ (`chunk`), $r$ (`ratio`): how many retain examples belong to each forget example, and come with it in every step;
  $a$ (`retain_weight`).
- Low-rank adapters of rank 16 that count four times are all that is trained (`rank`); they are one pair of matrices for
  all chunks.

## Facts

- **With one chunk and $r = 1$ it is `grad-diff`** in adapters, at half the loss. $a\,r$ is what its weight is: 3.5 with
  the published numbers, made of seven examples that differ instead of one that counts more.
- Every retain example is used once before any is used twice, so that a chunk is held by others than the one before.
- **What was forgotten first is not looked at again**, and may come back while the later chunks are trained.
- Ascent is unbounded, in every chunk; a chunk's few steps, with a warm-up of their own, are what bounds it.
- **On `authors` chunks are no help.** At the rate 0.001, with 60 steps of four forget examples and 28 others, forget
  and retain answers end at 0.25 and 0.54 in three chunks, and at 0.32 and 0.90 in one: twenty steps on the same 32
  examples go deeper into them, and into what they share with the rest. The published run takes 224 steps on each chunk,
  at a hundredth of that rate.

## Differences

1. The paper trains in batches of one, a forget example and then its retain examples, for seven passes over a chunk.
   Here a batch holds as many forget examples as the recipe says, each with its own retain examples, in random order,
   and the recipe's steps are shared out among the chunks.
2. For its larger model the paper trains the last eight of 32 blocks instead of adapters.
3. Its other way, in which ascent and descent take turns, is `agad`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    LoRA,
    Method,
    Pair,
    Run,
    TokenLogits,
    UnlearningData,
    hyperparameter,
    mean_nll,
)


def sugd_loss(forget: TokenLogits, retain: TokenLogits, ratio: int, retain_weight: float) -> Tensor:
    r"""() $\mathcal L$ from logits at the answers of a batch and of their $r$ times as many retain examples."""
    return (retain_weight * ratio * mean_nll(retain) - mean_nll(forget)) / (1 + ratio)


@dataclass(frozen=True)
class SUGD(Method):
    """Unlearn chunk after chunk, each with retain examples of its own."""

    paper = "premptis2025ails"
    acts_on = "loss"
    retain = "needed"
    trains = "adapters"
    parts = ("blocks",)
    published = {
        "learning_rate": 1e-5,
        "epochs": 7,
        "batch_size": 1,
        "source": "released code, OLMo-7B; passes over each chunk",
    }

    chunk: int = hyperparameter(32, "c, how many are forgotten together", source="released code", minimum=1)
    ratio: int = hyperparameter(7, "r, retain examples to each", source="released code", minimum=1)
    retain_weight: float = hyperparameter(
        0.5, "a, factor of what is kept", source="released code", minimum=0, trade_off=(0.2, 0.5, 1.0, 2.0)
    )
    rank: int = hyperparameter(16, "rank of the adapters", source="released code", minimum=1)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Go through the chunks; the adapters become part of the weights at the end."""
        chunks = [tuple(data.forget[start : start + self.chunk]) for start in range(0, len(data.forget), self.chunk)]
        kept = cycle(data.retain)
        adapted = run.adapt(model, LoRA(self.rank, 4.0 * self.rank))
        for forget, stage in zip(chunks, run.stages(len(chunks)), strict=True):
            self._train(model, forget, list(islice(kept, self.ratio * len(forget))), stage)
        adapted.merge()
        return model

    def _train(self, model: LanguageModel, forget: tuple[Pair, ...], kept: Sequence[Pair], run: Run) -> None:
        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            rows = batch.forget.rows.tolist()
            own = [pair for row in rows for pair in kept[row * self.ratio : (row + 1) * self.ratio]]
            gone, stays = model.token_logits(batch.forget, model.encode(own))
            return sugd_loss(gone, stays, self.ratio, self.retain_weight)

        run.minimize(loss, model, UnlearningData(forget), retain=False)
