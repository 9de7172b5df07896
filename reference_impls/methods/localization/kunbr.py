r"""Block re-insertion: unlearn each block where the others still know (KUnBR, uniform).

Ordinary unlearning ends when a few layers hide the knowledge of all: then no gradient reaches what lies beneath, and a
little training brings it back. So each block of the unlearned model is put in turn into the model as it was before,
where nothing is hidden, and unlearned there once more. Then it goes back to its place.

## Objective

Guo et al., in the form of their released code. With $\theta$ after a first unlearning, $\theta^0$ before it, and the
layers in $M$ groups $b$ of equal size,

$$
\phi_b \leftarrow \arg\min_{\phi}\;
\mathcal L\big( \theta^0 \text{ with } \phi \text{ in place of } \theta^0_b \big)
\;\text{ from } \phi = \theta_b ,
\qquad
\theta_b \leftarrow \phi_b ,
$$

$$
\mathcal L(\theta) = \lambda\, L(\mathcal D_r; \theta) - L(\mathcal D_f; \theta) .
$$

## Symbols

- $L$: the mean negative log-likelihood of a set's answers; the first unlearning minimises the same $\mathcal L$, of all
  weights.
- $\lambda$ (`retain_weight`), $M$ (`groups`), of which the last `spared` are not re-inserted.
- Each group is re-inserted `rounds` times, the lowest first, with an optimizer that begins anew.

## Facts

- **The groups do not meet.** Each is trained among layers of $\theta^0$, which no training changes; so the order makes
  no difference but for the batches drawn, and what the groups do together is tried by nobody until they are.
- **A group learns to hide everything alone**, for the others go on saying it; in the end that many do so at once.
  Retain answers, too, are kept by each alone.
- Embeddings, last norm and head belong to no group, and stay as the first unlearning left them.
- Without the first unlearning it would be `grad-diff` of one group at a time. $\mathcal L$ has no floor, as there.
- **On `authors`**, from 0.96 and 0.98, 120 steps at a rate of 0.0002 and $\lambda = 5$ leave forget answers at 0.30 and
  retain answers at 0.95; half of the forget answers, learned again, bring the others back to 0.48. `grad-diff` in 120
  steps of half that rate leaves 0.30 and 0.98, and comes back to 0.56. So far it is as in the paper, at a price. Where
  less is forgotten it is not: with $\lambda = 10$ from 0.49 to 0.68, and `grad-diff` from 0.42 to 0.60.

## Differences

1. **The schedule is the code's.** The paper chooses groups by knowledge density, an estimate from gradients of the
   MLPs; its formula was not at hand, and the released code has none. That takes all groups alike, in order, for as many
   epochs as reach three quarters of them: hence `spared`.
2. The steps are the recipe's: one half for the first unlearning, the other shared out among the re-insertions. The code
   has an epoch for each, with Lion and a learning rate of 2e-7, and takes any method for the first.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import Batch, LanguageModel, Method, Run, UnlearningData, hyperparameter, mean_nll


def grouped(layers: int, groups: int, spared: int) -> list[range]:
    """The layers of each group that is re-inserted, in order; as many groups as there are layers at most."""
    count = min(groups, layers)
    parts = [range(layers * part // count, layers * (part + 1) // count) for part in range(count)]
    return parts[: max(1, count - spared * count // groups)]


def exchange(one: LanguageModel, other: LanguageModel, layers: range) -> None:
    """Let two models have each other's weights in some blocks."""
    for layer in layers:
        for mine, theirs in zip(one.blocks[layer].parameters(), other.blocks[layer].parameters(), strict=True):
            mine.data, theirs.data = theirs.data, mine.data


@dataclass(frozen=True)
class KUnBR(Method):
    r"""Unlearn, then unlearn block by block in the model as it was."""

    paper = "guo2025beyond"
    acts_on = "weights"
    retain = "needed"
    copies = 1
    parts = ("blocks",)
    published = {
        "learning_rate": 2e-7,
        "epochs": 18,
        "batch_size": 6,
        "source": "released code, Llama-3-8B-Instruct on WMDP, with Lion; the epochs of the re-insertions",
    }

    groups: int = hyperparameter(8, "M, into how many groups the layers are parted", source="released code", minimum=1)
    spared: int = hyperparameter(
        2, "how many of them, the last, are left out", source="code: 18 of 24 epochs", minimum=0
    )
    rounds: int = hyperparameter(3, "how often each is re-inserted", source="released code", minimum=0)
    retain_weight: float = hyperparameter(
        1.0, "λ, weight of the retain loss", source="released code", minimum=0, trade_off=(1.0, 2.0, 5.0, 10.0)
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """A first unlearning, then each group in turn."""
        before = model.copy()
        first, second = run.stages(2)
        first.minimize(self.loss, model, data)
        turns = [layers for layers in grouped(model.layers, self.groups, self.spared) for _ in range(self.rounds)]
        for layers, stage in zip(turns, second.stages(max(1, len(turns))), strict=False):
            exchange(model, before, layers)
            weights = [weight for layer in layers for weight in before.blocks[layer].parameters()]
            stage.minimize(self.loss, before, data, weights)
            exchange(model, before, layers)
        return model

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        r"""$\mathcal L$ of one batch, forget and retain sequences in one forward pass."""
        forget, retain = model.token_logits(batch.forget, batch.retain)
        return self.retain_weight * mean_nll(retain) - mean_nll(forget)
