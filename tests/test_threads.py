import pytest

import usfast


def test_num_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    assert usfast.get_num_threads() >= 1
    assert usfast.get_num_threads(5) == 5
    monkeypatch.setenv("USFAST_NUM_THREADS", "3")
    assert usfast.get_num_threads() == 3
    usfast.set_num_threads(2)
    assert usfast.get_num_threads() == 2
    usfast.set_num_threads(None)
    assert usfast.get_num_threads() == 3


@pytest.mark.parametrize("count", [0, -1, 1.5, "many", 10**6])
def test_wrong_num_threads(count: object, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="whole number from 1 to 1024"):
        usfast.set_num_threads(count)
    monkeypatch.setenv("USFAST_NUM_THREADS", str(count))
    with pytest.raises(ValueError, match="USFAST_NUM_THREADS"):
        usfast.get_num_threads()
