from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from usfast.simulate.dataset_reader import read_dataset

Run = Callable[..., Any]
SMALL = ("--frames", 2, "--size", "32,40", "--depth", 16, "--spacing", 8, "--threads", 1, "--passes", 1)


def test_simulate_and_continue(usfast: Run, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "set"
    args = ("simulate", "--out", folder, "--subjects", 2, *SMALL, "--formats", "h5", "--tracker-noise", "0.2,0.1")
    result = usfast(*args)
    assert result.exit_code == 0, result.output
    for said in ("2 (", "4 frames of 40 x 32 pixels", "gastrocnemius medialis", str(folder / "manifest.json")):
        assert said in result.output
    data = read_dataset(folder)
    assert data.check() == []
    assert data.options["tracker"]["noise_mm"] == 0.2
    assert data.options["passes"] == [1, 1]
    (folder / "subject_001" / "labels.nrrd").unlink()
    assert usfast(*args).exit_code == 0
    assert read_dataset(folder).check() == []
    refused = usfast(*args, "--seed", 1)
    assert refused.exit_code == 2
    assert "options.seed is 1 now and 0 there" in refused.output
    assert "\n" not in refused.output.strip()
    assert usfast(*args, "--seed", 1, "--overwrite").exit_code == 0
    assert read_dataset(folder).options["seed"] == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--subjects", 0), "subjects must be at least 1"),
        (("--passes", "six"), "--passes must be a number or a range"),
        (("--passes", "6-4"), "the least and then the most"),
        (("--size", "48"), "--size must be H,W"),
        (("--size", "48.5,64"), "two whole numbers"),
        (("--tracker-noise", "0.1"), "--tracker-noise must be mm,degrees"),
        (("--tracker-dropout", 2), "dropout must be a share"),
        (("--jitter", -1), "must not be negative"),
        (("--spacing", 0), "label_spacing must be positive"),
    ],
)
def test_refusals(usfast: Run, tmp_path: Path, options: tuple[object, ...], said: str) -> None:
    result = usfast("simulate", "--out", tmp_path / "set", *SMALL, *options)
    assert result.exit_code == 2
    assert said in result.output
    assert not (tmp_path / "set").exists()


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    code = "from usfast.cli import main; main()"
    args = ["simulate", "--out", str(folder), "--subjects", "60", *map(str, SMALL)]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *args], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if (folder / "manifest.json").exists() and read_dataset(folder).subjects:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, ""), err
    assert f"of 60 subjects are complete in {folder}; the same command makes the others" in err
    data = read_dataset(folder)
    assert len(data.subjects) >= 1
    assert data.check() == []
    assert not list(folder.glob(".usfast-*"))
