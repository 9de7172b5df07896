r"""Targeted information forgetting (TIF).

Of the words of an answer a few are what is to be forgotten, the others are language that everybody needs. Unlearning
acts on the former alone, by a preference that their logits fall below what they were, and the latter go on being
learned.

## Objective

Zhou et al., who call the loss targeted preference optimization (TPO), with a retain term:

$$
\mathcal L = -\frac{2}{\beta}\, \mathbb E \log \sigma\Big(\frac{\beta}{|U|} \sum_{t \in U}
\big(z^{\mathrm{ref}}_{y_t} - z^{\theta}_{y_t}\big)\Big)
- \mathbb E \sum_{t \notin U} \log \pi_\theta(y_t \mid x, y_{<t}) + \alpha\, L(\mathcal D_r; \theta),
$$

both expectations over forget pairs.

## Symbols

- $U$: the places of an answer $y$ that hold *unwanted* tokens; the others are *general*.
- $z^{\theta}_{y_t}$: the logit of token $y_t$, as it is, not its log-probability; $z^{\mathrm{ref}}$ that of the model
  before unlearning.
- $\beta$ (`beta`): how soon tokens whose logits have fallen stop pulling.
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers, weighted by $\alpha$ (`retain_weight`).
- `common`: where a pair has no alternate answers, the share of forget answers from which on a token is general.

## Facts

- **The first term is at least 0** and $\frac{2}{\beta} \log 2$ at the start, as that of `npo`; its gradient reaches the
  logits of unwanted tokens alone, and no other logit at the same place.
- **A logit is not a probability.** All logits of a place can fall together, which lowers the term and forgets nothing;
  the general tokens do not forbid it, for their places are others. Sharing weights makes it an unlikely way.
- Where all tokens are general it is ordinary training on the forget answers; where all are unwanted the second term is
  gone.
- The answer to forget is trained on, but for its unwanted tokens, so its sentence stays and its content goes.

## Differences

1. The paper lets a language model or a tagger mark unwanted words. Here a token is general if the prompt has it, or an
   alternate answer of the task to the same question; where there is none, if enough other forget answers have it.
2. In the released code the mean of the differences is over a batch, within the logarithm; here, as in the formula,
   over an answer.
3. The retain term is that of a variant in the released code; 0 leaves it out.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
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
    mean_nll,
    specific_tokens,
)


def tpo_loss(out: TokenLogits, before: TokenLogits, unwanted: Tensor, beta: float) -> Tensor:
    r"""() $\mathcal L$ without the retain term.

    Args:
        out: logits at the tokens of answers to forget.
        before: those of the model before unlearning.
        unwanted: (N,) which of the tokens are.
        beta: $\beta$.
    """
    fallen = (before.logits - out.logits).gather(1, out.targets[:, None])[:, 0]
    count = out.sum_by_sequence(unwanted.float())
    mean_fallen = out.sum_by_sequence(fallen * unwanted) / count.clamp(min=1)
    preserved = out.sum_by_sequence(out.token_logprobs() * ~unwanted)
    return (-2 / beta * F.logsigmoid(beta * mean_fallen) - preserved).mean()


@dataclass(frozen=True)
class TIF(Method):
    """Tell unwanted tokens from general ones, and unlearn the former."""

    paper = "zhou2025not"
    acts_on = "loss"
    reference = "model"
    retain = "optional"
    remembers = False
    published = {
        "learning_rate": 1e-5,
        "epochs": 10,
        "batch_size": 16,
        "weight_decay": 0.01,
        "source": "released configuration, TOFU",
    }

    beta: float = hyperparameter(0.32, "β, inverse temperature", source="released configuration for TOFU", above=0)
    retain_weight: float = hyperparameter(
        1.0,
        "α, weight of the retain loss",
        source="a variant in the released code",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )
    common: float = hyperparameter(
        0.1, "share of answers from which on a token is general", source="ours", minimum=0, maximum=1
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Mark the tokens once, then minimise the loss."""
        general = general_tokens(model, data.forget, self.common)

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            with torch.no_grad():
                (before,) = batch.before.token_logits(batch.forget)
            forget, retain = model.token_logits(batch.forget, batch.retain)
            unwanted = specific_tokens(forget, batch.forget.rows, general)
            return tpo_loss(forget, before, unwanted, self.beta) + self.retain_weight * mean_nll(retain)

        return run.minimize(loss, model, data, reference=self.reference, retain=self.looks_at_retain)
