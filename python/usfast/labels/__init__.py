"""Labels (minimal, for this part only)."""
