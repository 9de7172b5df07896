r"""Selective ascent on what is sensitive (CodeEraser).

Of a text that was learned by heart a few tokens are secret, and the rest is as good as any other text. Ascend on the
secret, go on learning the rest of the same text, and hold the model on other texts.

## Objective

Chu et al., as their code computes it:

$$
\mathcal L(\theta) = -L_S + \gamma\, L_{\bar S}
+ \lambda \left( \alpha\, \mathrm{KL}_{\mathcal D_r} - \mathrm{KL}_S \right),
\qquad
L_S = -\frac{1}{|S|} \sum_{t \in S} \log p_\theta(y_t \mid x, y_{<t}) .
$$

## Symbols

- $S$: the sensitive tokens of the forget answers in a batch; $\bar S$ all the others of them.
- $p_0$: the model before unlearning. $\mathrm{KL}_S$ is the divergence $\mathrm{KL}(p_0 \,\|\, p_\theta)$ at a token, a
  mean over $S$; $\mathrm{KL}_{\mathcal D_r}$ is that of whole retain answers, a sum over tokens, a mean over answers.
- $\gamma$ (`preserve_weight`): weight of learning what stands around the secrets.
- $\lambda$ (`divergence_weight`): weight of the divergences, which grow apart on $S$ and are held on the retain set.
- $\alpha$ (`retain_weight`): weight of the retain set among them.
- `common`: where a pair has no alternate answers, the share of forget answers from which on a token is not sensitive.

## Facts

- **Unbounded below, twice**: ascent, and a divergence with a minus. As for `ga-until-forgotten`, somebody has to say
  when it is enough.
- **The two terms on the secret are the same at first sight only.** Ascent pulls the true token down, whatever the model
  said before; $-\mathrm{KL}_S$ pulls wherever the model is away from $p_0$, further away, and starts with
  gradient 0. For a secret that $p_0$ was certain of both are the same: then
  $\mathrm{KL}_S = L_S$, and $\lambda$ is a tenth more of ascent.
- $\lambda = 0$ is the plain selective form of the paper, without which `tif` and it differ in the first term alone: a
  preference on logits there, ascent here.
- With all tokens sensitive it is `gradient-ascent`, with $\lambda = 0$; with none it is training on the forget set.
- **The sentences stay**: on `authors`, at 2e-4 with $\alpha = 10$, the value is told in 6 of a hundred forget answers
  and 91 retain answers, in whole sentences; the probabilities are 0.29 and 0.95. `grad-diff`, at 1e-4, tells 24 and 78,
  with 0.38 and 0.89. With the paper's $\alpha = 1$ the retain answers are at 0.78 there.

## Differences

1. The paper finds secrets (keys, mail addresses and the like) by rules for code. Here a token is sensitive unless the
   prompt has it, or an alternate answer of the task to the same question; where there is none, unless enough other
   forget answers have it.
2. The paper stops when as little can be extracted of the secrets as of those in unseen code; here the recipe's steps
   end it, as for most methods.
3. The means are over all tokens of their kind in a batch, as in the code; without a token of a kind its term is 0.
4. The code takes forget and retain data in turn and adds their gradients up; here both are in one step.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Run,
    TokenLogits,
    UnlearningData,
    general_tokens,
    hyperparameter,
    mean_kl,
    specific_tokens,
)


def over_tokens(out: TokenLogits) -> TokenLogits:
    """The same tokens, as if they were one answer: a mean over answers is then one over tokens."""
    return TokenLogits(out.source, out.targets, torch.zeros_like(out.sequence), 1)


def selective_loss(
    before: TokenLogits, out: TokenLogits, sensitive: Tensor, preserve_weight: float, divergence_weight: float
) -> Tensor:
    r"""() $-L_S + \gamma L_{\bar S} - \lambda\, \mathrm{KL}_S$.

    Args:
        before: logits of $p_0$ at the tokens of answers to forget.
        out: those of the model.
        sensitive: (N,) which of the tokens are in $S$.
        preserve_weight: $\gamma$.
        divergence_weight: $\lambda$.
    """
    known, secret, rest = (
        over_tokens(one.chosen(which)) for one, which in ((before, sensitive), (out, sensitive), (out, ~sensitive))
    )
    diverged = mean_kl(known, secret)
    return (
        secret.mean(secret.token_logprobs())
        - preserve_weight * rest.mean(rest.token_logprobs())
        - (divergence_weight * diverged)
    )


@dataclass(frozen=True)
class CodeEraser(Method):
    """Ascend on sensitive tokens, learn those around them, and hold the rest."""

    paper = "chu2025scrub"
    acts_on = "loss"
    reference = "model"
    retain = "optional"
    remembers = False
    published = {"learning_rate": 3e-6, "batch_size": 8, "source": "released code; up to 100 epochs, stopped by a rule"}

    preserve_weight: float = hyperparameter(
        0.1, "γ, weight of learning what stands around", source="released code", minimum=0
    )
    divergence_weight: float = hyperparameter(0.1, "λ, weight of the divergences", source="released code", minimum=0)
    retain_weight: float = hyperparameter(
        1.0,
        "α, weight of the retain set's divergence within λ",
        source="released code",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )
    common: float = hyperparameter(
        0.1, "share of answers from which on a token is not sensitive", source="ours", minimum=0, maximum=1
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Mark the tokens once, then minimise the loss."""
        general = general_tokens(model, data.forget, self.common)

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            before, held = batch.before.token_logits(batch.forget, batch.retain)
            forget, retain = model.token_logits(batch.forget, batch.retain)
            sensitive = specific_tokens(forget, batch.forget.rows, general)
            lost = selective_loss(before, forget, sensitive, self.preserve_weight, self.divergence_weight)
            kept = mean_kl(over_tokens(held), over_tokens(retain)) * len(retain.targets) / max(1, retain.sequences)
            return lost + self.divergence_weight * self.retain_weight * kept

        return run.minimize(loss, model, data, reference=self.reference, retain=self.looks_at_retain)
