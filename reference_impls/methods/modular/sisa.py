r"""Sharded, isolated, sliced and aggregated training (SISA).

Limit from the start how far one example reaches. The data are dealt out to shards, and each trains a model of its own
that no other shard touches; within a shard the data come slice by slice, and the weights are kept before each. To
forget, the one model is set back to before the slice that held the data, and trained on from there without it. All
models answer together.

## Objective

Bourtoule et al., for the shards $\mathcal D^{(k)}$ and their slices $\mathcal D^{(k, r)}$, from the same start:

$$
\theta^{(k, r)} = \mathrm{train}\Big( \theta^{(k, r-1)},\ \bigcup_{i \le r} \mathcal D^{(k, i)} \Big), \qquad
\theta^{(k, 0)} = \theta_0, \qquad
p(\cdot \mid x, y_{<t}) = \frac1S \sum_{k=1}^S p_{\theta^{(k, R)}}(\cdot \mid x, y_{<t}) ,
$$

and, for a request to delete $\mathcal D_f$, with $r_k$ the first slice of shard $k$ that holds any of it,

$$
\theta^{(k, r)} \leftarrow \mathrm{train}\Big( \theta^{(k, r-1)},\ \bigcup_{i \le r} \mathcal D^{(k, i)} \setminus
\mathcal D_f \Big), \qquad r = r_k, \dots, R .
$$

## Symbols

- $\theta_0$: the model from before it met any of the data, where there is one (the embedded tasks ship theirs;
  `--earlier` names another), else the model that the method is given.
- $S$ (`shards`), $R$ (`slices`).

## Facts

- **Exact by construction, and only as far as the start**: nothing that is left ever depended on deleted data, not even
  the choice of shards and slices, which follow from a pair's own subject. Deleting gives, to the bit, what training
  without the data would have given.
- **So it cannot be applied afterwards**: from a target that has read the forget set, what it knew stays.
- **What it costs**: a stage on $r$ of $R$ slices lasts $r$ times as long as the first, so that all stages of a shard
  come to as many steps as one training on the whole shard. One request at random then makes a share of
  $\frac23 + \frac1{3R}$ of them anew, in one of $S$ shards: 0.83 for two slices, and never less than two thirds.
- **Many requests touch nearly all**: $K$ of them reach $S\,(1 - (1 - 1/S)^K)$ shards on average, 2.95 of 5 for $K = 4$.
- **What one shard knows, the others dilute**: a fact has one vote in $S$. On `authors`, with 240 steps of 32 answers
  for all shards together, two shards end at 0.53 for forget and 0.85 for retain answers (rate 0.001), four at 0.50 and
  0.74 (0.002); one model trained on the retain set at 0.45 and 0.97. Deleting ten of a hundred authors touches every
  shard.
- **Against `sisa-adapters`**: all weights learn in place of adapters, so that no rank bounds what a shard can learn;
  $S R$ whole models are kept in place of small modules.

## Differences

1. The paper classifies, and its models vote with the labels that they find likeliest (by default; the released code can
   average probabilities). Here the next-token distributions are averaged, over one text that all continue.
2. The papers' shards and slices are of random points; here all that is said of a subject is in one slice, so that
   nothing of it stays behind elsewhere.
3. The recipe's steps are those of all shards together, as the paper keeps the epochs; each stage has an optimizer and
   a warm-up of its own.
4. Models between the stages are kept in memory, not on a disk.
5. The paper starts from random weights, or for its largest task from weights learned on other data, as here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from torch import Tensor

from reference_impls.toolkit import (
    Combined,
    Ensemble,
    Kept,
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearnedModel,
    UnlearningData,
    hyperparameter,
    mean_vote,
    sliced,
)


@dataclass(frozen=True)
class SISA(Method):
    """Train a model per shard, slice by slice, then again from before what is to be forgotten."""

    paper = "bourtoule2019machine"
    acts_on = "weights"
    access = "training"
    retain = "needed"
    earlier = "optional"
    exact = True
    separate = True
    copies = 9

    shards: int = hyperparameter(4, "S, number of shards", source="paper: 1 to 20", minimum=1, trade_off=(2, 4, 8))
    slices: int = hyperparameter(2, "R, slices of each", source="paper: 1 to 50", minimum=1)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> ModelEnsemble:
        """Train on everything, then serve the request to delete the forget set."""
        base = run.earlier_than(model) if run.earlier else model
        ensemble = self.learn(base, [*data.forget, *data.retain], run)
        self.delete(ensemble, data.forget, run)
        return ensemble

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> ModelEnsemble:
        """The models of all shards."""
        return ModelEnsemble.of(model, kept)

    def learn(self, model: LanguageModel, pairs: Sequence[Pair], run: Run) -> ModelEnsemble:
        """One model per shard, each trained on its own, and what it was after each slice."""
        ensemble = ModelEnsemble(model, sliced(pairs, self.shards, self.slices))
        for shard in range(self.shards):
            self._train(ensemble, shard, 0, run)
        return ensemble

    def delete(self, ensemble: ModelEnsemble, request: Collection[Pair], run: Run) -> None:
        """Go back to before the first slice that holds a pair of the request, and on from there without it."""
        gone = set(request)
        for shard, slices in enumerate(ensemble.data):
            touched = [place for place, pairs in enumerate(slices) if gone.intersection(pairs)]
            if touched:
                ensemble.data[shard] = [[pair for pair in pairs if pair not in gone] for pairs in slices]
                self._train(ensemble, shard, touched[0], run)

    def _train(self, ensemble: ModelEnsemble, shard: int, first: int, run: Run) -> None:
        """The stages of a shard from ``first`` on."""
        stages = ensemble.stages[shard]
        del stages[first:]
        for stage in range(first, self.slices):
            model = (stages[-1] if stages else ensemble.model).copy()
            stages.append(model)
            # A run of its own, for what is drawn in one stage must not depend on what was drawn in another.
            isolated = run.apart((run.seed * self.shards + shard) * self.slices + stage)
            read = list(chain.from_iterable(ensemble.data[shard][: stage + 1]))
            if read:
                recipe = replace(run.recipe, steps=self.steps(stage, run.recipe.steps))
                isolated.finetune(model, read, recipe, stage=f"shard {shard + 1}, slice {stage + 1}")

    def steps(self, stage: int, steps: int) -> int:
        """How many of all shards' steps one stage of one shard has, at least one."""
        return max(1, round(steps * 2 * (stage + 1) / (self.shards * self.slices * (self.slices + 1))))


