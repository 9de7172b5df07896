r"""Representation steering.

The loss acts on hidden states, not on tokens: states of forget inputs are led somewhere else, those of other inputs
are held where they were,

$$
\mathcal L = \mathbb E_{\mathcal D_f} \left\| M_\theta(t) - \text{target} \right\|^2
+ \alpha\, \mathbb E_{\mathcal D_r} \left\| M_\theta(t) - M_{\theta_0}(t) \right\|^2 ,
$$

with $M(t)$ the residual stream after one layer. Later layers then have nothing to work with.

## How they relate

- `rmu`: the target is one random direction of fixed length, the same for all inputs. Only the MLP outputs of three
  layers learn.

Model editing (`rome`, `memit`) also works inside a layer, with a state that is computed for each subject;
localization (`depn`, `pcgu`) first asks which weights hold the fact.

## Read first

`rmu`.

## What to expect

Few weights move, and utility is kept well. The knowledge is not where it was read, which is not the same as gone:
relearning, and attacks that look into the layers, bring more of it back than the answers suggest.
"""
