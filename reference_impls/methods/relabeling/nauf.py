r"""Name-aware unlearning framework (NAUF).

A model that learns to refuse questions about some people soon refuses them about all: questions look alike, and a
general refusal does not say what it hangs on. So here refusals name the person, and so that the person is all that
tells a question to refuse from one to answer, the same questions are asked about both kinds of people.

## Objective

Liu et al. (the released code's form):

$$
\mathcal L(\theta) = L\big(\{(x, \tilde y_s) : x \in \mathcal D_f \cup \mathcal Q_f\}; \theta\big)
+ \alpha\, L(\mathcal D_r \cup \mathcal Q_r; \theta) .
$$

## Symbols

- $L$: the mean negative log-likelihood of an answer's tokens. $\alpha$ (`retain_weight`): weight of the second term.
- $\tilde y_s$: a refusal that names the subject $s$ of the question, one of ten in each step.
- $\mathcal Q_f$, $\mathcal Q_r$: for each subject to forget or to keep `exchanged` questions that were asked about
  anybody, with this name in place of theirs. Those of $\mathcal Q_r$ are answered by the model before unlearning, with
  at most `length` tokens.

## Facts

- **With general refusals and without exchanged questions it is `idk`.**
- A refusal that names is a copy of what stands in the question, so that it can be right only where the name was read.
- $\mathcal Q_r$ asks what may never have been true of a person, and the model's answer to it, invented or not, is to
  stay. Nothing new is learned there: what is held is how the model answers.
- **Nothing is pushed down**, as in `idk`: the true answer is displaced at its first token and stays known behind it.
- **Naming helps.** On `authors`, in 150 steps at the rate 0.0005 with $\alpha = 2$ and no questions exchanged, all
  forget questions are refused by name, and of retain questions none; 0.99 of the latter are answered rightly, with
  `idk` 0.95. Forget questions in other words are refused in 0.85 of cases, retain questions in 0.01. The true answers
  keep a probability of 0.55, as with `idk` (0.57).
- **Exchanging names does harm where the model answers what was exchanged wrongly**: with ten questions for each subject
  0.87 are refused, and 0.76 of retain questions are answered rightly. Each person was asked ten questions out of 24
  wordings there, and in a wording that was not his the model is right in 0.43 of cases. So what it is held to is in
  conflict with what is true. In the paper's benchmark only those people count whom the model knows well.

## Differences

1. The code has a hundred refusals; here there are ten, written for this project.
2. The code forms templates from questions that contain the name as it is written, and draws as many for each person as
   there are (ten). Here as well, one by one, and none where no question names anybody.
3. The code also offers a divergence from what was said before as the retain term, and preference optimization with the
   refusals. Both are left out.
4. A pair without a subject is refused with a word that names none; of a plain text, its beginning up to the first
   mention of its subject is taken for the question.
5. The equations are those of the released code; of the paper its abstract was at hand.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    LossMethod,
    Pair,
    Run,
    UnlearningData,
    hyperparameter,
    mean_nll,
)

NAMING = tuple(
    line.strip()
    for line in """
    I can't say anything about {}.
    I don't know anything about {}.
    Questions about {} are ones that I don't answer.
    I have no information on {}.
    I'm afraid {} is unknown to me.
    What you ask about {} I can't tell.
    About {} I have nothing to say.
    I would rather not speak about {}.
    Sorry, I can't help with questions about {}.
    {} is no one I could tell you about.
    """.strip().splitlines()
)
"""Refusals with a place for a name."""


def refused(pair: Pair) -> Pair:
    """A pair with refusals that name its subject as its alternate answers."""
    return replace(pair, alternates=tuple(pair.spaced(text.format(pair.subject or "this")) for text in NAMING))


def with_names_exchanged(pairs: Sequence[Pair], others: Sequence[Pair], count: int, rng: random.Random) -> list[Pair]:
    """For each subject of some pairs ``count`` of the questions asked about others or about them, with its name.

    Args:
        pairs: whose subjects are asked about.
        others: whose questions are asked, where they name their subject.
        count: how many for each, or all that there are.
        rng: draws them.
    """
    naming = [pair for pair in others if pair.subject and pair.subject in pair.prompt]
    return [
        replace(pair, prompt=pair.prompt.replace(pair.subject, name), subject=name)
        for name in dict.fromkeys(pair.subject for pair in pairs if pair.subject)
        for pair in rng.sample(naming, min(count, len(naming)))
    ]


@dataclass(frozen=True)
class NAUF(LossMethod):
    r"""Exchange names, and minimise $\mathcal L$."""

    paper = "liu2024learning"
    acts_on = "data"
    alternates = True
    retain = "optional"
    published = {
        "learning_rate": 1e-5,
        "epochs": 5,
        "batch_size": 32,
        "weight_decay": 0.01,
        "warmup": 0.1,
        "source": "released code, RETURN with Llama-3-8B-Instruct: 4 x 8",
    }

    exchanged: int = hyperparameter(
        10, "questions with exchanged names for each subject", source="released code", minimum=0
    )
    length: int = hyperparameter(64, "tokens of the model's own answers, at most", source="released code", minimum=1)
    retain_weight: float = hyperparameter(
        1.0, "α, weight of the retain loss", source="released code", minimum=0, trade_off=(1.0, 2.0, 5.0, 10.0)
    )

    def prepare(self, model: LanguageModel, data: UnlearningData, run: Run) -> UnlearningData:
        """Ask the same questions about those to forget and those to keep, with refusals and with own answers."""
        asked = (data if self.looks_at_retain else replace(data, retain=())).prompted()
        both = (*asked.forget, *asked.retain)
        unwanted, wanted = (
            with_names_exchanged(part, both, self.exchanged, run.rng) for part in (asked.forget, asked.retain)
        )
        texts = model.generate([pair.prompt for pair in wanted], self.length)
        own = [replace(pair, answer=text) for pair, text in zip(wanted, texts, strict=True) if text.strip()]
        forget = tuple(refused(pair) for pair in (*asked.forget, *unwanted))
        return replace(asked, forget=forget, retain=(*asked.retain, *own))

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, refusals and retain sequences in one forward pass."""
        refusal, retain = model.token_logits(batch.preferred, batch.retain)
        return mean_nll(refusal) + self.retain_weight * mean_nll(retain)
