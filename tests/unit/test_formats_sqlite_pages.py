"""Rows of SQLite files, whole, cut and damaged, beside SQLite itself."""

import sqlite3
from contextlib import closing

import pytest

from sensorfusion.errors import CorruptRecordingError, SourceError
from sensorfusion.formats.sqlite_pages import SqlitePages

ROWS = [
    (None, "text", 0, b"\x01" * size, number)
    for size, number in (
        (0, 1),
        (10, -1),
        (455, 127),
        (460, -(2**23)),
        (5000, 2**31),
        (100_000, -(2**40)),
        (3, 2**62),
        (491, 1.5),
    )
] * 20


def write(path, page_bytes=512, rows=ROWS):
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"PRAGMA page_size = {page_bytes}")
        database.execute("CREATE TABLE things(id INTEGER PRIMARY KEY, a, b, c, d, e)")
        database.executemany("INSERT INTO things (a, b, c, d, e) VALUES (?, ?, ?, ?, ?)", rows)
    return path


@pytest.mark.parametrize("page_bytes", [512, 4096, 65536])
def test_every_kind_and_size_of_row_is_read_as_sqlite_reads_it(tmp_path, page_bytes):
    with closing(SqlitePages(write(tmp_path / "x.db3", page_bytes))) as pages:
        rows = list(pages.rows(pages.tables()["things"]))
        assert [row.number for row in rows] == list(range(1, len(ROWS) + 1))
        assert [tuple(pages.values(row)[1:]) for row in rows] == ROWS
        assert [bytes(pages.blob(row, 4)) for row in rows] == [blob for *_, blob, _ in ROWS]
        assert pages.missing == 0


def test_a_row_of_a_cut_file_is_whole_or_refused(tmp_path):
    path = write(tmp_path / "x.db3")
    whole = path.read_bytes()
    last = -1
    for length in range(512, len(whole), len(whole) // 25):
        path.write_bytes(whole[:length])
        readable = 0
        with closing(SqlitePages(path)) as pages:
            for row in pages.rows(pages.tables()["things"]):
                try:
                    values = pages.values(row)
                except CorruptRecordingError:
                    continue
                assert tuple(values[1:]) == ROWS[row.number - 1]
                readable += 1
        assert readable >= last
        last = readable
    assert last >= 0.9 * len(ROWS)


def test_a_page_that_names_one_above_it_ends(tmp_path):
    path = write(tmp_path / "x.db3")
    data = bytearray(path.read_bytes())
    with closing(sqlite3.connect(path)) as database:
        (root,) = database.execute("SELECT rootpage FROM sqlite_schema").fetchone()
    # The right-most child of the root, behind eight bytes of its header, becomes the root.
    data[(root - 1) * 512 + 8 : (root - 1) * 512 + 12] = root.to_bytes(4)
    path.write_bytes(data)
    with closing(SqlitePages(path)) as pages:
        assert len(list(pages.rows(root))) < len(ROWS)
        assert pages.missing == 1


def test_what_is_no_database_is_refused(tmp_path):
    (tmp_path / "text").write_bytes(b"hello" * 50)
    with pytest.raises(CorruptRecordingError, match="expected the header of a SQLite file"):
        SqlitePages(tmp_path / "text")
    (tmp_path / "empty").write_bytes(b"")
    for name in ("empty", "missing"):
        with pytest.raises(SourceError, match="cannot be opened"):
            SqlitePages(tmp_path / name)


def test_rows_whose_pages_are_scattered_are_put_together(tmp_path):
    path = tmp_path / "x.db3"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE things(id INTEGER PRIMARY KEY, a)")
        pictures = [bytes([number]) * 30_000 for number in range(30)]
        database.executemany("INSERT INTO things (a) VALUES (?)", [(p,) for p in pictures])
        # Pages of what is deleted are used again, from the last to the first.
        database.execute("DELETE FROM things WHERE id % 3 = 0")
        database.execute("INSERT INTO things (a) VALUES (?)", (bytes(range(256)) * 900,))
    with closing(SqlitePages(path)) as pages, closing(sqlite3.connect(path)) as database:
        theirs = dict(database.execute("SELECT id, a FROM things"))
        rows = pages.rows(pages.tables()["things"])
        assert {row.number: bytes(pages.blob(row, 1)) for row in rows} == theirs
