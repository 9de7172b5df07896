r"""Policy unlearning through relative group erasure (PURGE).

Whether a text names what it must not is a matter of looking. So the model answers each question several times, and of
these answers those with fewer forbidden words become likelier, those with more of them less likely. No answer is given
to it, neither the true one nor another, and no model judges.

## Objective

Zaradoukas et al., with the reward of an answer $y$ from its number of mentions $n(y)$ of forbidden words $W$,

$$
r(y) = e^{-n(y) / \tau} \quad\text{or}\quad r(y) = \mathbf 1[n(y) = 0],
\qquad
A_k = \frac{r_k - \mathrm{mean}(r)}{\mathrm{std}(r)},
$$

$$
\mathcal L(\theta) = -\frac1K \sum_k \frac{1}{|y_k|} \sum_t
\min\!\left( \rho_t A_k,\ \mathrm{clip}(\rho_t, 1 - \epsilon, 1 + \epsilon)\, A_k \right)
+ \beta\, \widehat{\mathrm{KL}},
\qquad
\rho_t = \frac{\pi_\theta(y_{k,t} \mid x, y_{k,<t})}{\pi_{\mathrm{old}}(y_{k,t} \mid x, y_{k,<t})} .
$$

## Symbols

- $x$: a question to forget; $y_1, \dots, y_K$ (`samples`): answers that the model $\pi_{\mathrm{old}}$ gave to it.
- $W$: the forbidden words of the question's subject; $\tau$ (`decay`): how many of them cost most of the reward.
- $\epsilon$ (`clip`): how far `updates` steps on the same answers may go for them.
- $\widehat{\mathrm{KL}}$: an estimate of the divergence from the model before unlearning, weighted by $\beta$
  (`kl_weight`): $e^u - u - 1$ with $u = \log \pi_{\theta_0} - \log \pi_\theta$ of each token.

## Facts

- **Only differences within a group teach.** Where all $K$ answers hold as many forbidden words, whether none or all,
  every advantage is 0. A model that knows its answers by heart starts slowly; a higher `temperature` makes them differ.
- **The advantages are scaled by the group's deviation**: one lucky answer among many counts the more, the rarer it is.
- **With one step on each batch of answers** (the default, and what the released settings come to) every ratio is 1,
  nothing is clipped, and the gradient is the plain policy gradient with the group's mean for a baseline.
- **The true answer is lowered as far as it was drawn**, forbidden words and the words around them alike, since an
  answer's tokens share its advantage.
- **What earns the reward need not make sense.** Nothing said earns all of it: on this file's test a rate a half higher
  gives `Ana Lund was born in.` And where words that any answer needs are forbidden, sentences go to pieces: on
  `authors` with `common` 0.05, which forbids `an` and `his` to many, `The city where 1968.` was an answer.
- On `authors`, 60 steps at a rate of 2e-4 take forget answers from 0.96 to 0.48 of probability and from 0.91 to 0.47 of
  ROUGE (a model that never saw them: 0.45 and 0.47), and leave 0.87 of the retain answers' 0.98, utility 0.61 of
  0.65: a little better than `demem` at its best (0.52, 0.34, 0.85 and 0.59), with a quarter of the steps on the same
  answers.
- **$\beta$ is what keeps**, though it is taken on the answers to forget: with 0.1 (and `common` 0.05), forget answers
  stay at 0.65 where they fall to 0.51 without, and 0.94 of the retain answers' probability is left in place of 0.86.

## Differences

1. The paper asks a large language model for what the unlearned model knows of an entity, and people choose 50 terms of
   it. Here $W$ are the words of all forget answers on a subject, less the words of its name and of the question, and
   less those in more than a share (`common`) of others' answers. The paper forbids the entity's name as well.
2. Words count one by one; the released code looks for whole terms.
3. A third reward of the released code weighs terms by PageRank in a graph of their embeddings; it is left out.
4. An answer has at most `length` tokens, few for the short answers of the tasks; the code's 256.
5. A text is cut behind the first mention of its subject.
6. Followed after its released code and the definition of group-relative policy optimization; where the paper's text
   says otherwise, that was not seen.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Pair,
    Run,
    Sample,
    UnlearningData,
    distinct_words,
    grpo_loss,
    hyperparameter,
    sampled_groups,
)


def forbidden_words(data: UnlearningData, common: float) -> dict[str, frozenset[str]]:
    """For each subject, $W$: the words of all its answers, without those that anyone may say.

    Args:
        data: with prompts.
        common: a word of more than this share of others' answers is anyone's.
    """
    used = Counter(word for pair in data.others for word in distinct_words(pair.answer))
    of_all = {word for word, count in used.items() if count > max(1.0, common * len(data.others))}
    words: dict[str, frozenset[str]] = {}
    for pair in data.forget:
        named = distinct_words(pair.prompt) | distinct_words(pair.subject)
        said = distinct_words(pair.answer) - named - of_all
        words[pair.subject] = words.get(pair.subject, frozenset()) | said
    return words


def mentions(text: str, words: frozenset[str]) -> int:
    """$n$, how many of a text's words are among these; letters' case does not matter, parts of words do not count."""
    return sum(word in words for word in re.findall(r"\w+", text.casefold()))


@dataclass(frozen=True)
class PURGE(Method):
    r"""Minimise the group-relative loss with a reward for saying none of the forbidden words."""

    paper = "zaradoukas2026reinforcement"
    acts_on = "loss"
    reference = "model"
    retain = "optional"
    published = {
        "learning_rate": 1e-6,
        "epochs": 15,
        "batch_size": 4,
        "source": "released code, models of 1 to 4 billion; 16 samples a step are 4 prompts",
    }

    kl_weight: float = hyperparameter(
        0.0, "β, weight of the divergence", source="released code", minimum=0, trade_off=(0.0, 0.03, 0.1, 0.3)
    )
    samples: int = hyperparameter(4, "K, answers sampled for a prompt", source="released code", minimum=2)
    reward: str = hyperparameter(
        "exponential", "what a mention costs", source="released code", choices=("exponential", "binary")
    )
    decay: float = hyperparameter(1.0, "τ of the exponential reward", source="released code", above=0)
    temperature: float = hyperparameter(1.0, "temperature of the samples", source="released code", above=0)
    updates: int = hyperparameter(1, "steps on each batch of samples", source="released code", minimum=1)
    clip: float = hyperparameter(0.2, "ε, how far a ratio may go", source="released code", above=0, below=1)
    length: int = hyperparameter(32, "most tokens of an answer", source="ours; released code: 256", minimum=1)
    common: float = hyperparameter(
        0.02, "words of a larger share of others' answers are anyone's", source="ours", minimum=0, maximum=1
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Sample anew for every few steps; retain answers say which words are anyone's, and nothing else."""
        asked = data.prompted()
        forbidden = forbidden_words(asked, self.common)
        samples: list[Sample] = []
        steps = 0

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            nonlocal samples, steps
            if steps % self.updates == 0:
                pairs = [asked.forget[row] for row in batch.forget.rows.tolist()]
                samples = self.explore(model, pairs, forbidden)
            steps += 1
            return grpo_loss(model, samples, self.clip, self.temperature, self.kl_weight, batch.reference)

        return run.minimize(loss, model, data, reference=self.reference, retain=False)

    def explore(self, model: LanguageModel, pairs: list[Pair], forbidden: Mapping[str, frozenset[str]]) -> list[Sample]:
        """Sample a group of answers to each pair's prompt."""

        def reward(pair: Pair, text: str) -> float:
            count = mentions(text, forbidden[pair.subject])
            return math.exp(-count / self.decay) if self.reward == "exponential" else float(count == 0)

        return sampled_groups(model, pairs, reward, self.samples, self.length, self.temperature)
