r"""Model editing and constrained fine-tuning.

An MLP's output projection is read as a memory, $v = W k$: the key $k$ is what it reads at the last token of a
subject, the value $v$ what it writes there. Deleting a fact is writing another value at the subject's key while all
other keys keep theirs. What a deletion aims at is one of three objectives (Patil et al.), with $\bar\ell$ the mean
negative log-likelihood of an answer's tokens: make the answer $y$ unlikely, $e^{-\bar\ell(y \mid x)}$; make a false
one likely, $\bar\ell(\tilde y \mid x)$; or make an empty response likely, $\bar\ell(d \mid x)$. In all three, few
weights change and nothing is trained on the retain set.

## How they relate

- `rome`: one layer, one subject at a time. A change $\delta$ of the value is found by gradient descent on the
  objective, then written by the update of rank one that moves the other keys least,
  $\hat W = W + \Lambda (C^{-1} k_*)^\top$, with $C$ the second moment of the keys of kept text.
- `memit`: many subjects at once, over a window of layers. The same search finds a state for each, then each layer
  takes its share of what is left, by ridge regression: $\Delta = R K^\top (\lambda C + K K^\top)^{-1}$. For one
  subject, one layer and $\lambda \to 0$ that is the update of `rome`.
- `come`: `memit` with another state. Of the direction that would make the true answer likelier still, a part is taken
  out of what is written, but for what it shares with the new answer's.
- `law`: `memit` toward the end of the text, as long a change as is asked for, and then on from it, to where the
  subjects' values change most within a budget for kept keys.
- `alphaedit`: the window of `memit`, and a refusal to say. In place of $\lambda C$ stands a projection: with
  $P$ onto the directions that $C$ has next to nothing in, $\Delta = R K^\top P (K K^\top P + \mu I)^{-1}$, which kept
  keys do not notice.
- `unierase`: `alphaedit` toward one token that the vocabulary did not have, the same for all questions. What it leads
  to, a refusal, is trained into its embedding first, and nothing else moves then.
- `wise`: a gate. One projection has a copy that is trained to refuse, and to write what is far from the original's
  where it should; the copy answers a query if the two are far apart on it, and otherwise nothing has changed.
- `zerounlearn`: the window of `memit` and the end of the text to say. The matrix is not added to but multiplied, by a
  factor that also takes out of everything the layer writes the directions that held the old values.
- `constrained-ft`: neither key nor closed form. One whole projection is trained on the same objectives, and after
  each step it is put back to within $\varepsilon$ of where it was.
- `kfac-edit`: no request at all. Every matrix of some MLPs is written in the directions of the loss's curvature on kept
  text, and those that this text hardly uses are dropped, with whatever is recited through them.
- `revs`: neither key nor subject. Columns of all projections, each a vector that the head can read, are changed until
  they rank the rarest tokens of an answer low, at the place where these are predicted.
- `pisces`: no request either. A sparse autoencoder reads the vectors that an MLP's neurons write, and in those that
  write most of the features of what is to be forgotten these are turned to the opposite.
- `model-surgery`: no request and no answer. A linear probe tells the two sets apart by their states, and is added to
  the rows of all gates that point away from it, so that neurons of other texts speak up in those to forget.

Objectives and search are in `reference_impls/toolkit/editing.py`; `wise` and the last four take neither, and
`constrained-ft` the objectives alone.

## Read first

`rome`, with `reference_impls/toolkit/mlp_memory.py` beside it.

## What to expect

Few weights do not mean few answers: on `authors` each of them trades retain answers for forget answers,
`constrained-ft` through $\varepsilon$, the other two through the length of $\delta$. People who share a surname share
much of a key. An edit acts at every mention of a subject, and on what is read from the subject's name; what other
layers hold stays, and `relearning` brings answers back after all three. Published weights of the search's terms
belong to much larger models: they leave a small one as it was.

For each subject the search costs a pass forward and back on its questions in every step of the recipe, and the update
a linear system as wide as the MLP; $C$ is measured once. `memit` was made for thousands of subjects. `constrained-ft`
is fine-tuning of one matrix.
"""