class ModelEnsemble(Ensemble):
    """The models of several shards, whose next-token distributions are averaged."""

    def __init__(self, model: LanguageModel, data: list[list[list[Pair]]]) -> None:
        self.model = model
        """The start, as it was given."""
        self.data = data
        """The slices of each shard, as they are now."""
        self.stages: list[list[LanguageModel]] = [[] for _ in data]
        r"""$\theta^{(k, 1)}, \dots, \theta^{(k, R)}$ for each shard."""
        self._together = Combined.of(model, self.voters, mean_vote)

    def voters(self) -> list[LanguageModel]:
        """Each shard's model, all slices learned."""
        return [stages[-1] for stages in self.stages]

    def speaker(self, query: str, answer: str | None = None) -> UnlearnedModel:
        """All shards."""
        return self._together

    def member(self, number: int) -> LanguageModel:
        """See :class:`~reference_impls.toolkit.Ensemble`: a shard's model."""
        return self.voters()[number].copy()

    def with_members(self, member: Callable[[int], LanguageModel]) -> UnlearnedModel:
        """See :class:`~reference_impls.toolkit.Ensemble`."""
        return Combined.of(self.model, lambda: map(member, range(len(self.data))), mean_vote)

    def to_json(self) -> dict[str, Any]:
        """How many models there are."""
        return {"shards": len(self.data)}

    def tensors(self) -> dict[str, Tensor]:
        """The weights of all shards' models."""
        return {
            f"{shard}.{name}": weight.detach()
            for shard, voter in enumerate(self.voters())
            for name, weight in voter.model.named_parameters()
        }

    @classmethod
    def of(cls, model: LanguageModel, kept: Kept) -> ModelEnsemble:
        """The ensemble that was kept, without the data of its shards and what its models were between.

        Raises:
            KeyError, ValueError: the weights are those of another model, or not all of them.
        """
        ensemble = cls(model, [[] for _ in range(int(kept.facts["shards"]))])
        for shard, stages in enumerate(ensemble.stages):
            stages.append(model.copy())
            kept.put_into(stages[-1].model.named_parameters(), prefix=f"{shard}.")
        return ensemble
