import pytest
from hypothesis import given
from hypothesis import strategies as st

from usfast.report import bar_length


@pytest.mark.parametrize(
    ("extent", "length"), [(100, 20), (60, 20), (59, 10), (30, 10), (7, 2), (3, 1), (0.9, 0.2), (1500, 500)]
)
def test_readable_lengths(extent: float, length: float) -> None:
    assert bar_length(extent) == pytest.approx(length)


@given(st.floats(1e-6, 1e6))
def test_between_an_eighth_and_a_third(extent: float) -> None:
    assert extent / 8 < bar_length(extent) <= extent / 3 * 1.0001


@pytest.mark.parametrize("extent", [0, -1, float("nan"), float("inf")])
def test_no_extent(extent: float) -> None:
    with pytest.raises(ValueError, match="width must be positive"):
        bar_length(extent)
