"""Who loads torch, and what happens where there is none."""

import subprocess
import sys


def test_only_this_package_imports_torch():
    code = "import sys, usfast.simulate; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "False"


def test_without_torch_the_error_says_what_to_install():
    code = "import sys; sys.modules['torch'] = None; import usfast.simulate.differentiable"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert out.returncode == 1
    assert "ImportError: usfast.simulate.differentiable needs torch" in out.stderr
    assert 'pip install "usfast[learn]"' in out.stderr
