r"""Prefix-aware localized unlearning (PALU).

To stop a secret from being told it is enough to stumble at its first word, and to stumble it is enough that the few
words that come to mind are no likelier than any other. So the likeliest logits at the beginning of each sensitive span
are flattened, and all else that is said is held where it was.

## Objective

Zhai et al., as in their released code:

$$
\mathcal L(\theta) = \frac{\gamma}{|S|} \sum_{t \in S} \frac1k \sum_{v \in K_t} \big(z_{t,v} - \bar z_t\big)^2
+ \alpha\, L(\mathcal D_r; \theta)
+ \frac{\alpha}{|N|} \sum_{t \in N} \mathrm{KL}\big(\pi_\theta \,\|\, \pi_{\mathrm{ref}}\big),
\qquad
\bar z_t = \frac1V \sum_v z_{t,v} .
$$

## Symbols

- $S$: the first $n$ (`prefix`) tokens of each sensitive span of a forget answer; 0 takes spans as a whole.
- $N$: its tokens outside of the spans. What follows in a span after its first $n$ tokens is in neither.
- $K_t$: the $k$ tokens that are likeliest under $\pi_{\mathrm{ref}}$, the model before unlearning, at place $t$; $k$ is
  a share (`top`) of the vocabulary, at least one token.
- $z_t$: the logits at place $t$; $\bar z_t$ their mean over all $V$ tokens, through which the gradient flows, too.
- $\gamma$ (`forget_weight`), $\alpha$ (`retain_weight`): weights; $L(\mathcal D_r; \theta)$ the mean negative
  log-likelihood of retain answers.
- `common`: where a pair has no alternate answers, the share of forget answers from which on a token is not sensitive.

## Facts

- **Bounded below by 0**, which is reached where the selected logits are equal to the mean, retain answers are certain,
  and the rest is said as before.
- **Flat means gone, not even.** The mean over a vocabulary is the logit of a word that nobody would say. What is
  flattened falls to it, and its probability goes to the runners-up outside of $K_t$: with $k = 1$ to the next in line.
  Only with $k = V$ is the end a uniform distribution; then the term is the variance of the logits.
- **The squares are large at first** (a logit that is 15 above the mean counts 225), so that $\alpha$ has a say only
  once it is flat; where gradients are clipped it sets the direction alone.
- The true token is not singled out, and not looked at: what is flattened is what the model was about to say.
- **One token severs the rest**, as the paper says: on the embedded task (`authors`, 60 steps at a rate of 5e-4,
  $\alpha = 2$) what is said shares as little with the truth with $n = 1$ (ROUGE-L 0.69, of 0.91) as with whole spans
  (0.71; none has more than three tokens there). What stands behind the first token is not forgotten, though: given
  that token, the rest of the answer is as likely as it was, so that the forget answers end at 0.46 and not at 0.37, and
  their truth ratios further from the retrained model's (0.33 and 0.15).
- **The sentence stays and its content goes**: "was born in the city of", and then any piece of a word. The default
  $\alpha$ is small for a model that small: at 2e-4 it takes retain answers to 0.77, $\alpha = 2$ at 5e-4 to 0.92.

## Differences

1. The paper has sensitive spans marked by a language model. Here a token is sensitive if neither the prompt has it, nor
   an alternate answer of the task to the same question; where there is none, if few other forget answers have it. The
   end of an answer is not sensitive.
2. Means are over an answer's places, then over answers; the released code takes all places of a batch together.
3. The paper's text was out of reach: the formula is the code's, and the defaults are those of its demonstration.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    by_token,
    general_tokens,
    hyperparameter,
    mean_kl,
    mean_nll,
    specific_tokens,
)


def prefixes(sensitive: Sequence[bool], sequence: Sequence[int], length: int) -> list[bool]:
    """Which places are among the first ``length`` of a run of sensitive ones of one sequence; 0 takes all of a run."""
    chosen, run, last = [], 0, None
    for marked, which in zip(sensitive, sequence, strict=True):
        run = run + 1 if marked and which == last else int(marked)
        last = which
        chosen.append(marked and (length == 0 or run <= length))
    return chosen


def flattening_loss(out: TokenLogits, before: TokenLogits, top: float) -> Tensor:
    r"""() The first term without $\gamma$, from logits at the places of $S$.

    Args:
        out: those of $\pi_\theta$.
        before: those of $\pi_{\mathrm{ref}}$.
        top: $k / V$.
    """

    def squares(known: Tensor, logits: Tensor) -> Tensor:
        likeliest = known.topk(max(1, round(top * known.shape[1])), dim=1).indices
        return (logits.gather(1, likeliest) - logits.mean(dim=1, keepdim=True)).square().mean(dim=1)

    return out.mean(by_token(squares, (before, out)))


@dataclass(frozen=True)
class PALU(Method):
    """Flatten what would be said first of what is sensitive, and hold the rest."""

    paper = "zhai2026maximizing"
    acts_on = "loss"
    reference = "model"
    retain = "optional"
    remembers = False
    published = {
        "learning_rate": 2e-5,
        "epochs": 10,
        "batch_size": 32,
        "source": "released code's demonstration, TOFU with Llama-3.1-8B",
    }

    prefix: int = hyperparameter(
        3, "n, tokens of a span that are flattened; 0 for all", source="released code's demonstration", minimum=0
    )
    top: float = hyperparameter(
        0.0078,
        "k/V, share of the vocabulary that is flattened",
        source="released code's demonstration: 1000 of 128256",
        minimum=0,
        maximum=1,
    )
    forget_weight: float = hyperparameter(1.0, "γ, weight of the flattening", source="released code", above=0)
    retain_weight: float = hyperparameter(
        0.2,
        "α, weight of the retain loss and of the divergence",
        source="released code's demonstration",
        minimum=0,
        trade_off=(0.2, 0.5, 1.0, 2.0),
    )
    common: float = hyperparameter(
        0.1, "share of answers from which on a token is not sensitive", source="as in tif", minimum=0, maximum=1
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Tell the tokens that are not sensitive once, then minimise the loss."""
        general = general_tokens(model, data.forget, self.common)

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            return self.loss(model, batch, general)

        return run.minimize(loss, model, data, reference=self.reference, retain=self.looks_at_retain)

    def loss(self, model: LanguageModel, batch: Batch, general: Sequence[frozenset[int]]) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        (before,) = batch.before.token_logits(batch.forget)
        forget, retain = model.token_logits(batch.forget, batch.retain)
        sensitive = specific_tokens(forget, batch.forget.rows, general)
        first = prefixes(sensitive.tolist(), forget.sequence.tolist(), self.prefix)
        places = torch.tensor(first, dtype=torch.bool, device=sensitive.device)
        flattened = flattening_loss(forget.chosen(places), before.chosen(places), self.top)
        held = mean_kl(forget.chosen(~sensitive), before.chosen(~sensitive))
        return self.forget_weight * flattened + self.retain_weight * (mean_nll(retain) + held)
