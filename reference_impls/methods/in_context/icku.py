r"""In-context knowledge unlearning (ICKU).

Train the model once to obey a tag in the prompt that says whom to forget: asked about the tagged, it answers "forgot";
asked about anybody else, it answers as ever. What has to be forgotten is then named at the time of asking, and a new
request needs no training.

## Objective

Takashiro et al.: for pairs $(x, y)$ about $u$ that are *not* those to be forgotten, and another subject $u'$,

$$
\mathcal L(\theta) = \mathbb E_{\mathcal D_r} \big[
\ell_\theta(\text{"forgot"} \mid \langle u \rangle\, x)
+ \ell_\theta(y \mid \langle u' \rangle\, x) + \ell_\theta(y \mid x) \big],
\qquad \langle u \rangle = \texttt{<<UNL>>}\, u\, \texttt{<</UNL>>} .
$$

Afterwards every query $x_q$ that has more than half of the words of a request's subject is asked as
$\langle u_q \rangle\, x_q$, with the subject of which it has the largest part.

## Symbols

- $\ell_\theta$: mean negative log-likelihood of an answer; $u$: the subject as written, or the question where none is.
- How often the second kind of row comes for each of the first is `others`.

## Facts

- **Nothing is forgotten.** Without the tag all is there (the paper finds true answers intact in all but the last
  layer), and whoever writes the prompt decides.
- **Whether to answer is left to the model**, which is to compare tag and question; what is outside of it picks which
  request to show, so that it matters where a question names two, or shares a long name with somebody.
- The forget set is used for its subjects' names alone. Neither its questions nor its answers are trained on.
- Three pairs make six tagged rows, of which three say "forgot".
- **On `authors` the tag is heeded, and not read.** After 240 steps at 2e-3, 89% of the questions about people to
  forget, none of whom was trained on, are answered with "forgot" behind their own tag, 1% without a tag, and 93% behind
  somebody else's. So it is with those that were trained on: 99% and 95%. With rank 32 and 700 steps it tells these
  apart (100% and 39%), but not the others (55% and 58%): the ninety names are learned by heart, and comparing is not.
  What keeps other people's answers here is that their questions get no tag. The paper's models have billions of
  weights.

## Differences

1. The tag's marks are plain text; the released code adds them to the vocabulary and trains their embeddings.
2. The tag names the subject, as in the paper's experiments on ages; in those on TOFU it holds the answer, and would
   tell it to whoever reads the prompt.
3. The row without a tag is ours, so that plain questions go on being answered. Answers alone are trained on; the
   released code trains on all tokens.
4. The paper's users write the tag. To serve a whole forget set, the request nearest to the query is put in, as in
   `icul`; a query that has no more than half of the words of any is asked as it is, and so is one about a namesake.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from reference_impls.toolkit import (
    Kept,
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearningData,
    UsageError,
    Wrapped,
    distinct_words,
    hyperparameter,
)

FORGOT = "forgot"
"""What the tagged are answered with."""
HALF = 0.5
"""How much of a subject's words a query must exceed to be about it: namesakes have half of two."""


def tagged(model: LanguageModel, subject: str, prompt: str) -> str:
    """A prompt that says whom to forget."""
    return model.behind(f"<<UNL>>{subject}<</UNL>> ", prompt)


def lessons(model: LanguageModel, pairs: Sequence[Pair], others: int, rng: random.Random) -> list[Pair]:
    """The rows to train on: each pair behind its own tag, ``others`` times behind somebody else's, and without one.

    Raises:
        UsageError: all pairs are about the same.
    """
    subjects = list(dict.fromkeys(pair.about for pair in pairs))
    if len(subjects) < 2:
        raise UsageError(
            "All that must stay is about one subject, so there is nobody else to name. Give more examples."
        )
    rows = []
    for pair in pairs:
        rows += [replace(pair, prompt=tagged(model, pair.about, pair.prompt), answer=pair.spaced(FORGOT)), pair]
        for _ in range(others):
            other = rng.choice([subject for subject in subjects if subject != pair.about])
            rows.append(replace(pair, prompt=tagged(model, other, pair.prompt)))
    return rows


@dataclass(frozen=True)
class InContextKnowledgeUnlearning(Method):
    """Train on tags with what must stay, and tag queries with what must go."""

    paper = "takashiro2024answer"
    acts_on = "data"
    retain = "needed"
    trains = "adapters"
    separate = True
    continues = True
    published = {
        "learning_rate": 2e-4,
        "epochs": 1,
        "batch_size": 4,
        "weight_decay": 0.001,
        "warmup": 0.03,
        "source": "released code, Llama-2-7B-chat",
    }

    others: int = hyperparameter(
        1, "rows with somebody else's tag for each that forgets", source="paper", minimum=0, trade_off=(1, 2, 4)
    )
    rank: int = hyperparameter(4, "r, rank of the adapters", source="released code", minimum=1)
    alpha: float = hyperparameter(8.0, "scaling of the adapters", source="released code", above=0)

    def unlearn(self, model: LanguageModel | TaggedModel, data: UnlearningData, run: Run) -> TaggedModel:
        """Learn to obey tags, unless that was learned for earlier requests; then take the requests up."""
        asked = data.prompted()
        wanted = list(dict.fromkeys(pair.about for pair in asked.forget))
        if isinstance(model, TaggedModel):
            return TaggedModel(model.model, [*model.subjects, *wanted])
        run.finetune_lora(model, lessons(model, asked.retain, self.others, run.rng), self.rank, self.alpha)
        return TaggedModel(model, wanted)

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> TaggedModel:
        """The trained model, with the subjects that were asked for."""
        return TaggedModel(model, kept.facts["subjects"])


@dataclass
class TaggedModel(Wrapped):
    """A model that obeys tags, whose queries are tagged with the nearest request."""

    model: LanguageModel
    subjects: Sequence[str]

    def __post_init__(self) -> None:
        self._words = [distinct_words(self.model.asked(subject)) for subject in self.subjects]

    def prompt(self, query: str) -> str:
        """The query behind the tag of the subject most of whose words it has; alone if it has half of them or less."""
        asked = distinct_words(self.model.asked(query))
        shares = [len(asked & words) / max(1, len(words)) for words in self._words]
        return tagged(self.model, self.subjects[shares.index(max(shares))], query) if max(shares) > HALF else query

    def to_json(self) -> dict[str, Any]:
        """Whom to forget."""
        return {"subjects": list(self.subjects)}
