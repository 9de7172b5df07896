"""Files -> Catalog, or problems with a place and a hint."""
