r"""Modular training.

Keep apart from the start what may have to go, or put what makes the model forget into a module of its own. The base
$\theta_0$ is frozen, and all that is learned or unlearned is in modules $\phi$ beside it,

$$
p(\cdot \mid x, y_{<t}) = \frac{1}{S} \sum_{k=1}^{S} p_{\theta_0, \phi_k}(\cdot \mid x, y_{<t}),
$$

with one module for each of $S$ shards of the data, or with one in all ($S = 1$). Forgetting is done to a small part.

## How they relate

- `sisa`: the data are kept in shards, by subject, each with a model of its own that learns them slice by slice; the
  models vote. To forget, the models of the shards that saw the data go back to before the slice that held it, and are
  trained on without it. This is exact from the start on.
- `sisa-adapters`: `sisa` with a low-rank adapter for each shard in place of a model, and one slice. As far as the
  adapters go, this is exact.
- `clpu-der`: no shards. What is announced as temporary is learned by a copy of the model, which is deleted on request,
  or merged by replaying what it says; all else is learned by the model itself, for good. Exact for the former alone.
- `eul`: no shards. An unlearning layer $h + W_{\mathrm{up}}\, \mathrm{ReLU}(W_{\mathrm{down}} h)$ behind the
  feed-forward part of each block is trained to differ from the frozen model on the forget set (a divergence and
  gradient ascent, both turned upwards) and to agree with it on the retain set (a divergence and the likelihood).
- `o3`: one adapter for each request, after the fact, and behind a gate that knows the request's questions; what is to
  stay is left alone by not being let in, and later requests are held orthogonal to earlier ones.

They are opposites: three prepare for a request that may come, the others answer it afterwards. `lora-negation` of
task arithmetic learns a module, too, but to subtract it.

## Read first

`eul`; `sisa` for the plan, of which `sisa-adapters` is mostly the bookkeeping.

## What to expect

The base stays to the bit: whoever has it has what it knew. That is the price of being undone by a switch. With
`sisa` and `sisa-adapters` the promise holds for what was learned in shards and not before, so they start from the base
that ships with a task. A fact that one shard knows has one vote in $S$. `eul` is unbounded below, twice: a larger
learning rate takes the retain answers with it. Attacks that change the weights do not apply to any of them and say
nothing.

`sisa` trains $S$ models, `sisa-adapters` $S$ adapters, again those that a request touches, and both answer with $S$
passes; many requests touch nearly all shards. `eul` trains few weights, and asks the frozen model about both sets in
every step.
"""
