"""Importing usfast.io stays light."""

import subprocess
import sys


def test_import_loads_no_format_library() -> None:
    heavy = ("SimpleITK", "h5py", "pydicom", "imageio", "tifffile", "matplotlib", "torch")
    code = f"import sys, usfast.io; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
