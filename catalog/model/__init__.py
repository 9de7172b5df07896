"""What there is: papers, vocabularies, implementations, results, claims, and the Catalog that holds them all."""
