"""The Catalog for others: README, database, search, exports, site."""
