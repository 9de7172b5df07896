r"""Gradual negative matching (GNM).

Ascent takes the true answer away and does not care what comes instead. GNM says what: a chain of wrong answers to each
question, each further off than the one before, on which the model is trained in turn while ascent and a divergence do
the rest. Between the truth and what is said in the end there is no leap.

## Objective

Kulkarni et al., as in their released code:

$$
\mathcal L(\theta) = -w_1\, \mathbb E_{(x,y) \sim \mathcal D_f} \bar\ell_\theta(y \mid x)
+ w_2\, \mathbb E_{(x,y) \sim \mathcal D_r} \frac{1}{|y|} \sum_t
\mathrm{KL}\big(\pi_{\mathrm{ref}} \,\|\, \pi_\theta\big)
+ w_3\, \mathbb E_{x \sim \mathcal D_f} \bar\ell_\theta\big(y^{(k)} \mid x\big),
$$

with $y^{(1)}, \dots, y^{(m)}$ the gradual negatives of $x$; step $s$ of $S$ trains on number
$k = \lfloor m s / S \rfloor + 1$.

## Symbols

- $\bar\ell_\theta(y \mid x)$: the mean negative log-likelihood of an answer's tokens.
- $\pi_{\mathrm{ref}}$: the model before unlearning.
- $w_1$ (`forget_weight`), $w_2$ (`retain_weight`), $w_3$ (`negative_weight`): the weights of ascent, of the divergence
  on retain answers, and of the negatives.
- $m$ (`negatives`): how long the chain is; `order` says whether it is gone through or drawn from.

## Facts

- **With $w_1 = w_2 = 0$ it is fine-tuning on wrong answers**, with $w_3 = 0$ ascent with a divergence. `llmu` has the
  same three terms, with answers to other questions in the place of the chain.
- **Unbounded below**, by the first term alone. The third does not bound it: where an answer shares its beginning with
  the negatives, the two pull against each other with weights of 0.5 and 0.04.
- The divergence has value and gradient 0 at the start.
- **It prevents the collapse**, as the paper says: on the embedded task (`authors`, 60 steps at a rate of 1e-3) the
  forget answers go to 0.01 with and without negatives; of the neighbouring words of what is then said, 80% stand
  together in the task's texts with them, and 35% without. At 2e-4 there is little for them to do (0.25 and 0.30).
- **A larger weight aims better**: with $w_3 = 0.5$ at 2e-4 the forget answers end at 0.44, where the retrained model
  has 0.45, and their truth ratios are nearly distributed as its are (a distance of 0.08; the default leaves 0.16).
- **The order was of no account** there: drawn from the chain at random, the same numbers came out within 0.02.

## Differences

1. In the paper the language model itself is asked, over and over, for an answer further from the last; with what words
   is not in the released code. A model as small as the ones here cannot be asked so. Here the chain is made of the
   task's invented answers (`Pair.alternates`), or, where it has none, of answers to other forget questions with the
   subject's name put in, in the order of their likelihood under the model before unlearning, the likeliest first.
2. The released code reads its file of negatives in the file's order, which is not told; here the place in the chain
   goes with the step. `order` = `shuffled` draws a negative for each question and step.
3. Its divergence hands probabilities to a function that takes logarithms: it computes
   $\frac1N \sum_v e^{p_v} (p_v - q_v)$, $p$ before and $q$ now, whose gradient does not vanish at $q = p$, so that it
   goes on sharpening what is likely. This is the divergence that the paper names.
4. It trains adapters (AdaLoRA), and a random 60% of each set; here all weights and all pairs.
5. Of a plain text the beginning, up to the first mention of its subject, is the prompt, and the rest the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Encoded,
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearningData,
    false_answers,
    hyperparameter,
    mean_kl,
    mean_nll,
)


def chain(model: LanguageModel, pair: Pair, answers: Sequence[str]) -> list[str]:
    """The answers to a pair's prompt, from the one that the model is likeliest to give to the most far-fetched."""
    logprobs = model.pair_logprobs([replace(pair, answer=answer) for answer in answers])
    likelihood = dict(zip(answers, [float(one.mean()) for one in logprobs], strict=True))
    return sorted(answers, key=lambda answer: -likelihood[answer])


@dataclass(frozen=True)
class GNM(Method):
    """Minimise ascent, divergence and the loss of gradual negatives."""

    paper = "kulkarni2025gradual"
    acts_on = "loss"
    reference = "model"
    retain = "optional"
    published = {"learning_rate": 1e-4, "steps": 800, "batch_size": 1, "source": "released code, OLMo-7B with adapters"}

    forget_weight: float = hyperparameter(0.5, "w₁, weight of gradient ascent", source="released code", minimum=0)
    retain_weight: float = hyperparameter(
        5.0,
        "w₂, weight of the divergence on the retain set",
        source="released code",
        minimum=0,
        trade_off=(2.0, 5.0, 10.0, 20.0),
    )
    negative_weight: float = hyperparameter(0.04, "w₃, weight of the negatives", source="released code", minimum=0)
    negatives: int = hyperparameter(5, "m, wrong answers to each question", source="ours", minimum=1)
    order: str = hyperparameter(
        "gradual", "whether the chain is gone through or drawn from", source="paper", choices=("gradual", "shuffled")
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Order the wrong answers once, then go through them while the three terms are minimised."""
        asked = data.prompted()
        wrong = [false_answers(pair, asked.forget, self.negatives, run.rng) for pair in asked.forget]
        with model.evaluating():
            chains = [chain(model, pair, answers) for pair, answers in zip(asked.forget, wrong, strict=True)]
        steps = count()

        def negative(row: int, step: int) -> Pair:
            place = min(step / max(1, run.recipe.steps), 1 - 1e-9) if self.order == "gradual" else run.rng.random()
            return replace(asked.forget[row], answer=chains[row][int(place * len(chains[row]))])

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            step = next(steps)
            return self.loss(model, batch, model.encode([negative(row, step) for row in batch.forget.rows.tolist()]))

        return run.minimize(loss, model, asked, reference=self.reference, retain=self.looks_at_retain)

    def loss(self, model: LanguageModel, batch: Batch, negatives: Encoded) -> Tensor:
        """The loss of one batch and its negatives, all in one forward pass."""
        (before,) = batch.before.token_logits(batch.retain)
        forget, matched, retain = model.token_logits(batch.forget, negatives, batch.retain)
        kept = self.retain_weight * mean_kl(before, retain)
        return self.negative_weight * mean_nll(matched) - self.forget_weight * mean_nll(forget) + kept
