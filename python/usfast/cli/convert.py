"""`usfast convert`: a sweep or a volume from one format into another."""
from pathlib import Path
def convert(source: Path, out: Path) -> None:
    """Convert."""
