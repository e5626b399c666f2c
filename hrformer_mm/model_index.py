"""Models by name, and the paths of their configs in a checkout or an installed package."""

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

PACKAGE = Path(__file__).parent
INDEX = 'model-index.yml'


def find_index(root: str | None = None) -> Path:
    """Return the path of the model index in a folder, by default in the installed package or the checkout.

    Raises:
        FileNotFoundError: If there is no model index.
    """
    folders = [Path(root)] if root else [PACKAGE / '.mim', PACKAGE.parent]
    for folder in folders:
        if (folder / INDEX).is_file():
            return folder / INDEX
    raise FileNotFoundError(
        f'there is no {INDEX} in {" or ".join(map(str, folders))}: reinstall the package, or '
        'set the path of a checkout with hrformer-mm zoo --root'
    )


def read_models(root: str | None = None) -> list[dict[str, Any]]:
    """Return the entries of all models in the metafiles of the index, each with the path of its config as `Path`."""
    index = find_index(root)
    models = []
    for name in yaml.safe_load(index.read_text(encoding='utf-8'))['Import']:
        for model in yaml.safe_load((index.parent / name).read_text(encoding='utf-8'))['Models']:
            models.append({**model, 'Path': str(index.parent / model['Config'])})
    return models


def config_path(name: str) -> str:
    """Return the path of a config file.

    Args:
        name (str): Path of a file, which is returned unchanged, or case-insensitive name of a model: `NAME`, `NAME.py`
            or the path in its metafile.

    Raises:
        FileNotFoundError: If there is neither such a file nor such a model. The message suggests similar names.
    """
    if Path(name).is_file():
        return str(name)
    models, wanted = read_models(), str(name).lower()
    for model in models:
        if wanted in (model['Name'].lower(), f'{model["Name"].lower()}.py', model['Config'].lower()):
            return model['Path']
    close = get_close_matches(Path(wanted).name.removesuffix('.py'), [model['Name'] for model in models])
    raise FileNotFoundError(
        f'there is no config file {name}, and no model of this name: '
        + (f'similar names are {", ".join(close)}' if close else 'hrformer-mm zoo lists all names')
    )
