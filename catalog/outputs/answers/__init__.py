"""Answers at once: what commands say of papers, kept in SQLite, so that looking one up reads no other.

:mod:`~catalog.outputs.answers.filling` makes the tables from the catalog, and goes on from those that are there.
:mod:`~catalog.outputs.answers.finding` asks them: it needs neither records nor the schema, and starts at once.
"""
