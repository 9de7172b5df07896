r"""Data-centric unlearning.

The loss is whatever another family offers. What is new is the data it sees: which of the examples are forgotten and
which kept, in which order, or what a model may read at all,

$$
\theta = \mathcal U\big(\theta_0;\; S_f(\mathcal D_f, \mathcal D_r),\; S_r(\mathcal D_f, \mathcal D_r)\big),
$$

with any method $\mathcal U$ and a selection $S$ for either side.

## How they relate

- `upcore`: $S_f$ is a core. What stands apart from the rest in the model's own states is left out, since it costs most
  to unlearn, and is to go along.
- `synthetic-textbook`: $S_f$ is written anew. Of the forget set only the names of its subjects are used; what is
  forgotten is what the model itself says when asked about them.
- `lu`: $S_f$ grows from stage to stage and $S_r$ shrinks with it. Folds that wait are *kept* until their turn, so that
  each stage has to hide what the stages before it left open.
- `deep-ignorance`: there is nothing to forget. A filter keeps $\mathcal D_f$, as far as it knows it, from a model that
  has not met it yet; $\mathcal U$ is training, and $\theta_0$ what the model was before.

Methods of other families choose data, too, beside what is their own: `icu` (which texts are to be kept because they are
like the forgotten ones), `spunge` (parts of the forget set by an attribute, unlearned apart and merged), `meow` (which
of several inverted facts are taught) and `relearn` (which rewritten answers are).

## Read first

`upcore`: half a page of selection, and the base method's loss.

## What to expect

What the base method does, shifted. On `authors` little changes for the utility with `upcore` unless a retain term is
there, for invented people are as unlike each other as any; `lu` makes relearning one part bring back less of the
others, and pays for it with retain answers. `deep-ignorance` comes as near to the retrained model as its filter is
good, and relearning finds nothing that was only hidden. `synthetic-textbook` forgets there as much as with the true
pairs, and costs as much.
"""
