"""Atomic writing of files, and checksums that detect damaged files."""

import contextlib
import hashlib
import os
import re
import zipfile
from pathlib import Path

_END = b'PK\x05\x06'  # start of the last 22 bytes of a zip archive, which end with the length of a comment
_MARK = b'sha256:'
_COMMENT = len(_MARK) + 64
UNSEALED = b'0' * 64
TEMPORARY = '.unfinished-'  # prefix of the names of files that are being written


class DamagedFile(ValueError):
    """Raised for a file whose content differs from what was written."""


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file atomically: if the process or the machine stops, the file has its old or its new content.

    Raises:
        OSError: If the file cannot be written. An existing file remains unchanged.
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
                'was changed. Free space on the disk, or choose another folder',
            ) from error
        raise


def seal(content: bytes) -> bytes:
    """Append the SHA-256 of a file of torch.save as the comment of its zip archive, which torch.load ignores."""
    body = content[:-2] + _COMMENT.to_bytes(2, 'little')
    return body + _MARK + hashlib.sha256(body).hexdigest().encode()


def verify(path: str | os.PathLike[str]) -> None:
    """Verify the checksums of a checkpoint.

    Checkpoints that this package wrote have a SHA-256. Other PyTorch files have a CRC-32 per record. Files written by
    PyTorch before 1.6 and safetensors files written by other packages have no checksums and pass.

    Raises:
        DamagedFile: If the file is empty, modified, truncated or compressed.
    """
    problem = find_damage(path)
    if problem:
        raise DamagedFile(f'{path} is damaged: {problem}. Use another checkpoint, or copy or download this one again')


def find_damage(path: str | os.PathLike[str]) -> str | None:
    """Return a description of the damage that :func:`verify` reports, or None for an undamaged file."""
    size = os.path.getsize(path)
    with open(path, 'rb') as file:
        start = file.read(9)
        file.seek(max(0, size - _COMMENT))
        comment = file.read()
    if size == 0:
        return 'it is empty'
    if start.lstrip().lower().startswith((b'<!doc', b'<html')):
        return 'it is a web page, for example the login page of a proxy, and not a checkpoint'
    if is_safetensors(start):
        return _find_safetensors_damage(path, size)
    sealed = comment.startswith(_MARK)
    if sealed:
        digest, written = sha256(path, size - _COMMENT), comment[len(_MARK) :].decode('ascii', 'replace')
        if digest != written:
            return f'its SHA-256 is {digest[:16]}…, but {written[:16]}… was written'
    if comment[-22:-18] == _END and comment[-2:] != b'\0\0':
        return 'it ends before its checksum'
    if not zipfile.is_zipfile(path):
        return f'its end is missing or modified ({size:,} bytes)' if start.startswith(b'PK\x03\x04') else None
    try:
        with zipfile.ZipFile(path) as archive:
            for record in archive.infolist():
                if record.compress_type != zipfile.ZIP_STORED:  # PyTorch never compresses; it could exhaust the memory
                    return (
                        f'its record {record.filename} is compressed, and would expand from {record.compress_size:,} '
                        f'to {record.file_size:,} bytes'
                    )
            if sealed:
                return None
            if archive.comment:
                return 'its checksum cannot be read'
            damaged = archive.testzip()
            return damaged and f'the checksum of its record {damaged} is wrong'
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, UnicodeDecodeError, OSError) as error:
        return str(error)


def is_safetensors(start: bytes) -> bool:
    """Return whether the first nine bytes of a file are those of a safetensors file: a length, then JSON."""
    return start[8:9] == b'{'


def seal_safetensors(content: bytes) -> bytes:
    """Replace :data:`UNSEALED` in the metadata of a safetensors file by the SHA-256 of the file."""
    return content.replace(UNSEALED, hashlib.sha256(content).hexdigest().encode(), 1)


def _find_safetensors_damage(path: str | os.PathLike[str], size: int) -> str | None:
    """Verify the checksum, if there is one. The safetensors library itself verifies the sizes."""
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
        return f'its SHA-256 is {digest.hexdigest()[:16]}…, but {written[:16]}… was written'
    return None


def sha256(path: str | os.PathLike[str], length: int | None = None) -> str:
    """Return the SHA-256 of a file, or of its first `length` bytes, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    left = os.path.getsize(path) if length is None else length
    with open(path, 'rb') as file:
        while left > 0 and (part := file.read(min(left, 1 << 22))):
            digest.update(part)
            left -= len(part)
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    """Make a rename durable against a power loss, if the file system supports it."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
