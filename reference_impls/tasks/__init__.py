"""Tasks: what to forget and what to keep. Each folder is one task, with the checkpoints made for it.

:mod:`reference_impls.tasks.files` makes a task of files of one's own; ``world.py`` holds facts that all tasks share.
"""
