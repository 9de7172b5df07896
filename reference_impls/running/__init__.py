"""From names to a record: one run, many, a search, and models as folders."""
