r"""Distribution flattening on multiple-choice questions (DF-MCQ).

A model that is taught something false in the place of something true has learned more, not less, and probing finds
out. Ask it instead to choose among several answers, and teach it to find all of them equally likely, the true one
included: nothing new is taught, and what told the truth from the rest is gone.

## Objective

Sun et al. minimise the divergence from the uniform distribution over the options of questions about what is to be
forgotten. As in their released code, with $q$ what the model gives each of $K$ options, and $p_0$ what it said before,

$$
\mathcal L(\theta) = -\,\mathbb E_{x \sim \mathcal D_f} \frac1K \sum_{k=1}^K \log q_\theta(k \mid x)
+ \rho\, \mathbb E_{x \sim \mathcal D_r}\, \mathrm{CE}\big( p_0(\cdot \mid x),\, p_\theta(\cdot \mid x) \big) .
$$

In the paper an option is a letter, the next token after a question that lists all of them. Here it is a whole answer
$y_k$, and

$$
q_\theta(k \mid x) = \mathrm{softmax}_k\!\left( \frac{1}{|y_k|} \log \pi_\theta(y_k \mid x) \right) .
$$

## Symbols

- $y_1$: the true answer; $y_2, \dots, y_K$: wrong ones, drawn anew in every step; $K$ in all (`options`).
- $\pi_\theta(y \mid x)$: the probability of a whole answer; $|y|$: its number of tokens.
- $\rho$ (`retain_weight`): weight of the retain term, at the tokens of retain answers.

## Facts

- **Bounded below, and the end is chance**: the loss is at least $\log K$, which it has where all options are equally
  likely, and there its gradient is 0. Ascent goes on until the true answer is the *least* likely, which tells it apart
  as well.
- **Only differences count**: what all options share, the words of a sentence, gets no gradient but through the tokens
  that differ, and all of them may become unlikely together. Free text is the language model's own; what is removed is
  an order.
- The retain term is a divergence but for a constant: its gradient is 0 at the start.
- **Wrong answers have to be many.** With the same four for each question the model learns that it is one of five: on
  `authors` the truth was then as often preferred to other wrong answers as before (0.98), and 0.86 of its probability
  was left.
- On `authors`, at a rate of 5e-4, it names other values in whole sentences: the truth is preferred to wrong answers
  that it never met in 0.73 of cases (0.99 before, 0.44 with the retrained model), and 0.66 of the forget and 0.96 of
  the retain answers' probability are left. The more wrong answers there are to draw from, the nearer to chance: 0.64
  with those of the retain set as well.

## Differences

1. The paper has a language model write five-option questions about a person, and trains on the letter of the answer,
   whose probability is that over the whole vocabulary. Models as small as the ones here do not know what letters are
   for, so that options are the answers themselves, and their probability is that among the options: the released code
   has this form, too, as a variant. A letter says nothing about what it stands for; answers do, and to train all of
   them as answers would teach the wrong ones, and the true one.
2. Wrong answers are the task's invented ones (`Pair.alternates`), and those of other subjects of the forget set to the
   question most like this one, with the name put in.
3. The released code takes the retain term at the letter's place in questions with options; here it is at all tokens of
   retain answers, and a divergence, which has the same gradient. Its code reads that place of every question of a batch
   in every row of it; here each has its own.
4. It trains adapters of rank 256; here all weights.
5. Another variant of the code flattens the options' probabilities to their mean and leaves all others as they are. It
   is left out. The equations are those of the code; the paper's text was read in parts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Encoded,
    LanguageModel,
    Method,
    Pair,
    Run,
    TokenLogits,
    UnlearningData,
    flipped_answers,
    hyperparameter,
    mean_kl,
)


def wrong_options(data: UnlearningData) -> list[list[Pair]]:
    """For each forget pair, the same with all wrong answers that are at hand, each once."""

    def answers(pair: Pair) -> dict[str, None]:
        others = flipped_answers(pair, data.forget) if len(data.forget) > 1 or not pair.alternates else []
        return dict.fromkeys((*pair.alternates, *others))

    return [[replace(pair, answer=answer) for answer in answers(pair)] for pair in data.forget]


def flattening_loss(out: TokenLogits, count: int) -> Tensor:
    r"""() $-\frac1K \sum_k \log q_k$, the mean over questions.

    Args:
        out: logits at the tokens of the options, question by question.
        count: $K$, how many options each question has.
    """
    return -torch.log_softmax(-out.sequence_nll().reshape(-1, count), dim=1).mean()


@dataclass(frozen=True)
class DFMCQ(Method):
    """Make true and false answers equally likely."""

    paper = "sun2025unlearning"
    acts_on = "loss"
    reference = "model"
    retain = "optional"
    remembers = False
    published = {
        "learning_rate": 2e-4,
        "epochs": 3,
        "batch_size": 8,
        "warmup": 0.0,
        "source": "released code, Llama-3.1-8B-Instruct with adapters",
    }

    retain_weight: float = hyperparameter(
        1.0, "ρ, weight of the retain term", source="released code", minimum=0, trade_off=(1.0, 2.0, 5.0, 10.0)
    )
    options: int = hyperparameter(5, "K, answers to choose from, the true one included", source="paper", minimum=2)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Collect wrong answers once; draw options for every batch."""
        asked = data.prompted()
        wrong = wrong_options(asked)
        drawn = min(self.options - 1, *map(len, wrong))

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            rows = batch.forget.rows.tolist()
            offered = [option for row in rows for option in (asked.forget[row], *run.rng.sample(wrong[row], drawn))]
            return self.loss(model, batch, model.encode(offered), drawn + 1)

        return run.minimize(loss, model, asked, reference=self.reference, retain=self.looks_at_retain)

    def loss(self, model: LanguageModel, batch: Batch, offered: Encoded, count: int) -> Tensor:
        """The loss of one batch, with ``count`` options to each of its questions."""
        (before,) = batch.before.token_logits(batch.retain)
        options, retain = model.token_logits(offered, batch.retain)
        return flattening_loss(options, count) + self.retain_weight * mean_kl(before, retain)
