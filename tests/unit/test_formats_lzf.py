import numpy as np
import pytest

from sensorfusion.formats.lzf import LzfError, lzf_compress, lzf_decompress


def array(data):
    return np.frombuffer(bytearray(data), dtype=np.uint8)


def plainly_decompressed(data):
    """LibLZF's decoder, one byte after another."""
    out, here = bytearray(), 0
    while here < len(data):
        control = data[here]
        here += 1
        if control < 32:
            out += data[here : here + control + 1]
            here += control + 1
            continue
        length = control >> 5
        if length == 7:
            length += data[here]
            here += 1
        start = len(out) - ((control & 31) << 8) - data[here] - 1
        here += 1
        for k in range(length + 2):
            out.append(out[start + k])
    return bytes(out)


FAR = np.random.default_rng(3).bytes(8192)
SAMPLES = {
    "nothing": b"",
    "one byte": b"a",
    "a run": b"a" * 5000,
    "words that come back": b"the cat, the dog, the cat, the dog and the bird. " * 40,
    "no pattern": np.random.default_rng(1).bytes(3000),
    "few values": np.random.default_rng(2).integers(0, 3, 20_000, dtype=np.uint8).tobytes(),
    "far apart": FAR * 2 + b"x" * 40 + FAR,
}


@pytest.mark.parametrize("data", SAMPLES.values(), ids=SAMPLES)
def test_what_was_compressed_comes_back(data):
    packed = lzf_compress(array(data))
    assert plainly_decompressed(bytes(packed)) == data
    assert bytes(lzf_decompress(packed, len(data))) == data


def test_runs_become_small():
    assert len(lzf_compress(array(b"a" * 5000))) < 100


def test_a_stream_worked_out_by_hand():
    # Literals "abc"; 4 bytes from 3 back: "abca"; 10 (2 + 7 + 1) from 1 back.
    stream = bytes([2]) + b"abc" + bytes([2 << 5, 2, 7 << 5, 1, 0])
    assert bytes(lzf_decompress(array(stream), 17)) == b"abcabca" + b"a" * 10


@pytest.mark.parametrize(
    ("stream", "size", "offset"),
    [
        (bytes([3]) + b"ab", 4, 0),  # four literals announced, two there
        (bytes([0]) + b"a" + bytes([2 << 5, 1]), 5, 2),  # two back, where one byte stands
        (bytes([0]) + b"a" + bytes([2 << 5]), 5, 2),  # no distance
        (bytes([0]) + b"a" + bytes([7 << 5]), 20, 2),  # no length
        (bytes([2]) + b"abc", 2, 0),  # more than there is room for
        (bytes([0]) + b"a" + bytes([7 << 5, 255, 0]), 100, 2),
        (bytes([0]) + b"a", 2, 2),  # ends too early
        (b"\0a", 10**12, 0),  # a size that cannot come out
    ],
)
def test_a_damaged_stream_is_refused_where_it_is_damaged(stream, size, offset):
    with pytest.raises(LzfError) as caught:
        lzf_decompress(array(stream), size)
    assert caught.value.offset == offset


def test_no_damage_writes_outside_the_room():
    rng = np.random.default_rng(4)
    sound = lzf_compress(array(SAMPLES["words that come back"] + SAMPLES["no pattern"]))
    for _ in range(500):
        stream = sound.copy()
        stream[rng.integers(0, len(stream), 3)] = rng.integers(0, 256, 3)
        room = np.full(4096 + 64, 77, dtype=np.uint8)
        from sensorfusion.formats._lzf_kernels import decompress

        decompress(stream, room[:4096])
        assert (room[4096:] == 77).all()
