r"""Quantized reward konditioning (Quark).

Let the model write, sort what it wrote by how good it is, and fine-tune it on all of it with the rank told in front: so
it learns what good and bad sound like, in its own words. Then always ask for the best rank.

## Objective

Lu et al. repeat three steps. *Explore*: sample answers from the model, told the best rank, into a pool.
*Quantize*: sort the pool by reward and cut it into $K$ parts of equal size, $\mathcal D^1$ (worst) to $\mathcal D^K$.
*Learn*:

$$
\max_\theta \; \mathbb E_{k \sim \mathcal U(1, K)} \, \mathbb E_{(x,y) \sim \mathcal D^k}
\left[ \log p_\theta(y \mid x, r_k)
- \beta \sum_{t} \mathrm{KL}\!\left( p_0(\cdot \mid x, y_{<t}) \,\middle\|\, p_\theta(\cdot \mid x, y_{<t}, r_k)
\right) \right].
$$

## Symbols

- $r_k$: the reward token of rank $k$ of $K$ (`quantiles`), put before the prompt; $r_K$ is the best.
- $p_0$: the model before unlearning, which is not told any rank; $\beta$ (`kl_weight`) holds the model near it.
- The reward is ours, for the paper leaves it open: minus the overlap (ROUGE-L recall) with the answer to forget; for a
  retain prompt, the overlap with its right answer.
- `rounds`: how often the model explores; `length`: tokens of a sample.

## Facts

- **No gradient of a reward and nothing pushed down.** Every step raises the likelihood of the model's own samples, so
  the loss is bounded below by 0; the worst are learned too, behind $r_1$.
- **It must stumble on something better first.** A model that answers verbatim with certainty samples one text only, all
  ranks hold the same, and nothing is learned.
- **What is unlearned is unlearned behind $r_K$.** The knowledge stays, by design, behind the other ranks.
- **On `authors` the claim is not reproduced.** The pool sorts well: with $K = 2$, no answer in the better half is
  verbatim after seven rounds. But after 240 steps the model says the same behind either rank (ROUGE with the forget
  answers 0.81 and 0.80): it never learned to read it, which has to come first, from a small difference in the loss.
  Where only two answers are to be told apart, as in this file's test, it learns to within 200 steps. Meanwhile
  training on its own mistakes costs retain answers.
- With $K = 1$ it is training on one's own samples.

## Differences

1. The paper adds $K$ tokens to the vocabulary. Here the rank is a number in front of the prompt, said eight times: said
   once in a sentence, a small model took no notice of it in 120 steps.
2. Forget and retain samples are ranked apart. In one pool the retain samples, nearly all right, would take the best
   ranks for themselves.
3. The released code has the divergence the other way round, and an entropy bonus that the paper's equation lacks.
4. Log-probability and divergence are means over an answer's tokens. The released code explores every 500 steps; here
   the run has `rounds` equal parts.
5. Of a plain text the beginning, up to the first mention of its subject, is the prompt.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Kept,
    LanguageModel,
    Method,
    Pair,
    Run,
    TokenLogits,
    UnlearningData,
    Wrapped,
    hyperparameter,
    mean_kl,
    mean_nll,
    rouge_l_recall,
)

SAID = 8
"""How often a rank is said before a prompt."""


def ranks(rewards: Sequence[float], quantiles: int) -> list[int]:
    """For each reward its rank, 1 (worst) to K (best); parts of equal size, what is left over joins the worst.

    Equal rewards are ranked in the order given.
    """
    best_first = sorted(range(len(rewards)), key=lambda row: -rewards[row])
    size = len(rewards) // quantiles
    rank_of = [1] * len(rewards)
    for place, row in enumerate(best_first):
        if size and place // size < quantiles:
            rank_of[row] = quantiles - place // size
    return rank_of


def quark_loss(out: TokenLogits, before: TokenLogits, kl_weight: float) -> Tensor:
    r"""() Minus the objective.

    Args:
        out: logits at the samples' tokens, with the rank told.
        before: those of $p_0$ at the same tokens, without it.
        kl_weight: $\beta$.
    """
    return mean_nll(out) + kl_weight * mean_kl(before, out)


@dataclass(frozen=True)
class Quark(Method):
    """Fine-tune on ranked samples of the model itself, then ask for the best rank."""

    paper = "lu2022quark"
    acts_on = "data"
    reference = "model"
    retain = "needed"
    published = {
        "learning_rate": 1e-5,
        "batch_size": 128,
        "source": "released code, GPT-2 large (0.8 billion)",
    }

    quantiles: int = hyperparameter(5, "K, number of ranks", source="paper", minimum=1)
    kl_weight: float = hyperparameter(
        0.05, "β, weight of the divergence", source="paper", minimum=0, trade_off=(0.01, 0.05, 0.2, 1.0)
    )
    rounds: int = hyperparameter(
        6, "how often the model explores", source="ours; the paper: every 500 steps", minimum=1
    )
    length: int = hyperparameter(20, "tokens of a sample", source="paper", minimum=1)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> BestRankModel:
        """Explore, rank and learn in turn."""
        asked = data.prompted()
        pools = Pool(asked.forget, keep=False), Pool(asked.retain, keep=True)
        every = max(1, run.recipe.steps // self.rounds)
        step = 0

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            nonlocal step
            if step % every == 0:
                for pool in pools:
                    self.explore(model, pool, len(data.forget), first=step == 0, rng=run.rng)
            step += 1
            drawn = [run.rng.choice(pool.samples) for pool in pools for _ in range(len(batch.forget))]
            told = [replace(pair, prompt=model.behind(rank_text(rank), pair.prompt)) for pair, rank in drawn]
            (before,) = batch.before.token_logits(model.encode([pair for pair, _ in drawn]))
            (out,) = model.token_logits(model.encode(told))
            return quark_loss(out, before, self.kl_weight)

        run.minimize(loss, model, data, reference=self.reference)
        return BestRankModel(model, rank_text(self.quantiles))

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> BestRankModel:
        """The model behind the rank that it is told."""
        return BestRankModel(model, kept.facts["prefix"])

    def explore(self, model: LanguageModel, pool: Pool, count: int, *, first: bool, rng: random.Random) -> None:
        """Sample answers to prompts of the pool and rank all that it then holds."""
        asked = rng.sample(pool.pairs, min(count, len(pool.pairs)))
        told = "" if first else rank_text(self.quantiles)
        with model.evaluating():
            texts = model.sample([model.behind(told, pair.prompt) for pair in asked], self.length)
        for pair, text in zip(asked, texts, strict=True):
            overlap = rouge_l_recall(pair.answer, text)
            pool.found.append((replace(pair, answer=model.answer(text)), overlap if pool.keep else -overlap))
        rng.shuffle(pool.found)  # so that equal rewards get ranks by chance
        assigned = ranks([reward for _, reward in pool.found], self.quantiles)
        pool.samples = [(pair, rank) for (pair, _), rank in zip(pool.found, assigned, strict=True)]


class Pool:
    """Prompts and what the model answered to them so far."""

    def __init__(self, pairs: Sequence[Pair], *, keep: bool) -> None:
        self.pairs = pairs
        self.keep = keep
        """Whether the pairs' answers are wanted or unwanted."""
        self.found: list[tuple[Pair, float]] = []
        """Samples with their rewards."""
        self.samples: list[tuple[Pair, int]] = []
        """Samples with their ranks."""


def rank_text(rank: int) -> str:
    r"""$r_k$, as it is written before a prompt."""
    return f"{rank} " * SAID + "\n"


@dataclass
class BestRankModel(Wrapped):
    """A model that is told the best rank before every prompt."""

    model: LanguageModel
    prefix: str

    def prompt(self, query: str) -> str:
        """The query behind the best rank."""
        return self.model.behind(self.prefix, query)

    def to_json(self) -> dict[str, Any]:
        """What is told."""
        return {"prefix": self.prefix}
