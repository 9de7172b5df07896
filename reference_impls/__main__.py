"""``python -m reference_impls``."""

from reference_impls.cli import main

if __name__ == "__main__":
    main()
