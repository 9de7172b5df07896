r"""Partial model collapse (PMC).

A model that is trained on its own samples over and over loses what it says rarely, and in the end all variety: it
collapses. Done for the forget questions alone, with those of its samples that are least like what it used to say, the
old answer dies out, and the answer to forget is never shown to it.

## Objective

Scholten et al.: in each round, for every forget question $x$,

$$
y^{(1)}, \dots, y^{(n)} \sim \pi_\theta(\cdot \mid x), \qquad
\hat y = \arg\min_{y^{(j)}}\ \mathrm{ROUGE}\big(y_0(x),\, y^{(j)}\big), \qquad
\mathcal L(\theta) = L\big(\{(x, \hat y)\}; \theta\big) + \lambda\, L(\mathcal D_r; \theta) .
$$

## Symbols

- $y_0(x)$: what the model says before unlearning.
- $n$ (`samples`): how many answers are drawn for each question, at a `temperature`, from the likeliest tokens that
  together have the probability `top_p`.
- $\mathrm{ROUGE}$: the share of the words of $y_0$ that come in this order in the other, the recall of ROUGE-L.
- $\hat y$: the sample with the lowest overlap of this and all rounds before; of equals the first.
- $L$: the mean negative log-likelihood of a set's answers, of retain answers weighted by $\lambda$ (`retain_weight`).

## Facts

- **The forget answers are never read.** What is compared and trained on is what the model says itself; that is the
  answer to forget only as long as it says nothing else.
- **The overlap of the sample that is trained on never rises** from round to round, and a question whose sample shares
  no word with the old answer is sampled no more.
- With $n = 1$ the choice falls away but for earlier rounds, and it is self-training: little presses towards forgetting.
- A model that is certain says the same in each sample, all overlaps are 1, and nothing happens: that is what the
  temperature is for.
- What is learned is what the model could have said, so it stays fluent; it may be false.

## Differences

1. A round here is a batch: each is sampled for when its turn comes; the paper samples once in an epoch.
2. The released code can add a penalty for short samples; its published runs do not, nor does this. An empty answer
   shares no word with any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    hyperparameter,
    mean_nll,
    rouge_l_recall,
)


@dataclass(frozen=True)
class Pick:
    """The answer that is trained on, and how much of the old one it says."""

    answer: str
    overlap: float


def least_alike(before: str, samples: Sequence[str], best: Pick) -> Pick:
    """The sample that says least of what was said before, if it says less than the best so far."""
    return min(
        (best, *(Pick(sample, rouge_l_recall(before, sample)) for sample in samples)), key=lambda pick: pick.overlap
    )


@dataclass(frozen=True)
class PMC(Method):
    """Train on the least familiar of the model's own answers."""

    paper = "scholten2025model"
    acts_on = "data"
    retain = "optional"
    published = {
        "learning_rate": 1e-5,
        "epochs": 40,
        "batch_size": 64,
        "source": "released configuration, TOFU with Phi-1.5",
    }

    samples: int = hyperparameter(5, "n, answers drawn for each question", source="paper, Phi-1.5", minimum=1)
    retain_weight: float = hyperparameter(
        1.5, "λ, weight of the retain loss", source="paper, Phi-1.5", minimum=0, trade_off=(0.5, 1.0, 1.5, 3.0)
    )
    temperature: float = hyperparameter(1.25, "temperature of the samples", source="paper, Phi-1.5", above=0)
    top_p: float = hyperparameter(
        0.95, "probability of the tokens that samples come from", source="paper, Phi-1.5", above=0, maximum=1
    )
    length: int = hyperparameter(32, "tokens of a sample", source="ours; enough for the answers here", minimum=1)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Note what is said now, then sample, choose and learn in turn."""
        asked = data.prompted().forget
        before = model.generate([pair.prompt for pair in asked], self.length)
        picks = [Pick(text, 1.0) for text in before]

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            rows = batch.forget.rows.tolist()
            open_rows = [row for row in rows if picks[row].overlap > 0]
            with model.evaluating():
                prompts = [asked[row].prompt for row in open_rows for _ in range(self.samples)]
                drawn = model.sample(prompts, self.length, self.temperature, self.top_p)
            for place, row in enumerate(open_rows):
                mine = drawn[place * self.samples : (place + 1) * self.samples]
                picks[row] = least_alike(before[row], mine, picks[row])
            told = [replace(asked[row], answer=asked[row].spaced(picks[row].answer)) for row in rows]
            picked, retain = model.token_logits(model.encode(told), batch.retain)
            return mean_nll(picked) + self.retain_weight * mean_nll(retain)

        return run.minimize(loss, model, data, retain=self.looks_at_retain)
