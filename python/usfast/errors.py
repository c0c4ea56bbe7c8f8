"""The errors that usfast raises on purpose. Each message says what is wrong in the user's words."""

__all__ = ["FormatError", "GeometryError", "UsfastError"]


class UsfastError(Exception):
    """Root of every error that usfast raises itself."""


class FormatError(UsfastError, ValueError):
    """A file cannot be read or written. The message names the file and the byte, line or key at fault."""


class GeometryError(UsfastError, ValueError):
    """Poses, grids or transforms that contradict each other or describe no usable geometry."""
