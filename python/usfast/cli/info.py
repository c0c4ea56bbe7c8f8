"""`usfast info`: a sweep or a volume from one format into another."""
from pathlib import Path
def info(source: Path, out: Path) -> None:
    """Convert."""
