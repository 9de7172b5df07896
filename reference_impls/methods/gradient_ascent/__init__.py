r"""Gradient ascent and its variants.

The oldest family: fine-tune with the sign of the forget loss turned round, and hold the model with something else.
All but one of these objectives are

$$
\mathcal L(\theta) = -\,\mathbb E_{\mathcal D_f} \frac{1}{|y|} \sum_t w_t\, \bar\ell_t + \alpha\, \mathcal R(\theta),
\qquad \bar\ell_t = -\log p_\theta(y_t \mid x, y_{<t}),
$$

with a weight $w_t$ for each token and a term $\mathcal R$ that keeps the rest. What a method chooses for the two, and
when it stops, is all that sets it apart.

## How they relate

- `gradient-ascent`: $w_t = 1$ and no $\mathcal R$. The pull on a token grows as the token is forgotten, and nothing
  stops it.
- `ga-until-forgotten`: the same loss, stopped once no more can be extracted than from texts that the model never saw.
- `grad-diff`: adds $\mathcal R$, the likelihood of retain answers. Its balance drifts as the forget loss grows.
- `llmu`: three terms: ascent, random answers of others to the same questions, and a divergence from the first model
  on normal data.
- `wga`: $w_t = p_t^{\alpha}$, which takes back the factor $\frac{1}{p_t}$ that makes ascent explode, with a
  divergence for $\mathcal R$.
- `sat-imp`: $w_t = p_t^{\beta_1} (1 - p_t)^{\beta_2}$: besides what is forgotten already it spares what is easy to
  predict.
- `ce-u`: no ascent any more, but cross-entropy towards what the model would say if the true token were ruled out. Its
  gradient is that of $-\log(1 - p_t)$, bounded, with no retain term.

Two methods of other families belong to the same line: `kl-min` holds `gradient-ascent` with a divergence, and `npo`
bounds it by a preference.

## Read first

`gradient-ascent` for what goes wrong, then `wga`, whose *Facts* say why in one line.

## What to expect

A learning rate decides between no effect and no model; look at the utility before the forgetting. What comes out is
less often gone than made unlikely: relearning on a little of it brings much back.
"""
