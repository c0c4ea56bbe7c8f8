"""TUS-REC calibration files in both layouts."""

from pathlib import Path

import numpy as np
import pytest

from usfast import FormatError
from usfast.io import read_calibration

SCALE = "0.2294,0,0,0\n0,0.2210,0,0\n0,0,1,0\n0,0,0,1\n"
SPATIAL = "0.23,-0.22,0.95,-70.7\n-0.19,-0.97,-0.18,-80.7\n0.95,-0.14,-0.26,-48.2\n0,0,0,1\n"
LABELS = (
    "scaling_from_pixel_to_mm\n",
    "spatial_calibration_from_image_coordinate_system_to_tracking_tool_coordinate_system\n",
)


@pytest.mark.parametrize(
    "text",
    [
        LABELS[0] + SCALE + LABELS[1] + SPATIAL,
        LABELS[1] + SPATIAL + LABELS[0] + SCALE,
        SCALE + SPATIAL,
        (LABELS[0] + SCALE + "\n" + LABELS[1] + SPATIAL).replace("\n", ",,\r\n"),
        "\ufeff" + LABELS[0] + SCALE + LABELS[1] + SPATIAL,
    ],
    ids=["labelled", "swapped", "plain", "crlf", "bom"],
)
def test_layouts(tmp_path: Path, text: str) -> None:
    path = tmp_path / "calib_matrix.csv"
    path.write_text(text, encoding="utf-8")
    calibration = read_calibration(path)
    np.testing.assert_array_equal(np.diag(calibration.pixel_to_mm), [0.2294, 0.2210, 1, 1])
    np.testing.assert_array_equal(calibration.image_mm_to_tool[:3, 3], [-70.7, -80.7, -48.2])
    corner = calibration.image_to_tool @ [100, 200, 0, 1]
    np.testing.assert_allclose(corner[0], 0.23 * 22.94 - 0.22 * 44.2 - 70.7)


@pytest.mark.parametrize(
    "text",
    ["", SCALE, SCALE + SPATIAL + SCALE, "a,b\n" * 9, SCALE.replace("0.2210", "nan") + SPATIAL,
     SCALE + SPATIAL.replace("0,0,0,1", "0,0,0,2"), "one\n" + SCALE + "two\n" + SPATIAL, "1,2,3\n" * 8],
)  # fmt: skip
def test_wrong_files(tmp_path: Path, text: str) -> None:
    path = tmp_path / "calib_matrix.csv"
    path.write_text(text)
    with pytest.raises(FormatError, match=r"calib_matrix\.csv"):
        read_calibration(path)
