"""Published benchmarks: their splits, from the files in which their authors publish them, and their own metrics.

They ship no models and no data: one brings a model (``--model``), and the files as they were fetched (``--data``).
:mod:`reference_impls.tasks.benchmark` is what they have in common, ``recipes.yaml`` what their authors trained with.
"""
