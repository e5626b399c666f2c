"""Files that are whole or not there, and that show when a byte of them has changed."""

import contextlib
import hashlib
import os
import re
import zipfile
from pathlib import Path

_END = b'PK\x05\x06'  # of a zip archive: 22 bytes, the last two the length of a comment
_MARK = b'sha256:'
_COMMENT = len(_MARK) + 64
UNSEALED = b'0' * 64
TEMPORARY = '.unfinished-'  # what the names of files start with while they are written


class DamagedFile(ValueError):
    """A file that is not what was written."""


def write_whole(path: str | os.PathLike, content: bytes) -> None:
    """Write a file so that, at any kill or loss of power, its name holds the old content or the new one.

    Raises:
        OSError: If it cannot be written, with the remedy; what was under the name is untouched.
    """
    path = Path(path)
    temporary = path.with_name(f'{TEMPORARY}{os.getpid()}-{path.name}')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o666), 'wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise OSError(
                error.errno,
                f'{path} ({len(content):,} bytes) was not written: {error.strerror}. No file '
                'was changed. Free space, or choose another folder',
            ) from error
        raise


def seal(content: bytes) -> bytes:
    """Add the SHA-256 of what torch.save wrote as the comment of its zip archive: torch.load still reads it."""
    body = content[:-2] + _COMMENT.to_bytes(2, 'little')
    return body + _MARK + hashlib.sha256(body).hexdigest().encode()


def verify(path: str | os.PathLike) -> None:
    """Check the checksums of a checkpoint: its SHA-256 where this package wrote it, otherwise each record's CRC-32.

    Files of PyTorch before 1.6 and safetensors files of others hold no checksums; they pass.

    Raises:
        DamagedFile: If the file is empty, changed, cut short, or would grow when it is read.
    """
    problem = find_damage(path)
    if problem:
        raise DamagedFile(f'{path} is damaged: {problem}. Use another checkpoint, or copy or download this one again')


def find_damage(path: str | os.PathLike) -> str | None:
    """What is wrong with a file, as :func:`verify` finds it; None if nothing is."""
    size = os.path.getsize(path)
    with open(path, 'rb') as file:
        start = file.read(9)
        file.seek(max(0, size - _COMMENT))
        comment = file.read()
    if size == 0:
        return 'it is empty'
    if start.lstrip().lower().startswith((b'<!doc', b'<html')):
        return 'it is a web page, as a proxy or a login page sends in place of a file'
    if is_safetensors(start):
        return _find_safetensors_damage(path, size)
    sealed = comment.startswith(_MARK)
    if sealed:
        digest, written = sha256(path, size - _COMMENT), comment[len(_MARK) :].decode('ascii', 'replace')
        if digest != written:
            return f'its SHA-256 is {digest[:16]}…, not the {written[:16]}… that was written'
    if comment[-22:-18] == _END and comment[-2:] != b'\0\0':
        return 'it ends before its checksum'
    if not zipfile.is_zipfile(path):
        return f'its end is missing or changed ({size:,} bytes)' if start.startswith(b'PK\x03\x04') else None
    try:
        with zipfile.ZipFile(path) as archive:
            for record in archive.infolist():
                if record.compress_type != zipfile.ZIP_STORED:  # PyTorch never does: it could fill the memory
                    return (
                        f'{record.filename} in it is compressed, and would grow from {record.compress_size:,} to '
                        f'{record.file_size:,} bytes'
                    )
            if sealed:
                return None
            if archive.comment:
                return 'its checksum cannot be read'
            record = archive.testzip()
            return record and f'the checksum of {record} in it is wrong'
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, UnicodeDecodeError, OSError) as error:
        return str(error)


def is_safetensors(start: bytes) -> bool:
    """Whether a file that starts with these nine bytes is a safetensors file: a length, and then JSON."""
    return start[8:9] == b'{'


def seal_safetensors(content: bytes) -> bytes:
    """Enter the SHA-256 of a safetensors file, with zeros in its place, where its metadata has :data:`UNSEALED`."""
    return content.replace(UNSEALED, hashlib.sha256(content).hexdigest().encode(), 1)


def _find_safetensors_damage(path: str | os.PathLike, size: int) -> str | None:
    """Compare the checksum, if there is one; the library compares the sizes."""
    with open(path, 'rb') as file:
        length = file.read(8)
        header = file.read(min(int.from_bytes(length, 'little'), size))
        found = re.search(rb'"sha256":"(.{64})"', header)
        if not found:
            return None
        digest = hashlib.sha256(length + header.replace(found[1], UNSEALED, 1))
        while part := file.read(1 << 22):
            digest.update(part)
    written = found[1].decode('ascii', 'replace')
    if digest.hexdigest() != written:
        return f'its SHA-256 is {digest.hexdigest()[:16]}…, not the {written[:16]}… that was written'
    return None


def sha256(path: str | os.PathLike, length: int | None = None) -> str:
    """The SHA-256 of a file, or of its first `length` bytes, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    left = os.path.getsize(path) if length is None else length
    with open(path, 'rb') as file:
        while left > 0 and (part := file.read(min(left, 1 << 22))):
            digest.update(part)
            left -= len(part)
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a loss of power, where the file system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
