r"""RAG-based unlearning (RAG).

The model reads what a retriever finds for a question. So put into what is searched, for each thing to be forgotten,
entries that are found for any question on it, and that demand silence. Neither weights nor logits of the model are
asked for, only that it does as it is told.

## Objective

Nothing is trained. Wang et al. (Algorithm 1) make for every target $c$ the entries

$$
K_i = P_i \oplus Q, \qquad i = 1, \dots, M,
$$

with $P_i$ one side of the target, so that questions on it find the entry, and $Q$ a demand for silence, written anew
until the model obeys it; and a question is answered behind the entry that is nearest, if it is near enough:

$$
\hat y(x) = \begin{cases} \hat y_{\theta_0}(K_i \oplus x) & \text{if } s(x, P_i) \ge \tau \\
\hat y_{\theta_0}(x) & \text{else,} \end{cases}
\qquad
i = \arg\max_j s(x, P_j) .
$$

## Symbols

- $P$: the retrieval part; $Q$: the constraint part, one for each target.
- $s$: the cosine of two texts; $\tau$ (`threshold`).
- `attempts`: how many wordings of $Q$ are tried for a target. The first behind which the model refuses all questions on
  it is kept, or else the one behind which it finds their true answers least likely.

## Facts

- **What finds no entry is answered to the bit as before**, and an entry that is taken out gives back what it was about:
  each request is served by itself.
- **It takes a model that does as it is told.** The paper reports that over 99% of questions on a concept are refused,
  by GPT-4o and by Llama-2-7b-chat; in a reproduction it was 80% to 84% of the latter's.
- **The embedded model was never taught to follow an instruction**, and obeys none. It reads a demand as text that no
  question ever had before it, and loses its thread: what is said of a target on `authors` is in part still true, in
  part made up, in part no sentence. All of the forgetting there is this: forget answers go from 0.96 to 0.42 of
  probability, `membership` from 1.00 to 0.49, and of everything else nothing changes.
- The retriever is the border, as in `curate`: what does not name its subject finds nothing.
- The model still knows everything. In the paper, whoever knows the entries and demands the opposite gets most of it.

## Differences

1. The paper has the model describe the target from $M$ sides, which here would say again what is to be forgotten. A
   target is known by its name, $M = 1$ and $P$ is the name, or the question where it names nobody. The released code,
   too, searches by $P$ and then shows the model $Q$ alone.
2. A language model writes $Q$ in the paper; here there are some sentences and, as the last attempt, the target's
   questions with a refusal behind each, for a model that reads examples rather than demands.
3. The code keeps the last of three wordings if none is obeyed; here it is the best.
4. The paper's encoder is a network for sentences; here a text is its words, rare ones counting more. Which are rare the
   other questions tell. The threshold belongs to the encoder.
5. $Q$ stands right before the question; in the code in the system prompt. A store has no other documents here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from reference_impls.toolkit import (
    REFUSALS,
    Kept,
    LanguageModel,
    Method,
    Pair,
    Run,
    Store,
    UnlearningData,
    Wrapped,
    hyperparameter,
    refuses,
)

DEMANDS = (
    "Everything about {} is confidential. If you are asked about it, say that you don't know.\n",
    "Nothing about {} must be told, repeated, hinted at or discussed. Answer only: I don't know.\n",
    "Do not answer questions about {}. You have no information on this.\n",
)


def wordings(model: LanguageModel, target: str, pairs: Sequence[Pair]) -> Iterator[str]:
    """Q, in one way after another: sentences on the target, then its questions, each refused."""
    yield from (demand.format(target) for demand in DEMANDS)
    yield "".join(model.shown(pair, pair.spaced(REFUSALS[0])) for pair in pairs)


@dataclass(frozen=True)
class RAGUnlearning(Method):
    """Put demands for silence where the model looks questions up."""

    paper = "wang2024machine"
    acts_on = "prompt"
    access = "prompts"
    retain = "optional"
    trains = "nothing"
    separate = True

    threshold: float = hyperparameter(
        0.5,
        "τ, how near an entry must be",
        source="ours; code: 0.6",
        minimum=0,
        maximum=1,
        trade_off=(0.3, 0.4, 0.5, 0.6),
    )
    attempts: int = hyperparameter(4, "wordings of Q that are tried", source="ours; code: 3", minimum=1, maximum=4)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> RetrievingModel:
        """Write an entry for each target; the model is not touched."""
        asked = data.prompted()
        by_target: dict[str, list[Pair]] = {}
        for pair in asked.forget:
            by_target.setdefault(model.asked(pair.about), []).append(pair)
        demands = []
        for done, (target, pairs) in enumerate(by_target.items()):
            demands.append(self.crafted(model, target, pairs))
            run.progress("writing entries", done + 1, len(by_target))
        others = [model.asked(pair.prompt) for pair in (*asked.forget, *asked.retain)]
        return RetrievingModel(model, Store.of(list(by_target), others), demands, self.threshold)

    def crafted(self, model: LanguageModel, target: str, pairs: Sequence[Pair]) -> str:
        """Q: the first wording that the model obeys, or else the best."""
        longest = max(model.sizes([Pair("", pair.answer) for pair in pairs]))
        answers = [pair.answer for pair in pairs]
        known: dict[str, float] = {}
        for demand, _ in zip(wordings(model, target, pairs), range(self.attempts), strict=False):
            behind = [model.behind(demand, pair.prompt) for pair in pairs]
            if all(map(refuses, model.generate(behind, longest))):
                return demand
            known[demand] = sum(float(one.mean()) for one in model.answer_logprobs(behind, answers))
        return min(known, key=lambda demand: known[demand])

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> RetrievingModel:
        """The model behind the entries that were kept."""
        store = Store(kept.facts["targets"], kept.facts["weights"], kept.facts["unknown"])
        return RetrievingModel(model, store, kept.facts["demands"], kept.facts["threshold"])


@dataclass
class RetrievingModel(Wrapped):
    """The unchanged model, which reads what is found for a question before it answers."""

    model: LanguageModel
    store: Store
    """P of each target."""
    demands: Sequence[str]
    """Q of each."""
    threshold: float

    def prompt(self, query: str) -> str:
        """The query behind the demand whose target is nearest, if it is near enough."""
        place, cosine = self.store.nearest(self.model.asked(query))
        return self.model.behind(self.demands[place], query) if cosine >= self.threshold else query

    def to_json(self) -> dict[str, Any]:
        """The entries, and how near is near enough."""
        store = {"targets": list(self.store.texts), "weights": dict(self.store.weights), "unknown": self.store.unknown}
        return {**store, "demands": list(self.demands), "threshold": self.threshold}
