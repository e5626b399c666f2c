"""Downloads of files, which are only used if they are complete and have the right checksum."""

import hashlib
import os
import re
import shutil
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urldefrag, urlparse
from urllib.request import Request, urlopen

import torch
from filelock import FileLock
from rich.console import Console
from rich.progress import wrap_file

from .files import TEMPORARY, DamagedFile, find_damage, sha256

_TIMEOUT = 60  # seconds without receiving a byte


def is_web_address(source: str) -> bool:
    """Return whether a source is a URL that :func:`fetch` can download."""
    return source.startswith(('http://', 'https://'))


def cache_folder() -> Path:
    """Return the folder in which torch.hub and mmengine cache downloaded checkpoints."""
    return Path(torch.hub.get_dir(), 'checkpoints')


def cache_path(url: str) -> Path:
    """Return the path to which :func:`fetch` downloads a URL: that of torch.hub if the file name has a checksum."""
    address, _ = urldefrag(url)
    name = os.path.basename(urlparse(address).path)
    if _checksum_of_name(address):
        return cache_folder() / name
    folder = hashlib.sha256(address.encode()).hexdigest()[:8]  # other URLs may end in the same file name
    return cache_folder() / 'hrformer_mm' / folder / name


def fetch(url: str) -> Path:
    """Download a file into torch.hub's cache, unless the cache already contains it undamaged.

    The SHA-256 of the file must start with the 8 to 64 hexadecimal digits that follow `#sha256=` in the URL. Without
    them, the checksum is taken from the file name, in the form of OpenMMLab and torchvision:
    `name-1a2b3c4d_20220226.pth` or `name-1a2b3c4d.pth`. Eight decimal digits that no date follows are not treated as a
    checksum, because they may be a date or a number of iterations.

    Raises:
        ValueError: If the checksum differs or the file is damaged. The file is deleted.
        OSError: If the download fails. The message names the path at which the file can be saved by other means.
    """
    address, fragment = urldefrag(url)
    expected = _expected(address, fragment)
    path = cache_path(url)
    temporary = path.with_name(TEMPORARY + path.name)
    try:
        with suppress(FileNotFoundError, DamagedFile):  # before the lock, since the cache may be read-only
            return _check(path, expected)
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f'{path}.lock'):  # all processes of a distributed training fetch it at the same time
            with suppress(FileNotFoundError, DamagedFile):
                return _check(path, expected)
            try:
                _download(address, temporary)
                _check(temporary, expected)
                os.replace(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
    except DamagedFile as error:
        raise ValueError(f'{address} was not used: {error}') from None
    except (OSError, HTTPException) as error:
        raise OSError(
            f'{address} was not fetched ({error}). Check the address, the network and the disk space, or download '
            f'the file by other means and save it as {path}'
        ) from error
    return path


def _expected(address: str, fragment: str) -> str | None:
    if fragment:
        if not re.fullmatch(r'sha256=[0-9a-f]{8,64}', fragment):
            raise ValueError(f'{address}#{fragment}: the text after # must be sha256= and 8 to 64 hexadecimal digits')
        return fragment.removeprefix('sha256=')
    return _checksum_of_name(address)


def _checksum_of_name(address: str) -> str | None:
    found = re.search(r'-([0-9a-f]{8})(_20\d{6})?\.\w+$', address)
    return found[1] if found and (found[2] or not found[1].isdigit()) else None


def _download(address: str, path: Path) -> None:
    with urlopen(Request(address, headers={'User-Agent': 'hrformer_mm'}), timeout=_TIMEOUT) as response:
        length = response.headers.get('Content-Length')
        console = Console(stderr=True)
        with (
            wrap_file(response, int(length or 0), description=os.path.basename(address), console=console) as body,
            path.open('wb') as file,
        ):
            shutil.copyfileobj(body, file, 1 << 20)
    if length is not None and path.stat().st_size != int(length):
        raise DamagedFile(f'only {path.stat().st_size:,} of {int(length):,} bytes were received. Download it again')


def _check(path: Path, expected: str | None) -> Path:
    problem = find_damage(path)
    if problem:
        raise DamagedFile(f'{problem}. Download it again')
    if expected is not None:
        digest = sha256(path)
        if not digest.startswith(expected):
            raise DamagedFile(
                f'its SHA-256 is {digest}, but should begin with {expected}. Download it again, and contact the '
                'publisher if that does not help'
            )
    return path
