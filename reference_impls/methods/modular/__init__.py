r"""Modular training.

Keep apart from the start what may have to go, or put what makes the model forget into a module of its own. The base
$\theta_0$ is frozen, and all that is learned or unlearned is in modules $\phi$ beside it,

$$
p(\cdot \mid x, y_{<t}) = \frac{1}{S} \sum_{k=1}^{S} p_{\theta_0, \phi_k}(\cdot \mid x, y_{<t}),
$$

with one module for each of $S$ shards of the data, or with one in all ($S = 1$). Forgetting is done to a small part.

## How they relate

- `sisa-adapters`: the data are kept in shards, by subject, each with a low-rank adapter; the adapters vote. To
  forget, the adapters of the shards that saw the data are trained anew without it. As far as the adapters go, this is
  exact.
- `eul`: no shards. An unlearning layer $h + W_{\mathrm{up}}\, \mathrm{ReLU}(W_{\mathrm{down}} h)$ behind the
  feed-forward part of each block is trained to differ from the frozen model on the forget set (a divergence and
  gradient ascent, both turned upwards) and to agree with it on the retain set (a divergence and the likelihood).

The two are opposites: one prepares for a request that may come, the other answers it afterwards. `lora-negation` of
task arithmetic learns a module, too, but to subtract it.

## Read first

`eul`; `sisa-adapters` is mostly the ensemble's decoding.

## What to expect

The base stays to the bit: whoever has it has what it knew. That is the price of being undone by a switch. With
`sisa-adapters` the promise holds for what was learned in shards and not before, so on `authors`, whose target has
read the forget set already, nothing is forgotten; its page tells how it does on a base that has not. A fact that one
shard knows has one vote in $S$. `eul` is unbounded below, twice: a larger learning rate takes the retain answers with
it. Attacks that change the weights do not apply to either and say nothing.

`sisa-adapters` trains $S$ adapters, again those that a request touches, and answers with $S$ passes; many requests
touch nearly all shards. `eul` trains few weights, and asks the frozen model about both sets in every step.
"""
