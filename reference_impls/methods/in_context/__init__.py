r"""In-context unlearning.

The weights stay as they are. What is put into the prompt makes the model answer as if it had never seen the forget
data, so it works through an interface, too, and can be undone by whoever chooses the prompt.

## How they relate

- `icul`: before each query stand the point to forget with a *wrong* answer and a few other points with their right
  ones. The contradiction lowers the model's confidence in what it memorised; the right ones keep the format.

Guards at inference time (filters, corrupted prompts, offsets of logits) are a family of their own, in which nothing
runs yet.

## Read first

`icul`.

## What to expect

No training and no damage to weights, and a longer prompt for every query. Which queries get a context is decided by a
comparison of words, so related questions are answered worse, and a question in other words may slip through. A model
has to read its context for this to work at all.
"""
