r"""Gradient ascent and its variants.

The oldest family: fine-tune with the sign of the forget loss turned round, and hold the model with something else.
All but a few of these objectives are

$$
\mathcal L(\theta) = \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \sum_t w_t \log p_t
+ \lambda\, \mathcal R(\theta),
\qquad p_t = p_\theta(y_t \mid x, y_{<t}),
$$

with a weight $w_t$ for each token, through which no gradient flows, and a term $\mathcal R$ that holds the model.
What a method chooses for the two, and when it stops, is all that sets it apart.

## How they relate

- `gradient-ascent`: $w_t = 1$ and no $\mathcal R$. At the logits, the pull on a token grows as the token is
  forgotten, and nothing stops it.
- `ga-until-forgotten`: the same loss, stopped once no more can be extracted than from texts that the model never saw.
- `sga-tau`: the same loss on those texts alone that are still known by heart, stopped at a given mean of them; then the
  set is learned again and the change subtracted, as `task-vector` does.
- `icu`: the same loss, stopped for each text by itself; $\mathcal R$ is the likelihood of the texts most like those
  that are still to be forgotten, and a divergence on them.
- `grad-diff`: `gradient-ascent` plus the negative log-likelihood of retain answers as $\mathcal R$. The balance of
  the two drifts as the forget loss grows.
- `sga-smoothing`: `grad-diff` with several retain answers for each forget answer, those most like it, and one number
  for both weights, which add up to 1: descent never outweighs ascent.
- `bounded-lora`: `grad-diff` in adapters of the MLPs whose update goes through a bounded function, so that no weight
  can go far, however long the ascent lasts.
- `sugd`: `grad-diff` chunk by chunk, in adapters, with several retain examples to each forget example.
- `agad`: `gradient-ascent` chunk by chunk, in adapters; the likelihood of retain answers is no term beside it but has
  phases of its own in between, and the last one.
- `codeeraser`: $w_t = 1$ on what is sensitive in a text, and a little below 0 on all the rest of it, which goes on
  being learned. $\mathcal R$ is the divergence on the retain set, less the same on what is sensitive.
- `duo-learn`: $w_t = 1$ on the tokens that the model is surest of beside an earlier one, as long as it is surer than
  that, so that each stops by itself. $\mathcal R$ is the likelihood of the tokens that it is least sure of beside it.
- `lya`: $w_t = 1$. $\mathcal R$ ties each weight to where it was, by how much it matters to retain answers (their
  Fisher information), which are not looked at again.
- `llmu`: `gradient-ascent` with two terms for $\mathcal R$: the negative log-likelihood of random answers to the same
  questions, which says where to go, and a divergence from the model before unlearning on the retain set.
- `llm-surgery`: `kl-min` with little ascent and a third term, the likelihood of another answer to the same question:
  what is outdated is replaced.
- `wga`: $w_t = p_t^{\alpha}$. For $\alpha = 1$ this takes back the factor $\frac{1}{p_t}$ that makes ascent explode,
  and what falls is the mean probability itself. $\mathcal R$ is the divergence.
- `atwu`: `wga` with a second factor that is learned while it unlearns: $w_t = p_t^{\beta} g_t$, $g_t$ a linear score of
  the model's states. $\mathcal R$ is that of `grad-diff`.
- `sat-imp`: `wga` with a second factor, $w_t = p_t^{\beta_1} (1 - p_t)^{\beta_2}$: besides what is forgotten already
  it spares what goes without saying. $\mathcal R$ is that of `grad-diff`.
- `bs-t`: ascent on more than the true token. In the place of $\log p_t$ is a mixture of it and of the mean over the
  likeliest tokens; with all tokens in the mixture it is `grad-diff` with less weight on forgetting. $\mathcal R$ is
  that of `grad-diff`.
- `bs-s`: `bs-t`, and the same on whole answers that the model gives when asked while it unlearns.
- `eraser`: ascent with a bound, $\max(0, \gamma - \bar\ell)$ for each answer, behind random words before the question.
  $\mathcal R$ is the divergence, and the likelihood of refusals.
- `inverse-loss`: ascent with one weight for the whole batch, $w = k\, L^{-k-1}$ with $L$ its loss: most where all is
  known, and less the more is gone. $\mathcal R$ is that of `grad-diff`.
- `rga`: one weight for the whole batch as well, $w = e^{-\alpha\, \mathrm{KL}}$ of the divergence on it from the model
  before unlearning. $\mathcal R$ is that of `grad-diff`, and a tie to an earlier checkpoint.
- `unlikelihood`: $w_t = \frac{p_t}{1 - p_t}$, the odds, which is descent on $-\log(1 - p_t)$: the pull of ascent the
  other way round, strongest on what is certain and none on what is gone. $\mathcal R$ is that of `grad-diff`.
- `ce-u`: no ascent any more, but cross-entropy towards what the model would say if the true token were ruled out. Its
  gradient is that of `unlikelihood`, bounded; there is no $\mathcal R$, and an answer's first token is left alone.
- `ihl`: nor is this ascent. The hinge of the true token against the likeliest other one, turned round: probability goes
  from the one to the other, and where it has gone nothing pulls. $\mathcal R$ is that of `grad-diff`. `loku` has
  this loss in adapters.

Methods of other families belong to the same line: `kl-min` holds `gradient-ascent` with a divergence, `npo` bounds it
by a preference, and `upcore` leaves out of the forget set what costs most.

## Read first

`gradient-ascent` for what goes wrong, then `wga`, whose *Facts* say why in one line.

## What to expect

The learning rate decides between no effect and no model; look at the utility before the forgetting. On `authors`
whatever looks at the forget set alone takes the retain answers along, `ce-u` included: a bounded gradient does not
say what to spare. With a retain term the forget answers fall as far and more is kept, most with `wga` and `sat-imp`,
where forgotten tokens let go; `grad-diff` and `llmu` end well below the retrained model. `ga-until-forgotten` shows
what it is for where the learning rate is too large. What goes is made unlikely rather than gone: after all of them
`relearning` on a part of the forget set brings much of the rest back.

A step costs one pass forward and back for each forget answer, and as much again for a retain answer where there is
one. A divergence adds a pass forward through a frozen copy of the model, which has to be kept; `llmu` adds its random
answers, several to a question; `ga-until-forgotten` lets the model write on from every word of a text to see what can
be extracted, which is most of its cost.
"""
