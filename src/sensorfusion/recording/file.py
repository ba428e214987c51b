"""The file of a recording: whole chunks, given to the system one by one; an index at the end."""

import errno
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from sensorfusion.errors import OutputError
from sensorfusion.formats import mcap_write
from sensorfusion.formats.mcap_file import McapFile
from sensorfusion.formats.mcap_records import MAGIC
from sensorfusion.formats.mcap_write import Packer
from sensorfusion.formats.ros2_schemas import definition
from sensorfusion.formats.whole_file import sync_folder
from sensorfusion.recording.messages import Message

_SYNC_NS: Final = 1_000_000_000
# The index and what others write meanwhile must still find room when the disk is called full.
_RESERVE_BYTES: Final = 1 << 20
_INDEX_BYTES_PER_CHUNK: Final = 160


def _sync(descriptor: int) -> None:
    (os.fdatasync if hasattr(os, "fdatasync") else os.fsync)(descriptor)


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


@dataclass(frozen=True, slots=True)
class Disk:
    """What the system does for a recording: a seam, through which tests make disks full or slow.

    Attributes
    ----------
    write : callable
        As ``os.write``.
    sync : callable
        Bring the data of a file descriptor to the disk itself.
    free_bytes : callable
        Return what is free in a folder's file system.
    """

    write: Callable[[int, memoryview], int] = os.write
    sync: Callable[[int], None] = _sync
    free_bytes: Callable[[Path], int] = _free_bytes


class RecordingFile:
    """An MCAP file that grows by whole chunks.

    Parameters
    ----------
    path : Path
        Must not exist, or be empty.
    disk : Disk

    Raises
    ------
    OutputError
        If the file cannot be made, or the disk is full already.
    """

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path = path
        self.size_bytes = 0
        self._disk = disk
        self._chunk = mcap_write.ChunkWriter()
        self._summary = mcap_write.Summary()
        self._schemas: dict[str, int] = {}
        self._channels: dict[str, mcap_write.Channel] = {}
        self._counts: dict[int, int] = {}
        self._synced_ns = time.monotonic_ns()
        self._is_synced = True
        self._descriptor = _make(path)
        try:
            library = f"sensorfusion {version('sensorfusion')}"
            self._append(MAGIC + mcap_write.header("ros2", library))
            sync_folder(path.parent)
        except OSError as error:
            os.close(self._descriptor)
            raise failed_write(path, error, 0) from error

    def attach(self, name: str, media_type: str, data: bytes) -> None:
        """Write a file within the file."""
        written, start = mcap_write.attachment(name, media_type, data), self.size_bytes
        self._append(written)
        self._summary.add_attachment(name, media_type, len(data), start, len(written))

    def note(self, name: str, values: Mapping[str, str], *, is_last: bool = False) -> None:
        """Write names and texts; the last of them may use what is kept free for the end."""
        written, start = mcap_write.metadata(name, values), self.size_bytes
        self._append(written, reserve=0 if is_last else _RESERVE_BYTES)
        self._summary.add_metadata(name, start, len(written))

    def add(self, message: Message, sequence: int) -> None:
        """Put a message into the chunk that is being filled."""
        channel = self._channels.get(message.topic) or self._declare(message)
        self._chunk.message(channel.number, sequence, message.time_ns, message.parts)
        self._counts[channel.number] = self._counts.get(channel.number, 0) + 1

    def flush(self, packer: Packer | None) -> None:
        """Give the chunk to the system.

        Parameters
        ----------
        packer : Packer or None
            Compresses it; None where its messages are compressed already.

        Raises
        ------
        OSError
            If it cannot be written; the file then ends with the chunk before.
        """
        if not len(self._chunk):
            return
        parts, place = self._chunk.pack(packer, self.size_bytes)
        self._append(*parts)
        self._summary.add_chunk(place, self._counts)
        self._counts = {}

    def sync(self, *, now: bool = False) -> None:
        """Bring what was written to the disk itself if a second has passed since the last time."""
        is_due = time.monotonic_ns() - self._synced_ns >= _SYNC_NS
        if not self._is_synced and (now or is_due):
            self._disk.sync(self._descriptor)
            self._synced_ns, self._is_synced = time.monotonic_ns(), True

    def finish(self) -> None:
        """Write the index and close the file.

        Raises
        ------
        OSError
            If that fails; the file then ends with its last chunk, and is closed, too.
        """
        try:
            end = self.size_bytes
            try:
                self._write(self._summary.pack(end) + MAGIC)
                self._disk.sync(self._descriptor)
            except OSError:
                self._cut(end)
                raise
        finally:
            os.close(self._descriptor)

    def counts(self) -> dict[str, int]:
        """Return how many messages of each topic were given to the system."""
        messages = self._summary.messages
        return {topic: messages.get(each.number, 0) for topic, each in self._channels.items()}

    def _declare(self, message: Message) -> mcap_write.Channel:
        schema = self._schemas.get(message.kind)
        if schema is None:
            schema = self._schemas[message.kind] = len(self._schemas) + 1
            written = mcap_write.schema(schema, message.kind, definition(message.kind))
            self._chunk.declare(written)
            self._summary.schemas.append(written)
        channel = mcap_write.Channel(
            len(self._channels), message.topic, schema, dict(message.metadata)
        )
        self._channels[message.topic] = channel
        written = mcap_write.channel(channel)
        self._chunk.declare(written)
        self._summary.channels.append(written)
        return channel

    def _append(self, *parts: bytes, reserve: int = _RESERVE_BYTES) -> None:
        needed = sum(map(len, parts)) + reserve + _INDEX_BYTES_PER_CHUNK * len(self._summary.chunks)
        free = self._disk.free_bytes(self.path.parent)
        if free < needed:
            raise OSError(errno.ENOSPC, f"{free} bytes free, {needed} needed to end the file whole")
        begin = self.size_bytes
        try:
            for part in parts:
                self._write(part)
        except OSError:
            self._cut(begin)
            raise

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            # A disk that fills up takes a part and says so only at the next write.
            left = left[self._disk.write(self._descriptor, left) :]
        self.size_bytes += len(data)
        self._is_synced = False

    def _cut(self, end: int) -> None:
        os.ftruncate(self._descriptor, end)
        os.lseek(self._descriptor, end, os.SEEK_SET)
        self.size_bytes = end


def failed_write(path: Path, error: OSError, samples: int) -> OutputError:
    """Return the sentence for a recording that could not be written on."""
    reason = error.strerror or str(error)
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    advice = "free some space or record to another disk" if full else "record to another disk"
    kept = f"the {samples} samples written before are kept" if samples else "nothing was recorded"
    return OutputError(f"{path}: cannot be written any further ({reason}); {kept}; {advice}")


def readable_messages(path: Path) -> dict[str, int]:
    """Return how many messages of each topic a finished file says it holds, and can be found."""
    file = McapFile(path)
    try:
        return {topic: len(places) for topic, places in file.places.items()}
    finally:
        file.close()


def _make(path: Path) -> int:
    flags = os.O_CREAT | os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        # An empty file is what mktemp makes; anything else may be a recording that took hours.
        if path.exists() and (not path.is_file() or path.stat().st_size):
            msg = f"{path}: exists already; give the recording another name, or remove it"
            raise OutputError(msg)
        return os.open(path, flags, 0o666)
    except OSError as error:
        advice = "make its folder first" if error.errno == errno.ENOENT else "give another place"
        msg = f"{path}: cannot be made ({error.strerror}); {advice}"
        raise OutputError(msg) from error
