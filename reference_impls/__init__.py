"""The reference implementations: one small file per unlearning method, and all that runs and measures them.

``methods/`` hold what papers say; ``tasks/`` what to forget and keep; :mod:`~reference_impls.toolkit.training` is the
one loop and :mod:`~reference_impls.toolkit.evaluation` the one evaluation.
"""
