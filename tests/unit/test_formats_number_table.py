import random
from pathlib import Path

import numpy as np
import pytest

from sensorfusion.errors import CorruptRecordingError
from sensorfusion.formats.number_table import read_number_table, read_numbers

PATH = Path("points.txt")


def read(text, rows, whole=(False,), offset=0):
    octets = np.frombuffer(bytearray(text.encode("latin-1")), dtype=np.uint8)
    return read_number_table(octets, np.array(whole), rows, PATH, offset)


def written(kind):
    rng = random.Random(5)
    for _ in range(3000):
        match kind:
            case "shortest":
                yield repr(rng.gauss(0, 10 ** rng.uniform(-12, 12)))
            case "six digits":
                yield f"{rng.gauss(0, 100):g}"
            case "seventeen digits":
                yield f"{rng.gauss(0, 10 ** rng.uniform(-20, 20)):.17g}"
            case "nineteen digits":
                yield f"{rng.randrange(10)}.{rng.randrange(10**18):018d}e{rng.randrange(-30, 30)}"
            case "thirty digits":
                yield f"-{rng.randrange(10**29)}.{rng.randrange(10**9)}"
            case "halfway between two doubles":
                yield str(2**53 + 2 * rng.randrange(10**6) + 1)
            case "the whole range":
                yield f"{rng.uniform(0.1, 1)}E{rng.randrange(-330, 308):+d}"


@pytest.mark.parametrize(
    "kind",
    [
        "shortest", "six digits", "seventeen digits", "nineteen digits", "thirty digits",
        "halfway between two doubles", "the whole range",
    ],
)  # fmt: skip
def test_numbers_are_what_python_reads_to_the_last_bit(kind):
    words = list(written(kind))
    table = read("\n".join(words), len(words))
    assert table[:, 0].tolist() == [float(word) for word in words]


def test_odd_spellings_of_numbers_are_read():
    words = ["+1.5", "-.5", "5.", "1e3", "1E-3", "-0", "00012", "0.000", "nan", "NaN", "-nan"]
    words += ["inf", "-Infinity", "1e400", "1e-400", "0e999999"]
    expected = [float(word) for word in words]
    assert np.array_equal(read("\n".join(words), len(words))[:, 0], expected, equal_nan=True)
    assert np.signbit(read("-0.0", 1))[0, 0]


def test_whole_numbers_are_exact_to_64_bits():
    words = ["0", "-1", "9223372036854775807", "-9223372036854775808", "9007199254740993", "1e3"]
    table = read("\n".join(words), 6, (True,))
    expected = [0, -1, 2**63 - 1, -(2**63), 2**53 + 1, 1000]
    assert table.view(np.int64)[:, 0].tolist() == expected
    assert read("18446744073709551615", 1, (True,)).view(np.uint64)[0, 0] == 2**64 - 1


def test_white_space_empty_lines_and_comments_do_not_count():
    text = "\r\n# x y\n 1\t2 \r\n\n3  4\n#\n\n"
    assert read(text, 2, (False, True)).tolist()[0][0] == 1
    assert read(text, 2, (False, False)).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("text", "at", "found"),
    [
        ("1 2\n3 four\n", 106, "'four'"),
        ("1 2\n3 1_000\n", 106, "'1_000'"),
        ("1 2\n3 4e\n", 106, "'4e'"),
        ("1 2\n3 0x10\n", 106, "'0x10'"),
        ("1 2\n3 4:\n", 106, "'4:'"),
        ("1 2\n3 \x0b4\n", 106, "x0b"),
        ("1 2\n3 4 5\n", 108, "more numbers in line 2"),
        ("1 2\n3\n4 5", 105, "fewer numbers in line 2"),
        ("1 2\n3 4\n5 6", 108, "another line"),
        ("1 2\n     \n", 110, "the end after 1 lines"),
    ],
)
def test_what_is_no_table_is_refused_with_its_place(text, at, found):
    with pytest.raises(CorruptRecordingError, match=rf"points.txt: at byte {at}: ") as caught:
        read(text, 2, (False, False), offset=100)
    assert found in str(caught.value)


@pytest.mark.parametrize("word", ["1.5", "nan", "1e30", "18446744073709551616", "-1e19", "a"])
def test_what_is_no_whole_number_of_64_bits_is_refused(word):
    with pytest.raises(CorruptRecordingError, match="a whole number"):
        read(word, 1, (True,))


def test_a_claim_of_many_lines_allocates_nothing():
    with pytest.raises(CorruptRecordingError, match="1000000000000 lines of 3 numbers"):
        read("1 2 3\n", 10**12, (False,) * 3)


@pytest.mark.parametrize("text", ["1 2\n3", "\r\n 1\t2\r\n\r\n3 \n", "1\n2\n3\n"])
def test_numbers_may_stand_in_any_lines(text):
    octets = np.frombuffer(bytearray(text.encode()), dtype=np.uint8)
    assert read_numbers(octets, PATH, 0).tolist() == [1, 2, 3]


@pytest.mark.parametrize("text", ["", " ", "\n\n"])
def test_no_numbers_are_none(text):
    octets = np.frombuffer(bytearray(text.encode()), dtype=np.uint8)
    assert read_numbers(octets, PATH, 0).shape == (0,)


def test_a_word_among_numbers_is_named_with_its_place():
    octets = np.frombuffer(bytearray(b"1 2\n# 3"), dtype=np.uint8)
    with pytest.raises(CorruptRecordingError, match=r"at byte 54: found b'#'"):
        read_numbers(octets, PATH, 50)
