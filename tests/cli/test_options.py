import pytest

from usfast import compound
from usfast.cli.options import Fill, Method, Mode, numbers, spacing


def test_numbers() -> None:
    assert numbers("1, -2.5,3e1", "--at", "x,y,z") == (1.0, -2.5, 30.0)


@pytest.mark.parametrize("text", ["", "1", "1,2", "1,2,3,4", "1,2,x", "1,2,nan", "1,,3", "inf,1,1"])
def test_what_is_not_three_numbers(text: str) -> None:
    with pytest.raises(ValueError, match="--at must be x,y,z"):
        numbers(text, "--at", "x,y,z")


def test_spacing() -> None:
    assert spacing("0.3") == (0.3, 0.3, 0.3)
    assert spacing("1,2,3") == (1.0, 2.0, 3.0)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "abc", "1,2", "0.1,0.1,0", "inf"])
def test_bad_spacing(text: str) -> None:
    with pytest.raises(ValueError, match="--spacing must be"):
        spacing(text)


def test_the_choices_are_the_librarys() -> None:
    assert tuple(Method) == compound.METHODS + compound.INTERPOLATION_METHODS
    assert tuple(Mode) == compound.MODES
    assert set(Fill) == set(compound.FILLS)
