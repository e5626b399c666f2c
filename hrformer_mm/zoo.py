"""The models of the zoo by name: where their configs lie, in a checkout or in an installed package."""

from pathlib import Path
from typing import Any, Optional

PACKAGE = Path(__file__).parent
INDEX = 'model-index.yml'


def find_index(root: Optional[str] = None) -> Path:
    """The model index of an installed package, or of the checkout around the package.

    Raises:
        FileNotFoundError: If there is none, with the places.
    """
    places = [Path(root)] if root else [PACKAGE / '.mim', PACKAGE.parent]
    for place in places:
        if (place / INDEX).is_file():
            return place / INDEX
    raise FileNotFoundError(f'there is no {INDEX} in {" or ".join(map(str, places))}: name a checkout with --root')


def published(root: Optional[str] = None) -> list[dict[str, Any]]:
    """The entries of all models in the metafiles that the index imports, with `Path`, that of the config."""
    import yaml  # here, since this module is imported with the package
    index = find_index(root)
    models = []
    for name in yaml.safe_load(index.read_text(encoding='utf-8'))['Import']:
        for model in yaml.safe_load((index.parent / name).read_text(encoding='utf-8'))['Models']:
            models.append({**model, 'Path': str(index.parent / model['Config'])})
    return models


def find_model(name: str) -> Optional[dict[str, Any]]:
    """The entry of a model, given its name (`NAME` or, as mim wants it, `NAME.py`) or its config's path as the
    metafiles have it (`configs/NAME.py`); None if the zoo has no such model."""
    try:
        models = published()
    except FileNotFoundError:
        return None
    wanted = name.lower()
    for model in models:
        if wanted in (model['Name'].lower(), f"{model['Name'].lower()}.py", model['Config'].lower()):
            return model
    return None


def find_config(name: str) -> str:
    """The path of a config, given its path or its name in the zoo.

    Raises:
        FileNotFoundError: If there is neither.
    """
    if Path(name).is_file():
        return name
    model = find_model(name)
    if model is None:
        raise FileNotFoundError(f'there is no config file {name}, and no model of that name in the zoo; its names: '
                                'hrformer-mm zoo')
    return model['Path']
