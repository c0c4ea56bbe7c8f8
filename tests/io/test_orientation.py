"""Every orientation leads to the same image in memory."""

import numpy as np
import pytest

from usfast import FormatError
from usfast.io.orientation import flips_to_memory

MF = np.arange(12).reshape(1, 3, 4)


@pytest.mark.parametrize("code", ["MF", "MFA", "MFD", "AMF", "mfa", "", "XX"])
def test_marked_far_is_kept(code: str) -> None:
    np.testing.assert_array_equal(flips_to_memory(code)(MF), MF)


@pytest.mark.parametrize(
    ("code", "stored"),
    [("UF", MF[:, :, ::-1]), ("MN", MF[:, ::-1]), ("UN", MF[:, ::-1, ::-1])],
)
@pytest.mark.parametrize("third", ["", "A", "D"])
def test_bmode_flips(code: str, third: str, stored: np.ndarray) -> None:
    np.testing.assert_array_equal(flips_to_memory(code + third)(stored), MF)


@pytest.mark.parametrize(
    ("code", "stored"),
    [("FM", MF), ("NM", MF[:, :, ::-1]), ("FU", MF[:, ::-1]), ("NU", MF[:, ::-1, ::-1])],
)
def test_rf_lines_become_fm(code: str, stored: np.ndarray) -> None:
    np.testing.assert_array_equal(flips_to_memory(code, "RF_REAL")(stored), MF)


@pytest.mark.parametrize(
    ("code", "kind"), [("FM", "BRIGHTNESS"), ("NUA", "BRIGHTNESS"), ("MF", "RF_REAL"), ("UNA", "RF_IQ_LINE")]
)
def test_transposes_are_refused(code: str, kind: str) -> None:
    with pytest.raises(FormatError, match="transpose"):
        flips_to_memory(code, kind)


@pytest.mark.parametrize("code", ["M", "MM", "QQ", "MFX", "MFAA", "FAM", "AM"])
def test_unknown_codes_are_refused(code: str) -> None:
    with pytest.raises(FormatError, match="unknown"):
        flips_to_memory(code)
