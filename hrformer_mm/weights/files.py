"""Files that are whole or not there, and that show when a byte of them has changed."""

import hashlib
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Union

from mmengine.utils import mkdir_or_exist

_END = b'PK\x05\x06'  # of a zip archive: 22 bytes, the last two the length of a comment
_MARK = b'sha256:'
_COMMENT = len(_MARK) + 64
TEMPORARY = '.unfinished-'  # what the names of files start with while they are written


class DamagedFile(ValueError):
    """A file that is not what was written."""


def write_whole(path: Union[str, os.PathLike], content: bytes) -> None:
    """Write a file so that, at any kill or loss of power, its name holds the old content or the new one.

    Raises:
        OSError: If it cannot be written, with the remedy; what stood under the name is untouched.
    """
    path = Path(path)
    temporary = None
    try:
        mkdir_or_exist(str(path.parent))
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY)
        with os.fdopen(handle, 'wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except BaseException as error:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise OSError(error.errno, f'{path} ({len(content):,} bytes) was not written: {error.strerror}. No file was '
                          'changed by this. Free space, or choose another folder') from error
        raise


def seal(content: bytes) -> bytes:
    """Add the SHA-256 of what torch.save wrote, as the comment of the zip archive that it is: torch.load reads on.

    Raises:
        ValueError: If the content does not end as a zip archive without a comment.
    """
    if content[-22:-18] != _END or content[-2:] != b'\0\0':
        raise ValueError('only a zip archive without a comment can take a checksum: write it by torch.save')
    body = content[:-2] + _COMMENT.to_bytes(2, 'little')
    return body + _MARK + hashlib.sha256(body).hexdigest().encode()


def verify(path: Union[str, os.PathLike]) -> None:
    """Check the checksums of a PyTorch file: its SHA-256 where this package wrote it, each record's CRC-32 otherwise.

    Files of PyTorch before 1.6 are no archives and hold no checksums; they pass, to be judged by their reader.

    Raises:
        DamagedFile: If the file is empty, changed, cut short, or would grow when it is read.
    """
    size = os.path.getsize(path)
    if size == 0:
        raise DamagedFile(f'{path} is empty: it was cut short. {_REMEDY}')
    with open(path, 'rb') as file:
        start = file.read(4)
        file.seek(max(0, size - _COMMENT))
        comment = file.read()
        if comment.startswith(_MARK):
            file.seek(0)
            digest = _sha256(file, size - _COMMENT)
            if comment[len(_MARK):] != digest.encode():
                raise DamagedFile(f'{path} is damaged: its SHA-256 is {digest[:16]}…, not the '
                                 f'{_shown(comment[len(_MARK):])}… that was written. {_REMEDY}')
    if comment[-22:-18] == _END and comment[-2:] != b'\0\0':
        raise DamagedFile(f'{path} is damaged: it ends before its checksum. {_REMEDY}')
    if not zipfile.is_zipfile(path):
        if start == b'PK\x03\x04':
            raise DamagedFile(f'{path} is damaged: its end is missing or changed ({size:,} bytes). {_REMEDY}')
        return
    try:
        with zipfile.ZipFile(path) as archive:
            _check_archive(path, archive, sealed=comment.startswith(_MARK))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, UnicodeDecodeError, OSError) as error:
        raise DamagedFile(f'{path} is damaged ({error}). {_REMEDY}') from error


_REMEDY = 'Use another checkpoint, or copy or download this one again'


def _check_archive(path: Union[str, os.PathLike], archive: zipfile.ZipFile, sealed: bool) -> None:
    if archive.comment and not sealed:
        raise DamagedFile(f'{path} is damaged: its checksum cannot be read. {_REMEDY}')
    for record in archive.infolist():
        if record.compress_type != zipfile.ZIP_STORED:  # PyTorch writes none: a small file could fill the memory
            raise DamagedFile(f'{path} was not read: {record.filename} in it is compressed, and would grow from '
                             f'{record.compress_size:,} to {record.file_size:,} bytes. Save it again with torch.save')
    damaged = None if sealed else archive.testzip()
    if damaged is not None:
        raise DamagedFile(f'{path} is damaged: the checksum of {damaged} in it is wrong. {_REMEDY}')


def sha256(path: Union[str, os.PathLike]) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits."""
    with open(path, 'rb') as file:
        return _sha256(file, os.path.getsize(path))


def _sha256(file, length: int) -> str:
    digest = hashlib.sha256()
    while length > 0 and (part := file.read(min(length, 1 << 22))):
        digest.update(part)
        length -= len(part)
    return digest.hexdigest()


def _shown(text: bytes) -> str:
    return text[:16].decode('ascii', 'replace')


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a loss of power; file systems without this are left alone."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
