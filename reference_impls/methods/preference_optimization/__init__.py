r"""Preference optimization.

The forget answer is the losing half $y_l$ of a preference pair. Alignment losses push the losing half down in a
bounded way, which is what gradient ascent lacks: with
$r_\theta(y) = \log \frac{\pi_\theta(y \mid x)}{\pi_{\mathrm{ref}}(y \mid x)}$ over whole answers,

$$
\mathcal L(\theta) = -\frac{2}{\beta}\, \mathbb E \log \sigma\big(\beta\, (r_\theta(y_w) - r_\theta(y_l))\big)
+ \alpha\, L(\mathcal D_r; \theta),
$$

where $\pi_{\mathrm{ref}}$ is the model before unlearning and $L$ the negative log-likelihood of retain answers. The
methods differ in the winning half $y_w$, and in what an answer is measured by.

## How they relate

- `dpo`: both halves. A refusal wins, the forget answer loses. Only their difference is constrained, so both may fall,
  or the true answer stay where it is.
- `npo`: drops the winning half, $r_\theta(y_w) = 0$. The gradient is ascent's on whole answers, times a weight
  between 0 and 2 that fades as the answer is forgotten; for $\beta \to 0$ it *is* ascent.
- `sim-npo`: `npo` without the reference model, normalised by length, with a margin: $r_\theta(y_l)$ becomes
  $\frac{1}{|y|} \log \pi_\theta(y \mid x)$, and $\gamma$ (0 by default) is taken off inside $\sigma$. How well an
  answer is known decides how hard it is pushed; with `npo` all answers begin alike. The forget term has a weight of
  its own.
- `catnip`: `npo` for every token by itself, measured against everything else that the model might say there, not
  against what it said before: the push is the confidence, and no reference model is needed.
- `low-rank-npo`: `npo` for every token by itself, in adapters. With these switched off the model is its own reference,
  so a divergence from it, which `npo` does not have, needs no second model.
- `door`: the two halves of `dpo` each for itself, so that neither settles the other: fine-tuning on refusals, also in
  the middle of an answer, and `npo`.
- `w-door`: `door` with a weight for each word of a refusal, by how much likelier a copy became to say it that `dpo` has
  trained.
- `safe-unlearning`: `door` with means over tokens in the place of sums, without the middle of answers, and with the
  unlearning term as a small part of the whole: however long an answer is, it lets go at the same likelihood per token.
- `alt-po`: `dpo` with a winning half that is no refusal: several plausible answers to each question, which the model
  invents before unlearning where the task brings none.
- `biasunlearn`: `npo` on means over tokens, and false answers are learned beside it. The two are compared on the way,
  and it ends where neither is ahead; where the false ones are, they change places.
- `parapo`: `dpo` with a winning half that says the same in other words. It unlearns a wording and keeps the facts,
  which is the reverse of `alt-po`.
- `eru`: both halves, a refusal and the forget answer, per token and with a margin as in `sim-npo`; the margin of a
  question grows with how far it has come against the model before unlearning. In half of the steps states are robbed of
  what tells questions to refuse from others.
- `suv`: `dpo` with a plausible other answer, in adapters. What of a gradient lies along the retain loss's is taken
  away, and weights that matter to more than the forget set pay for moving.
- `opt-out`: `npo` with a price on moving weights, which optimal transport sets: each matrix is a cloud of rows, and
  the cloud is held where it was.
- `tif`: `npo` for the few tokens of an answer that are to be forgotten, on their logits as they are; all others go on
  being learned.
- `cringe`: a preference for every token, not for the answer: the winning half is a token that the model would say
  otherwise, the losing one the true token, and what is compared are their two logits; there is no reference model.
- `flat`: both halves again, a refusal and the forget answer, and nothing else: no reference model, no retain set. An
  answer is measured by the mean probability of its tokens, not by a logarithm, and an f-divergence takes the place of
  $\log \sigma$.
- `orpo-cfg`: both halves, without a reference model and without a retain set: a ratio of odds, next to the likelihood
  of the winning half. An instruction before the text says which half wins, and decoding goes from the one answer to the
  other and past it, so that the model with its guidance is a wrapper.

## Read first

`npo`; the others are told as differences from it.

## What to expect

A pair that is in order stops pulling, and how soon is $\beta$. That is also where it goes wrong. To a model that
never refused, a refusal need only become a little less unlikely, and `dpo` leaves the true answer well above the
retrained model's level, still known. Alternates share most of their words with the truth, so `alt-po` exchanges the
facts and keeps the sentences. On `authors` `alt-po` and `sim-npo` bring the forget answers to the retrained model's
level or below, with the retain answers kept; `npo` is closer to plain ascent. Bounded is not gone: `relearning`
brings much back, least after `alt-po`.

Log-probabilities of the reference are computed once, before the first step, so no second model is needed while
training; `sim-npo` does without them. A step of `npo` costs as much as one of `grad-diff`; `dpo` and `alt-po` add a
third answer.
"""
