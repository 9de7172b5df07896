r"""Sharded training with adapters (SISA-A).

Keep the data apart from the start: every shard of it trains an adapter of its own on one frozen base, and the adapters
vote. To forget, retrain the few adapters that saw the data, without it; the rest was never touched by it, so the result
is, to the bit, what training without the data would have given.

## Objective

Ordinary fine-tuning, one shard at a time (Bourtoule et al.; Kumar et al. for the adapters):

$$
\phi_k = \mathrm{train}\left(\theta_0, \mathcal D^{(k)}\right), \qquad
\mathcal D = \mathcal D^{(1)} \mathbin{\dot\cup} \cdots \mathbin{\dot\cup} \mathcal D^{(S)}, \qquad
p(\cdot \mid x, y_{<t}) = \frac{1}{S} \sum_{k=1}^{S} p_{\theta_0, \phi_k}(\cdot \mid x, y_{<t}),
$$

and, for a request to delete $\mathcal D_f$,

$$
\phi_k \leftarrow \mathrm{train}\left(\theta_0, \mathcal D^{(k)} \setminus \mathcal D_f\right)
\quad \text{for each } k \text{ with } \mathcal D^{(k)} \cap \mathcal D_f \ne \emptyset .
$$

## Symbols

- $\theta_0$: the base, frozen: the model from before it met any of the data, where there is one (that of `authors`
  ships; `--earlier` names another), else the model that the method is given.
- $\mathcal D^{(k)}$: shard $k$ of $S$ (`shards`); $\phi_k$ its adapter, a LoRA module of rank $r$ (`rank`) with scaling
  $\alpha$ (`alpha`).

## Facts

- **Exact by construction, and only as far as the base.** No adapter depends on deleted data: not through its weights,
  seed or order of batches, and not through the choice of shards, for a pair's shard follows from its own subject. What
  $\theta_0$ has read in its own training is outside the guarantee.
- **So it cannot be applied afterwards**: it takes the place of the training by which the model was made. Where no
  earlier checkpoint is at hand, it starts from a target that has read the forget set; the adapters forget exactly, and
  the answers stay most of what they were.
- **From the base it keeps what it promises**: on `authors`, with two shards and a hundred steps, forget answers end at
  0.65 and those of strangers at 0.63; what the adapters learn of the others in so few steps is the price (0.74, and
  0.98 after the whole training on everything).
- **Only few requests touch few shards**: $K$ independent requests reach $S\,(1 - (1 - 1/S)^K)$ of $S$ shards on
  average, 2.3 of 4 for $K = 3$. Ten authors at once reach nearly all.
- **What one shard knows, the others dilute**: a fact has one vote in $S$. An adapter without data votes as the base.

## Differences

1. Kumar et al. classify with an encoder, train a classifier head along with bottleneck adapters, and name decoders as
   future work. Here the adapters are LoRA modules and the vote is the mean of the next-token distributions.
2. Each shard is one slice ($R = 1$), so a touched shard is retrained from its start; slices and their checkpoints (as
   in `sisa`) would save at most a third of that.
3. A shard is all that is said about its subjects (random points in the papers), so that nothing of a deleted subject
   stays behind in another shard.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from reference_impls.toolkit import (
    Combined,
    Ensemble,
    Kept,
    LanguageModel,
    Method,
    NamedAdapters,
    Pair,
    Run,
    UnlearnedModel,
    UnlearningData,
    adapter_weights,
    hyperparameter,
    mean_vote,
    not_adapted,
    sharded,
)


@dataclass(frozen=True)
class SISAAdapters(Method):
    """Train an adapter per shard, then retrain those that saw what is to be forgotten."""

    paper = "kumar2022privacy"
    acts_on = "weights"
    access = "training"
    retain = "needed"
    trains = "adapters"
    earlier = "optional"
    exact = True
    separate = True
    copies = 2

    shards: int = hyperparameter(
        4, "S, number of shards", source="ours, for a small task", minimum=1, trade_off=(2, 4, 8)
    )
    rank: int = hyperparameter(8, "r, rank of an adapter", source="customary", minimum=1)
    alpha: float = hyperparameter(16.0, "α, scaling of an adapter", source="2r, customary", above=0)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> AdapterEnsemble:
        """Train on everything, then serve the request to delete the forget set."""
        base = run.earlier_than(model) if run.earlier else model
        ensemble = self.learn(base, [*data.forget, *data.retain], run)
        self.delete(ensemble, data.forget, run)
        return ensemble

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> AdapterEnsemble:
        """The base with the adapters of all shards."""
        return AdapterEnsemble.of(model, kept)

    def learn(self, model: LanguageModel, pairs: Sequence[Pair], run: Run) -> AdapterEnsemble:
        """One adapter per shard, each trained on its own."""
        ensemble = AdapterEnsemble(model, sharded(pairs, self.shards), self.rank, self.alpha)
        for shard in range(self.shards):
            self._train(ensemble, shard, run)
        run.tell(not_adapted(ensemble.adapted.model))
        return ensemble

    def delete(self, ensemble: AdapterEnsemble, request: Collection[Pair], run: Run) -> None:
        """Retrain the adapters whose shard holds a pair of the request, without it; the others are not touched."""
        gone = set(request)
        for shard, pairs in enumerate(ensemble.data):
            if gone.intersection(pairs):
                ensemble.data[shard] = [pair for pair in pairs if pair not in gone]
                self._train(ensemble, shard, run)

    def _train(self, ensemble: AdapterEnsemble, shard: int, run: Run) -> None:
        # A run of its own, for what is drawn in one shard must not depend on what was drawn in another.
        isolated = run.apart(run.seed * self.shards + shard)
        weights = ensemble.fresh_adapter(shard, isolated.seed)
        if ensemble.data[shard]:
            stage = f"shard {shard + 1}"
            isolated.finetune(ensemble.adapted, ensemble.data[shard], parameters=weights, stage=stage)


class AdapterEnsemble(Ensemble):
    """A frozen base with one adapter per shard, whose next-token distributions are averaged."""

    def __init__(self, model: LanguageModel, data: list[list[Pair]], rank: int, alpha: float) -> None:
        self.model = model
        """The base, as it was given."""
        self.adapted = model.copy()
        """The base with the adapters in it."""
        self.data = data
        """The shards, as they are now."""
        self.rank, self.alpha = rank, alpha
        self._adapters = NamedAdapters(self.adapted, rank, alpha)
        self._together = Combined.of(self.adapted, self._voices, mean_vote)

    def fresh_adapter(self, shard: int, seed: int) -> list[Tensor]:
        """Put an untrained adapter in the shard's place; returns its weights, which alone may move."""
        return self._adapters.fresh(f"shard{shard}", seed)

    def adapter(self, shard: int) -> list[Tensor]:
        """The weights of a shard's adapter."""
        return self._adapters.weights(f"shard{shard}")

    def _voices(self) -> Iterator[LanguageModel]:
        for shard in range(len(self.data)):
            self._adapters.use(f"shard{shard}")
            yield self.adapted

    def speaker(self, query: str, answer: str | None = None) -> UnlearnedModel:
        """All shards."""
        return self._together

    def member(self, number: int) -> LanguageModel:
        """See :class:`~reference_impls.toolkit.Ensemble`: the base with a shard's adapter."""
        return self._adapters.merged(f"shard{number}")

    def with_members(self, member: Callable[[int], LanguageModel]) -> UnlearnedModel:
        """See :class:`~reference_impls.toolkit.Ensemble`."""
        return Combined.of(self.model, lambda: map(member, range(len(self.data))), mean_vote)

    def to_json(self) -> dict[str, Any]:
        """How many adapters there are, and of what shape."""
        return {"shards": len(self.data), "rank": self.rank, "alpha": self.alpha}

    def tensors(self) -> dict[str, Tensor]:
        """The adapters' weights."""
        return {name: weight.detach() for name, weight in adapter_weights(self.adapted.model)}

    @classmethod
    def of(cls, model: LanguageModel, kept: Kept) -> AdapterEnsemble:
        """The ensemble that was kept, without the data of its shards.

        Raises:
            KeyError, ValueError: the adapters are those of another model, or not all of them.
        """
        shards = int(kept.facts["shards"])
        ensemble = cls(model, [[] for _ in range(shards)], int(kept.facts["rank"]), float(kept.facts["alpha"]))
        for shard in range(shards):
            ensemble.fresh_adapter(shard, seed=0)
        kept.put_into(adapter_weights(ensemble.adapted.model))
        return ensemble
