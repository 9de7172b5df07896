r"""Name-change teacher (WHP-causal).

What a model says of somebody has two causes: what it knows of this person, and what one says of people in such a place.
Only the first is to go. So let the model before unlearning read the same text about others, put the name back in what
it expects, average over the others, and teach that as what to expect in the text itself.

## Objective

Liu et al., with $\mathrm{back}_n$ for putting the name back:

$$
\bar P_t = \frac1N \sum_{n=1}^N \mathrm{back}_n\big( p_{\theta_0}(\cdot \mid x^{(n)}, y^{(n)}_{<t}) \big), \qquad
\mathcal L(\theta) = \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|T|} \sum_{t \in T}
\mathrm{KL}\big( \bar P_t \,\|\, p_\theta(\cdot \mid x, y_{<t}) \big) + \alpha\, L(\mathcal D_r; \theta) .
$$

## Symbols

- $x^{(n)}, y^{(n)}$: the pair with the $n$-th of $N$ other names (`names`) in the subject's place; $\theta_0$: the
  model before unlearning.
- $\mathrm{back}_n$: the probability of the first token of name $n$ goes to that of the subject's name. So it does where
  a mention begins, and wherever more than half of the $N$ expect their name with a probability above 0.1; but not at
  the first mention of all, whom a text is about being a part of what is forgotten.
- $T$: the places of the answer whose last token read is none of a name's, and which all texts have alike.
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers, weighted by $\alpha$ (`retain_weight`;
  0 is the paper's).

## Facts

- **With the subject's own name for the others nothing is taught**: $\bar P = p_{\theta_0}$, and loss and gradient are 0
  at the start. So they are at every place where the name plays no part, which is why little else is lost.
- **It has an end**, where the name says no more than any other does.
- **The tokens that tell the truth are never singled out**: what falls is what other names do not call up as well.
- `whp` puts one stand-in into the text, takes the likeliest token for a label, and has a second model, trained further
  on the text, to tell what the text is to blame for; here averaging over names does that. `permu` blurs the name.
- Beside `whp` with its recipe on `authors`, the truth is preferred as often (0.76 of cases), other authors are kept
  better (0.94 against 0.88 of their answers' probability) and no sentence falls apart; utility is lower (0.59 against
  0.62).
- **Names have to be unknown**: one that the model knows brings its own facts along.
- On `authors`, at a rate of 2e-4 and without any retain data, forget answers go from 0.96 to 0.69 of probability, other
  authors' from 0.98 to 0.94 and utility from 0.65 to 0.59. What is said are whole sentences about the right person with
  another value, and there it rests: at 5e-4 the first is 0.65, and only more is lost elsewhere (0.85). The words around
  a value stay as likely as they were, which is why the retrained model, that never read them, is lower (0.45).

## Differences

1. The paper's names come with its data; here each is made of two names of the retain set (of the forget set where
   there is none), and known to nobody. Where only one other is named, the name is that one's.
2. It finds mentions, short forms among them, by a parser, and replaces titles of books for TOFU as well; here the
   subject's name as it is written.
3. For TOFU it takes one name, and distils a second teacher for the first mention; here several, and no second one.
4. A variant tells the teacher to complete a passage about the other name; it is left out.
5. A pair that names no subject is not trained on, nor is one whose words are cut into other tokens next to every other
   name.
6. $\bar P$ is kept for all places and the whole vocabulary, as in the released code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Pair,
    Run,
    TokenLogits,
    UnlearningData,
    UsageError,
    by_token,
    hyperparameter,
    mean_nll,
    unknown_names,
)

EXPECTED = 0.1
"""From what probability on a name counts as expected."""


def moved_back(probs: Tensor, name: Sequence[int], own: Tensor, where: Tensor) -> Tensor:
    r"""(n, V) $\mathrm{back}$.

    Args:
        probs: (n, V) distributions in a text about somebody else.
        name: tokens that begin this name.
        own: (n,) the token that begins the subject's name at each place.
        where: (n,) True at the places where it is put back.
    """
    back = probs.clone()
    back[:, name] = 0.0
    back.scatter_add_(1, own[:, None], probs[:, name].sum(dim=1, keepdim=True))
    return torch.where(where[:, None], back, probs)


@torch.no_grad()
def taught(model: LanguageModel, pair: Pair, names: Sequence[str]) -> tuple[Tensor, Tensor]:
    r"""(|y|,) which places of the answer are in $T$, and (|T|, V) $\bar P$ there; no place where no name fits."""

    def firsts(name: str) -> list[int]:
        """The tokens that begin a name inside a text and at its start."""
        return [model.tokenizer(space + name, add_special_tokens=False)["input_ids"][0] for space in (" ", "")]

    def about(name: str) -> Pair:
        prompt, answer = (text.replace(pair.subject, name) for text in (pair.prompt, pair.answer))
        return replace(pair, prompt=prompt, answer=answer, subject=name)

    pairs = [pair, *map(about, names)]
    batch, mentioned = model.encode(pairs), model.subject_mentions(pairs)
    (out,) = model.token_logits(batch)
    sequence, place = batch.supervised
    kept, begins = ~mentioned[sequence, place], mentioned[sequence, place + 1]
    texts = [kept & (sequence == row) for row in range(len(pairs))]
    first = begins[texts[0]]
    targets = out.targets[texts[0]]
    fitting = [
        (torch.softmax(out.logits[text], dim=1), firsts(name))
        for text, name in zip(texts[1:], names, strict=True)
        if torch.equal(begins[text], first) and torch.equal(out.targets[text][~first], targets[~first])
    ]
    own_places = kept[sequence == 0]
    if not fitting:
        return torch.zeros_like(own_places), out.logits[:0]
    expect = torch.stack([(probs[:, name] > EXPECTED).any(dim=1) for probs, name in fitting])
    seen = mentioned[0].cumsum(dim=0)[place[texts[0]]] > 0
    where = seen & (first | (2 * expect.sum(dim=0) > len(fitting)))
    own = torch.where(first, targets, firsts(pair.subject)[0])
    return own_places, torch.stack([moved_back(probs, name, own, where) for probs, name in fitting]).mean(dim=0)


def teacher_loss(out: TokenLogits, teacher: Tensor) -> Tensor:
    r"""() $\mathrm{KL}(\bar P \,\|\, p_\theta)$ from logits and (N, V) $\bar P$ at the places of $T$."""

    def from_teacher(logits: Tensor, wanted: Tensor) -> Tensor:
        entropy = torch.special.entr(wanted).sum(dim=1)
        divergence: Tensor = -(wanted * torch.log_softmax(logits, dim=1)).sum(dim=1) - entropy
        return divergence

    return out.mean(by_token(from_teacher, (out,), teacher))


@dataclass(frozen=True)
class NameChangeTeacher(Method):
    """Distil from what the model says of others in the subject's place."""

    paper = "liu2024revisiting"
    acts_on = "loss"
    retain = "optional"
    remembers = False
    published = {
        "learning_rate": 1e-5,
        "epochs": 10,
        "batch_size": 16,
        "weight_decay": 0.01,
        "source": "released configuration, TOFU with Llama-2-7B-chat",
    }

    names: int = hyperparameter(20, "N, how many other names", source="released configuration, WPU", minimum=1)
    retain_weight: float = hyperparameter(
        0.0,
        "α, weight of the retain loss",
        source="released configuration: there is none",
        minimum=0,
        trade_off=(0.0, 1.0, 2.0, 5.0),
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Ask about others once, then distil.

        Raises:
            UsageError: no other name fits any text.
        """
        known = sorted({pair.subject for pair in data.others if pair.subject})
        names = unknown_names(known) or known
        drawn = run.rng.sample(names, min(self.names, len(names)))
        with model.evaluating():
            teachers = [taught(model, pair, drawn if pair.subject else []) for pair in data.forget]
        if not any(len(teacher) for _, teacher in teachers):
            raise UsageError(
                "No pair names its subject, or no other name fits in its place. Give every row a `subject`"
                " that stands in its text, and retain rows about others."
            )

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            forget, retain = model.token_logits(batch.forget, batch.retain)
            kept, wanted = zip(*(teachers[row] for row in batch.forget.rows.tolist()), strict=True)
            aimed = teacher_loss(forget.chosen(torch.cat(kept)), torch.cat(wanted))
            return aimed + self.retain_weight * mean_nll(retain)

        return run.minimize(loss, model, data, retain=self.looks_at_retain)
