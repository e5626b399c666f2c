"""The folder that a command writes its results to."""

from pathlib import Path


def make_folder(name: str, first: str) -> Path:
    """Make a folder, and an empty file `first` in it: that nothing can be written shows before the work is done.

    Raises:
        OSError: If it cannot be written to, with the remedy.
    """
    folder = Path(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / first).touch()
    except OSError as error:
        raise OSError(f'{name} cannot be written to ({error.strerror}): choose another with --output') from None
    return folder
