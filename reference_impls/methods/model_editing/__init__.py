r"""Model editing and constrained fine-tuning.

An MLP's output projection is read as a memory, $v = W k$: the key $k$ is what it reads at the last token of a
subject, the value $v$ what it writes there. Deleting a fact is writing another value at the subject's key while all
other keys keep theirs. What a deletion aims at is one of three objectives (Patil et al.): make the answer unlikely,
make a false one likely, or make an empty response likely.

## How they relate

- `rome`: one layer, one subject at a time. A value is found by gradient descent, then written by the rank-one update
  that moves all other keys least, $\hat W = W + \Lambda (C^{-1} k_*)^\top$.
- `memit`: many subjects at once, over a window of layers. The targets are found first, then each layer takes its
  share of what is left, by least squares: $\Delta = R K^\top (\lambda C + K K^\top)^{-1}$.
- `constrained-ft`: no closed form. One layer is fine-tuned on the same objectives, and after each step every weight
  is put back to within $\varepsilon$ of where it was.

The three share the objectives and the search for a value (`reference_impls/toolkit/editing.py`).

## Read first

`rome`, with `reference_impls/toolkit/mlp_memory.py` beside it.

## What to expect

Little else moves, and no retain set is trained on (it gives $C$). Editing acts at every mention of a subject, and
works for what is read from the subject's name; what other layers or other phrasings lead to stays. Many facts about
one subject share its key.
"""
