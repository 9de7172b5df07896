r"""Modular training.

Keep apart from the start what may have to go, or put what makes the model forget into a module of its own. Forgetting
is then done to a small part, and the rest of the model stays to the bit.

## How they relate

- `sisa-adapters`: data in shards, an adapter for each shard, answers by the ensemble. To forget, the adapters of the
  shards that saw the data are trained anew without it. As far as the adapters go, this is exact.
- `eul`: an unlearning layer $h + W_{\mathrm{up}}\, \mathrm{ReLU}(W_{\mathrm{down}} h)$ in each block of a frozen
  model, trained to differ from it on the forget set and to agree on the retain set.

The two are opposites: one prepares for a request that may come, the other answers it afterwards. `lora-negation` of
task arithmetic is a module, too, that is subtracted.

## Read first

`eul`; `sisa-adapters` is mostly the ensemble's decoding.

## What to expect

Both leave the base model as it is: whoever has the base model has what it knew. That is the price of being undone by
a switch, and with `sisa-adapters` the promise holds for what was learned in shards, not before. The module travels
with the weights: see each page for what is saved.
"""
