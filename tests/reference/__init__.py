"""Plain NumPy references that the kernels are tested against: slow, obviously right."""
