r"""Memory supervised unlearning via inverted facts (MEOW).

Fine-tune on false answers of the same kind in place of the true ones, and choose those that come easiest: of several
inventions for each question the ones that the model, given a beginning, already writes on from. Nothing is pushed
down, and no retain set is needed.

## Objective

Gu et al. (the memorization score MEMO, and fine-tuning on the inverted facts that it selects):

$$
\mathrm{MEMO}(x, a) = \frac{1}{|C|} \sum_{c \in C} \mathrm{ROUGE1}\big(a_{>c},\, f_{\theta_0}(x, a_{\le c})\big),
\qquad
\mathcal L(\theta) = -\,\mathbb E_{x \sim \mathcal D_f}\, \mathbb E_{a \in A_k(x)} \frac{1}{|a|}
\log \pi_\theta(a \mid x).
$$

## Symbols

- $a$: an inverted fact, a fluent answer that contradicts the true one; there are $N$ (`inversions`) to each question.
- $a_{\le c}$, $a_{>c}$: its beginning and the rest; $C$ has a cut after every word but the last.
- $f_{\theta_0}(x, a_{\le c})$: the greedy continuation by the model before unlearning.
- $\mathrm{ROUGE1}$: which share of the continuation's words are in the rest.
- $A_k(x)$: the $k$ (`kept`) inverted facts with the largest score.

## Facts

- **Bounded below by 0**, and every step is ordinary fine-tuning: nothing diverges.
- **The easiest lies are the nearest ones.** What scores high shares its words with what the model would say, most of
  all with the true answer, so fine-tuning has to change the fact alone. With $k = N$ the score plays no part.
- The true answer never enters the loss. It falls as far as an invention takes its place.
- **The model is taught falsehoods**, and says them as surely as it said the truth. With several to each question it
  cannot settle on one.

## Differences

1. The paper has a language model write the inversions. Here they are the task's invented answers (`Pair.alternates`),
   or, where it has none, answers to other questions of the forget set with the subject's name put in; none are taken
   from the retain set, whose facts would be told of somebody else.
2. The paper and its code cut an answer every five characters, in the middle of words, too. What is left of a word is
   tokenized in another way than the word was, and a small model does not know it, so that it would score 0 on what it
   knows by heart; here cuts are between words.
3. The paper scores a question's beginning, too ("prefix"); this is the form that scores the answer's ("suffix"), which
   its released data were made with.
4. A continuation has as many tokens as the longest inversion; the released code stops at 200.
5. Of a plain text the beginning, up to the first mention of its subject, is the prompt, and the rest the answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    LossMethod,
    Pair,
    Run,
    UnlearningData,
    false_answers,
    hyperparameter,
    mean_nll,
    rouge_1_precision,
)


def memo_scores(model: LanguageModel, pairs: Sequence[Pair]) -> list[float]:
    """MEMO of each pair's answer, in [0, 1]: how much of it the model writes on from its beginnings.

    Args:
        model: the model before unlearning.
        pairs: prompts with the answers to score.
    """
    cuts = [[word.end() for word in re.finditer(r"\S+(?=\s+\S)", pair.answer)] for pair in pairs]
    beginnings = [pair.prompt + pair.answer[:cut] for pair, at in zip(pairs, cuts, strict=True) for cut in at]
    longest = max(len(model.tokenizer(pair.answer)["input_ids"]) for pair in pairs)
    continuations = iter(model.generate(beginnings, longest))
    scores = []
    for pair, at in zip(pairs, cuts, strict=True):
        precisions = [rouge_1_precision(pair.answer[cut:], next(continuations)) for cut in at]
        scores.append(fmean(precisions) if precisions else 0.0)
    return scores


def largest(answers: Sequence[str], scores: Sequence[float], count: int) -> tuple[str, ...]:
    """The ``count`` answers with the largest scores, best first."""
    order = sorted(range(len(answers)), key=lambda place: -scores[place])
    return tuple(answers[place] for place in order[:count])


@dataclass(frozen=True)
class MEOW(LossMethod):
    """Fine-tune on the inverted facts that come easiest."""

    paper = "gu2024meow"
    acts_on = "data"
    alternates = True
    retain = "unused"
    published = {
        "learning_rate": 1e-5,
        "epochs": 5,
        "source": "paper, which takes TOFU's, Llama-2-7B",
    }

    inversions: int = hyperparameter(4, "N, false answers to each question", source="paper", minimum=1)
    kept: int = hyperparameter(3, "k, how many of them are trained on", source="released code", minimum=1)

    def prepare(self, model: LanguageModel, data: UnlearningData, run: Run) -> UnlearningData:
        """Collect false answers, score them, and keep the best as alternates."""
        asked = data.prompted()
        candidates = [false_answers(pair, asked.forget, self.inversions, run.rng) for pair in asked.forget]
        each = [replace(pair, answer=lie) for pair, lies in zip(asked.forget, candidates, strict=True) for lie in lies]
        scores = iter(memo_scores(model, each))
        chosen = [largest(lies, [next(scores) for _ in lies], self.kept) for lies in candidates]
        forget = tuple(replace(pair, alternates=lies) for pair, lies in zip(asked.forget, chosen, strict=True))
        return replace(asked, forget=forget)

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch of false answers."""
        (out,) = model.token_logits(batch.preferred)
        return mean_nll(out)
