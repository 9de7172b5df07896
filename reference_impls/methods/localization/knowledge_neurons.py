r"""Knowledge neurons in pretrained transformers (Knowledge neurons).

Ask of every neuron how much of a fact's probability it accounts for, and ask again in other words: what stays telling
in both is there for the fact, and not for how it was asked. The neurons that most of the facts to forget have in common
are erased. Nothing is trained.

## Objective

Dai et al. (section 3, equations 4 and 5): a prompt $x$ leaves the answer $y$ to be said; the neuron $i$ of layer $l$
with activation $\bar w_i^{(l)}$ is attributed

$$
\mathrm{Attr}(w_i^{(l)}) = \bar w_i^{(l)} \int_0^1
\frac{\partial P_x(\alpha\, \bar w_i^{(l)})}{\partial w_i^{(l)}}\, d\alpha
\;\approx\; \frac{\bar w_i^{(l)}}{m} \sum_{k} \frac{\partial P_x(\tfrac km \bar w_i^{(l)})}{\partial w_i^{(l)}},
\qquad P_x(\hat w) = p(y \mid x, w = \hat w) .
$$

A fact $f$ with prompts $X_f$ has the neurons that pass a threshold on enough of them, and the $z$ pairs that most facts
have are erased, their value slots (columns of the down-projection) set to 0:

$$
\mathcal N(f) = \Big\{ (l, i) : \tfrac{1}{|X_f|} \big| \{ x \in X_f :
\mathrm{Attr}_x(w_i^{(l)}) \ge t \max_{l', i'} \mathrm{Attr}_x(w_{i'}^{(l')}) \} \big| \ge p \Big\} .
$$

## Symbols

- $m$ (`points`): points of the sum; $t$ (`threshold`): relative to the largest attribution for a prompt.
- $p$ (`sharing`): share of a fact's prompts on which a neuron has to pass.
- $z$ (`neurons`): how many are erased.

## Facts

- **Complete**: as $m \to \infty$ the attributions of one layer sum to what its activations do for $P_x$; the sum is off
  by $O(1/m)$.
- **`depn` is its successor** for private texts: the same attribution, summed over several tokens, and neurons counted
  over texts at once. Here a fact's prompts are counted first, so that a neuron that only one wording needs is out.
  Where each fact has one prompt, it is `depn` with another threshold.
- The cost is layers times $m$ forward and backward passes for each prompt, once; learning rate and steps of a recipe
  are not used.
- **Facts of one kind share their neurons with those that stay.** On `authors`, of 0.96 and 0.98, 60 erased neurons
  leave forget answers at 0.82 and retain answers at 0.86, 120 at 0.64 and 0.72 ($m = 8$). The refinement spares a
  little: `depn` leaves 0.81 and 0.85, 0.62 and 0.68 with as many. In the paper one relation falls, and others, which
  ask for something else, hardly do.

## Differences

1. The paper asks masked language models for one token, in nine or more templates per relation. Here $y$ is every token
   of an answer that is not in the prompt and that few retain answers have (`rarity`), and their probabilities are
   summed; prompts are all that the forget set has for the same subject and answer, and `rephrased_prompt` where there
   is one.
2. The paper moves $p$ by 0.05, from 0.7, until a fact has two to five neurons; with two prompts there is nothing
   between one and both.
3. It erases one relation (such as places of birth) for all subjects, here all facts of the forget set together.
4. The formula scales one neuron and the released code a whole layer at once, from $k = 0$ to $m - 1$: followed here.
   Formulas and numbers were checked against that code and the paper's summaries; its text was not at hand.
5. In gated MLPs the neuron's activation is the product that the down-projection reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reference_impls.toolkit import (
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearningData,
    above_share,
    common_tokens,
    hyperparameter,
    memories,
    most_shared,
    neuron_attributions,
    private_labels,
    silence,
)


def prompts_of_facts(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """For each fact (what a subject's answer says), the pairs with all prompts that ask for it."""
    facts: dict[tuple[str, str], list[Pair]] = {}
    for pair in pairs:
        asked = dict.fromkeys((pair.prompt, pair.rephrased_prompt or pair.prompt))
        facts.setdefault((pair.about, pair.answer), []).extend(replace(pair, prompt=prompt) for prompt in asked)
    return list(facts.values())


def expressing(scores: Tensor, threshold: float, sharing: float) -> Tensor:
    r"""(n,) Which neurons are in $\mathcal N(f)$, from (prompts, n) attributions for one fact."""
    return above_share(scores, threshold).double().mean(dim=0) >= sharing


@dataclass(frozen=True)
class KnowledgeNeurons(Method):
    """Attribute, refine by other wordings, erase."""

    paper = "dai2021knowledge"
    acts_on = "weights"
    retain = "optional"
    trains = "nothing"
    parts = ("memories",)

    neurons: int = hyperparameter(20, "z, how many neurons are erased", source="paper, for a relation", minimum=1)
    threshold: float = hyperparameter(
        0.2,
        "t, share of a prompt's largest attribution",
        source="paper",
        above=0,
        maximum=1,
        trade_off=(0.1, 0.2, 0.3, 0.5),
    )
    sharing: float = hyperparameter(
        0.7, "p, share of a fact's prompts", source="released code, to begin with", above=0, maximum=1
    )
    points: int = hyperparameter(20, "m, points of the sum", source="paper", minimum=1)
    rarity: float = hyperparameter(
        0.05, "a token counts if at most this share of kept answers has it", source="as depn", minimum=0, maximum=1
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Find the neurons of each fact, then erase those that most facts have."""
        layers = memories(model, range(model.layers))
        common = common_tokens(model, data.retain, self.rarity)
        facts = prompts_of_facts(data.forget)
        pairs = [pair for fact in facts for pair in fact]
        rows: list[Tensor] = []
        for batch in model.encoded(pairs):
            told = replace(batch, labels=private_labels(batch, common))
            rows.append(neuron_attributions(model, layers, told, self.points))
            run.progress("attributing", sum(map(len, rows)), len(pairs))
        scores = torch.cat(rows)
        by_fact = scores.split([len(fact) for fact in facts])
        sets = torch.stack([expressing(each, self.threshold, self.sharing) for each in by_fact])
        silence(layers, most_shared(sets, scores.mean(dim=0), self.neurons))
        return model
