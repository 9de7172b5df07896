"""From what people paste to a record: sources, drafts, suggestions, issue forms."""
