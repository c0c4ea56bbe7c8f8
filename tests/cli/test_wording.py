import pytest

from usfast.cli.wording import in_words


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("two\n  lines"), "two lines"),
        (FileNotFoundError(2, "No such file or directory", "a.mha"), "a.mha: No such file or directory"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("plain"), "plain"),
        (OSError(28, "No space left", "/a/.usfast-x1_y/.usfast-2/v.nrrd"), "/a/v.nrrd: No space left"),
        (ValueError(".usfast-ab/v.xyz: unknown"), "v.xyz: unknown"),
        (MemoryError(), "not enough memory"),
        (MemoryError("a grid of ..."), "a grid of ..."),
        (TypeError(), "TypeError"),
        (ValueError("use config= or image_frame= here"), "use -c or --image-frame here"),
    ],
)
def test_in_words(error: BaseException, words: str) -> None:
    assert in_words(error) == words
