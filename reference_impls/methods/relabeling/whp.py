r"""Who's Harry Potter (WHP).

Ask what a model that never read the text would have said, and fine-tune on that. The answer comes from two places: a
*reinforced* copy, trained further on the text, shows which tokens the text makes likely; and the model itself, asked
about a generic stand-in instead of the idiosyncratic name, says what is plausible in general.

## Objective

Eldan and Russinovich (section 2): at each place, with logits $v$,

$$
v_{\mathrm{generic}} = v_{\mathrm{baseline}}
- \alpha\, \mathrm{ReLU}\!\left(v_{\mathrm{reinforced}} - v_{\mathrm{baseline}}\right),
\qquad
\tilde y_t = \mathrm{arg\,max}\; v_{\mathrm{generic}},
$$

where $v_{\mathrm{baseline}}$ is read from the *translated* text, in which every anchored term stands replaced by its
generic counterpart, and $v_{\mathrm{reinforced}}$ from the original. Then the model is fine-tuned on the original text
with the labels $\tilde y$:

$$
\mathcal L(\theta) = -\,\mathbb E_{\mathcal D_f} \frac{1}{|T|} \sum_{t \in T} \log p_\theta(\tilde y_t \mid x, y_{<t}).
$$

## Symbols

- $v_{\mathrm{baseline}}$, $v_{\mathrm{reinforced}}$: logits of the model before unlearning, and of a copy fine-tuned
  further on the forget set.
- $\alpha$ (`strength`): how strongly reinforced tokens are pushed down.
- anchored terms: names that only the forget set uses, each with a generic counterpart (`data.anchors`).
- $T$: the answer's places outside anchored terms, as the paper leaves repeated mentions of a term out of the loss.

## Facts

- $v_{\mathrm{generic}} \le v_{\mathrm{baseline}}$ everywhere: the ReLU only takes away. Without it, tokens that
  training made *less* likely would be boosted.
- With $\alpha = 0$ and no anchored terms the model is trained on its own argmax.
- The loss is a cross-entropy, so it is bounded below by 0, and no retain set is needed.

## Differences

1. The paper had GPT-4 write a dictionary of some 1,500 terms; here the task names its anchored terms, and a task that
   names none relies on the reinforced model alone.
2. The paper also lowers the logits of translations already used in a text block; answers here are single sentences,
   and mentions of a term are left out of the loss altogether.
3. Labels are hard (the argmax), as in the paper's figures.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reference_impls.toolkit import (
    IGNORE,
    Batch,
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearningData,
    generic_logits,
    hyperparameter,
    mean_nll,
)


@dataclass(frozen=True)
class WhosHarryPotter(Method):
    """Fine-tune on what an uninformed model would say."""

    paper = "eldan2023who"
    acts_on = "data"
    retain = "unused"
    copies = 1
    remembers = False
    published = {
        "learning_rate": 1e-6,
        "epochs": 2,
        "batch_size": 128,
        "source": "paper, Llama-2-7B-chat, after the reinforced model",
    }

    strength: float = hyperparameter(
        5.0,
        "α, how strongly reinforced tokens are pushed down",
        source="paper",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Reinforce a copy, relabel the forget set, fine-tune on the labels."""
        reinforced = run.finetune(model.copy(), data.forget, stage="reinforcing")
        labels = [self.generic_labels(model, reinforced, pair, data.anchors) for pair in data.forget]

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            relabeled = torch.full_like(batch.forget.labels, IGNORE)
            for place, row in enumerate(batch.forget.rows.tolist()):
                start = int((batch.forget.labels[place] != IGNORE).nonzero()[0])
                relabeled[place, start : start + len(labels[row])] = labels[row]
            (out,) = model.token_logits(replace(batch.forget, labels=relabeled))
            return mean_nll(out)

        return run.minimize(loss, model, data, retain=False)

    @torch.inference_mode()
    def generic_labels(
        self, model: LanguageModel, reinforced: LanguageModel, pair: Pair, anchors: Mapping[str, str]
    ) -> Tensor:
        """(T,) labels of the answer's tokens; ``IGNORE`` inside anchored terms."""
        translated = replace(pair, prompt=_translate(pair.prompt, anchors), answer=_translate(pair.answer, anchors))
        (original_out,) = reinforced.token_logits(reinforced.encode([pair]))
        (translated_out,) = model.token_logits(model.encode([translated]))
        kept = _outside(model, pair, anchors.keys(), len(original_out.targets))
        translated_kept = _outside(model, translated, anchors.values(), len(translated_out.targets))
        common = min(len(kept), len(translated_kept))  # they differ where a long answer was cut
        kept, translated_kept = kept[:common], translated_kept[:common]
        labels = torch.full_like(original_out.targets, IGNORE)
        same_words = original_out.targets[kept].tolist() == translated_out.targets[translated_kept].tolist()
        if not same_words:
            return labels  # the replacement changed how its neighbours are tokenized: nothing to align
        generic = generic_logits(translated_out.logits[translated_kept], original_out.logits[kept], self.strength)
        labels[kept] = generic.argmax(dim=1)
        return labels


def _translate(text: str, anchors: Mapping[str, str]) -> str:
    if not anchors:
        return text
    # In one pass, longest terms first: what has been put in is not replaced again.
    terms = "|".join(map(re.escape, sorted(anchors, key=len, reverse=True)))
    return re.sub(terms, lambda match: anchors[match[0]], text)


def _outside(model: LanguageModel, pair: Pair, terms: Iterable[str], count: int) -> list[int]:
    """Which of the answer's first ``count`` tokens lie outside every term, as does the end-of-sequence token."""
    spans = [
        (start, start + len(term))
        for term in set(terms)
        for start in range(len(pair.answer))
        if pair.answer.startswith(term, start)
    ]
    inside = model.answer_tokens_within(pair, spans)
    return [place for place in range(count) if place >= len(inside) or not inside[place]]
