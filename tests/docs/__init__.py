"""The references under docs/reference: their makers, the command that writes them, and the makers' tests."""
