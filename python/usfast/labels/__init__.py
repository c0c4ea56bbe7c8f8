"""Labels from sparse annotations."""
