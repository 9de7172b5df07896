r"""Gradient ascent until forgotten (GA-stop).

Gradient ascent has no end of its own, so measure what can still be extracted, and stop as soon as that is no more than
what can be "extracted" of texts that the model never saw. This is how the first paper on unlearning language models
keeps its ascent from ruining them.

## Objective

The loss is that of `gradient-ascent`, $\mathcal L_{\mathrm{GA}}(\theta) = -L(\mathcal D_f; \theta)$. Two measures say
when to stop (Jang et al., their metrics of privacy risk):

$$
\mathrm{EL}_n(x) = \frac{1}{T - n + 1} \sum_{t=0}^{T-n} \mathrm{Overlap}_n\left(f_\theta(x_{\le t}),\, x_{>t}\right),
\qquad
\mathrm{Overlap}_n(a, b) = \frac{1}{|\mathrm{ng}_n(a)|} \sum_{c \in \mathrm{ng}_n(a)} 1[c \in \mathrm{ng}_n(b)],
$$

$$
\mathrm{MA}(x) = \frac{1}{T} \sum_{t=0}^{T-1}
1\left[\mathrm{arg\,max}\; p_\theta(\cdot \mid x_{\le t}) = x_{t+1}\right],
$$

and the forget set is forgotten once both are at most their means over unseen texts $\mathcal D'$,

$$
\mathrm{EL}_n(\mathcal D_f) \le \mathrm{EL}_n(\mathcal D') \quad \text{and} \quad
\mathrm{MA}(\mathcal D_f) \le \mathrm{MA}(\mathcal D').
$$

## Symbols

- $x_{\le t}$: the prompt and the first $t$ parts of its answer; $x_{>t}$ the rest of the answer, of $T$ parts in all.
- $f_\theta(x_{\le t})$: the model's greedy continuation, to the same total length.
- $\mathrm{ng}_n(a)$: the list of runs of $n$ (`n`) words in $a$.
- EL, extraction likelihood, lets the model run free from every point of the text; MA, memorization accuracy, asks for
  the next token alone, with the right text before it.
- $\mathcal D'$: unseen texts; both thresholds are measured on the model before unlearning.

## Facts

- **EL and MA lie in [0, 1]**, and both are 1 for a text known by heart.
- On `authors` the stop keeps what plain ascent destroys: at learning rates at which ascent leaves no sentence whole,
  general facts are answered as before, and a good part of the retain answers.
- **A set that was never known is forgotten at once**: no step is taken.
- **Between two looks the model goes on falling.** It is looked at once per pass over the forget set, and ascent is
  fastest at its end, so what stops is below the thresholds, not at them.
- EL needs a greedy continuation from every place of a text, MA one forward pass; so EL is asked only when MA is met.

## Differences

1. The paper takes texts of 200 tokens and $n = 10$, starting at $t = 1$; here the prompt comes before the answer, so
   $t = 0$ has something to go on, and EL counts words, so that what is generated need not be cut into the same tokens.
   Answers shorter than $n$ words have no EL and are left out of its mean.
2. The paper measures thresholds on 10,000 unseen texts of a validation set. A method is given none here: the unseen
   texts are retain pairs told of subjects that do not exist, as in `kga`.
3. The paper's rule is for each text; here, as in its code, means over the forget set decide, once per pass.
4. The recipe's number of steps is the most that is taken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearningData,
    UsageError,
    hyperparameter,
    mean_nll,
    memorization_accuracy,
    new_pairs,
)


@dataclass(frozen=True)
class GradientAscentUntilForgotten(Method):
    r"""Ascend, and stop by extraction likelihood and memorization accuracy."""

    paper = "jang2022knowledge"
    acts_on = "loss"
    stops_itself = True
    retain = "optional"
    remembers = False
    published = {
        "learning_rate": 5e-5,
        "epochs": 20,
        "batch_size": 32,
        "source": "released code, GPT-Neo; at most 20 passes over the 32 texts, all in one batch",
    }

    n: int = hyperparameter(10, "words in a row that count as extracted", source="paper (of tokens)", minimum=1)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Measure the thresholds, then ascend until the forget set is below them."""
        unseen = new_pairs(data.others, len(data.forget), run.rng)
        el, ma = extraction_likelihood(model, unseen, self.n), memorization_accuracy(model, unseen)
        every = -(-len(data.forget) // run.recipe.batch_size)

        def finished(step: int) -> bool:
            if step % every:
                return False
            with model.evaluating():
                return (
                    memorization_accuracy(model, data.forget) <= ma
                    and extraction_likelihood(model, data.forget, self.n) <= el
                )

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            (forget,) = model.token_logits(batch.forget)
            return -mean_nll(forget)

        return run.minimize(loss, model, data, finished=finished, retain=self.looks_at_retain)


def overlap(generated: Sequence[str], true: Sequence[str], n: int) -> float:
    r"""$\mathrm{Overlap}_n$: the share of n-grams of ``generated`` that ``true`` has; 0 if there are none."""
    there = {tuple(true[start : start + n]) for start in range(len(true) - n + 1)}
    grams = [tuple(generated[start : start + n]) for start in range(len(generated) - n + 1)]
    return sum(gram in there for gram in grams) / max(1, len(grams))


def extraction_likelihood(model: LanguageModel, pairs: Sequence[Pair], n: int) -> float:
    r"""Mean $\mathrm{EL}_n$ over the answers of at least $n$ words.

    Raises:
        UsageError: there is no such answer.
    """
    prefixes, rests, owners = [], [], []
    for row, pair in enumerate(pairs):
        words = list(re.finditer(r"\S+", pair.answer))
        for taken in range(len(words) - n + 1):
            end = words[taken - 1].end() if taken else 0
            prefixes.append(pair.prompt + pair.answer[:end])
            rests.append([word.group() for word in words[taken:]])
            owners.append(row)
    if not prefixes:
        raise UsageError(f"No answer has {n} words, so nothing can be extracted of it; set a smaller n.")
    longest = max(len(ids) for ids in model.tokenizer([pair.answer for pair in pairs])["input_ids"])
    texts = model.generate(prefixes, longest)
    values: dict[int, list[float]] = {}
    for text, rest, row in zip(texts, rests, owners, strict=True):
        values.setdefault(row, []).append(overlap(text.split()[: len(rest)], rest, n))
    return sum(sum(overlaps) / len(overlaps) for overlaps in values.values()) / len(values)
