r"""Random labels (Random labels).

Show the model the text to forget, ask at every place for a token drawn by lot, and so teach it to have no opinion
there. It is an old way to overwrite what a classifier learned about some data, applied to the next token.

## Objective

Yao et al. (2024, "fine-tuning with random labels", after Golatkar et al. for classifiers); with $V$ tokens in the
vocabulary, and the retain term that later benchmarks add,

$$
\mathcal L(\theta) = -\,\mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \sum_{t=1}^{|y|}
\log p_\theta(\tilde y_t \mid x, y_{<t}) + \alpha\, L(\mathcal D_r; \theta),
\qquad \tilde y_t \sim \mathcal U\{1, \dots, V\}.
$$

## Symbols

- $y_{<t}$: the *true* tokens before place $t$. The input stays as it was; only the label $\tilde y_t$ is random.
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers, weighted by $\alpha$ (`retain_weight`;
  0 is the paper's form).
- `fixed`: whether a label is drawn once for all (`true`) or anew at every step (`false`).

## Facts

- **Drawn anew, it is a divergence from the uniform distribution.** The expected gradient on the logits is
  $p - \frac1V \mathbf 1$, that of $\mathrm{KL}(\mathcal U \,\|\, p)$, and the expected loss is
  $\mathrm{KL}(\mathcal U \,\|\, p) + \log V$: it is least, $\log V$, where the model has no opinion.
- **It has an end**, where gradient ascent has none: on free logits the margin of the true token goes to 0 and stays.
- **Uniform is not ignorant.** A model that never saw the answer still writes a sentence, with the words of its
  language; this one is asked to give every token the same chance. So it goes past the retrained model, and what it
  leaves is easily told from a model that never knew.
- On `authors` the forgotten questions are answered with strings of pieces of words, while retain answers stay (ROUGE
  0.94) with the retain term that was added here.
- **Drawn once, the labels are learned by heart**, a second thing to know about the forget set.
- $V$ is large and a batch has one draw a place, so the gradient is noise for the most part.

## Differences

1. The random label may be the true one, with probability $1/V$.
2. The prompt is masked and a loss is a mean over answers; the paper takes all tokens of a text.
3. The paper has no retain term ($\alpha = 0$).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Run,
    TokenLogits,
    UnlearningData,
    hyperparameter,
    mean_nll,
)


def random_label_loss(out: TokenLogits, labels: Tensor) -> Tensor:
    r"""() The mean negative log-likelihood of other labels at the answers' places.

    Args:
        out: logits at the places that predict the answers' tokens.
        labels: (N,) $\tilde y$.
    """
    return mean_nll(replace(out, targets=labels))


@dataclass(frozen=True)
class RandomLabels(Method):
    """Fine-tune on random labels of the forget answers and true ones of the retain answers."""

    paper = "yao2024machine"
    acts_on = "data"
    retain = "optional"

    retain_weight: float = hyperparameter(
        1.0, "α, weight of the retain loss; 0 is the paper's", source="ours", minimum=0, trade_off=(1.0, 2.0, 5.0, 10.0)
    )
    fixed: bool = hyperparameter(False, "whether a label is drawn once for all", source="ours")

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Minimise the loss over labels drawn with the run's seed."""
        generator = torch.Generator().manual_seed(run.seed)
        drawn: dict[int, Tensor] = {}

        def labels(row: int, count: int, vocabulary: int) -> Tensor:
            new = torch.randint(vocabulary, (count,), generator=generator)
            return drawn.setdefault(row, new) if self.fixed else new

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            forget, retain = model.token_logits(batch.forget, batch.retain)
            counts = torch.bincount(forget.sequence, minlength=forget.sequences).tolist()
            rows = batch.forget.rows.tolist()
            vocabulary = forget.logits.shape[1]
            chosen = torch.cat([labels(row, count, vocabulary) for row, count in zip(rows, counts, strict=True)])
            return random_label_loss(forget, chosen.to(model.device)) + self.retain_weight * mean_nll(retain)

        return run.minimize(loss, model, data, retain=self.looks_at_retain)
