r"""Unmemorization at every k-th token (Obliviate unmemorization).

To keep a model from reciting a text it is enough that it stumbles every few words. At every k-th token of the text the
true one is struck out of what the model expects; at all the others the model is held to what it expected, so that it
still knows what the text says.

## Objective

Russinovich and Salem, as the released code sets up its targets from the model before unlearning:

$$
\mathcal L(\theta) = \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \sum_t \mathrm{KL}\big( P_t \,\|\, p_t \big),
\qquad
P_t(v) \propto p^0_t(v) \quad \text{for } v \in \mathrm{top}_K\big( p^0_t \text{ without } y_t \text{ if } t \in M
\big) .
$$

With `target` = `probability`, what that code in fact descends on at $t \in M$ is
$100\, p_t(y_t) \cdot 1[p_t(y_t) \ge 0.01]$.

## Symbols

- $y$: the text to forget, or an answer; $p_t$, $p^0_t$: what the model, and the model before unlearning, expects at its
  $t$-th token.
- $M$: the marked places. The first `start` tokens of $y$ are left alone; then come, in turn, `span` marked ones and
  `stride` that are not. The token that ends an answer is never marked.
- $P_t$: the target, on $K$ tokens (`top`) that share all the probability.

## Facts

- **Bounded below by 0**, and where nothing is marked it is not 0 at the start but $-\log$ of what the $K$ likeliest
  tokens have together: a model that was certain hardly notices.
- **A stumble every `stride` + `span` tokens** is as much as can be recited in a row once the marked tokens are gone.
  Given the true text up to there, each of the others is known as before.
- **The wording goes and what it says stays**, as the paper claims: on `passages`, at 2e-4 with the defaults, what is
  recited of a report falls from 1.00 to 0.45, where the retrained model has it; questions about it are answered as
  before (0.99 and 1.00), and so are those about other reports (0.98). Of these as many can be recited still as 0.90.
- **It keeps what the anchors hold, and no more.** What stands at a marked place is lost, a name or number as well as
  any word; and a word that other texts have at the same place goes there, too. The short answers of `authors` share
  their sentences: with `start` = 3 and `stride` = 2 at 2e-4 the forget answers go to 0.50, the retain answers to 0.72.
- **Two targets.** The divergence says what comes instead, namely the second choice, and has an end there. The
  probability says only what must go: the gradient fades with the token, as $100\, p (1 - p)$ at its logit, and is 0
  below 0.01, and whatever else the model would say fills the gap. It is steeper: in the case above, at 5e-4, forget
  and retain answers are left with 0.10 and 0.18, and with 0.41 and 0.64 after the divergence.
- No retain set: the anchors are in the text itself, and what is none of it is held by nothing but small steps.

## Differences

1. The abstract calls the penalty a divergence, and the released code builds its target and then puts the probability
   in its place; both are here, the divergence by default.
2. Places are counted from the first token of the answer where there is a prompt; the code counts from the beginning of
   the chat. It also anchors no first token.
3. Spans of several tokens are adjacent here; in the code they are further apart the longer they get.
4. The code can move marks back to where a word begins, and take as candidates only tokens that are written alike
   (a space in front, a capital). Left out.
5. The mean is over an answer's tokens, then over answers; the code averages over all tokens of a batch.
6. The paper stops once all marked tokens are below 0.01; here the recipe's steps end it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import Batch, LanguageModel, LossMethod, TokenLogits, by_token, hyperparameter

ENOUGH = 0.01
"""Below this probability a marked token is left alone."""


def marked_places(out: TokenLogits, start: int, stride: int, span: int) -> Tensor:
    """(N,) which tokens of a batch's answers are marked."""
    counts = torch.bincount(out.sequence, minlength=out.sequences)
    first = counts.cumsum(dim=0) - counts
    place = torch.arange(len(out.sequence), device=out.sequence.device) - first[out.sequence] - start
    return (place >= 0) & (place % (stride + span) < span)


def unmemorize_loss(before: TokenLogits, out: TokenLogits, marked: Tensor, top: int, target: str) -> Tensor:
    r"""() $\mathcal L$.

    Args:
        before: logits of the model before unlearning at the tokens of texts to forget.
        out: those of the model.
        marked: (N,) whether $t \in M$.
        top: $K$.
        target: ``divergence`` or ``probability``.
    """

    def each(then: Tensor, now: Tensor, true: Tensor, struck: Tensor) -> Tensor:
        known = torch.where(struck[:, None], then.scatter(1, true[:, None], -torch.inf), then)
        likeliest = known.topk(min(top, known.shape[1] - 1), dim=1)
        held, logprobs = torch.softmax(likeliest.values, dim=1), torch.log_softmax(now, dim=1)
        divergence = (torch.xlogy(held, held) - held * logprobs.gather(1, likeliest.indices)).sum(dim=1)
        if target == "divergence":
            return divergence
        true_probability = logprobs.gather(1, true[:, None])[:, 0].exp()
        return torch.where(struck, 100 * true_probability * (true_probability >= ENOUGH), divergence)

    return out.mean(by_token(each, (before, out), out.targets, marked))


@dataclass(frozen=True)
class Unmemorization(LossMethod):
    """Strike the true token out at every k-th place, and hold all others."""

    paper = "russinovich2025obliviate"
    acts_on = "loss"
    reference = "model"
    retain = "unused"
    published = {"learning_rate": 1e-6, "batch_size": 12, "source": "released code, Llama-3.1-8B"}

    start: int = hyperparameter(10, "tokens at the beginning that are left alone", source="released runs", minimum=0)
    stride: int = hyperparameter(
        5, "tokens between marked ones", source="released runs: 0 to 50", minimum=0, trade_off=(0, 1, 2, 5)
    )
    span: int = hyperparameter(1, "how many tokens in a row are marked", source="released runs", minimum=1)
    top: int = hyperparameter(10, "K, tokens of a target", source="released code", minimum=1)
    target: str = hyperparameter(
        "divergence",
        "what marked places are trained on",
        source="paper: divergence; released code: probability",
        choices=("divergence", "probability"),
    )

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch."""
        (before,) = batch.before.token_logits(batch.forget)
        (out,) = model.token_logits(batch.forget)
        ends = torch.tensor(model.tokenizer.all_special_ids, device=out.targets.device)
        marked = marked_places(out, self.start, self.stride, self.span) & ~torch.isin(out.targets, ends)
        return unmemorize_loss(before, out, marked, self.top, self.target)
