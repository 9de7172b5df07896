"""What follows from the Catalog: lineage, leaderboards, authors, numbers, what deserves a look."""
