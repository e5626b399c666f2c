"""Training and testing by the library that a config is for: what `mim train hrformer_mm` and `mim test` start."""

import runpy
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE

from ..model_index import config_path
from .common import INTERRUPTED

USAGE = """usage: {script} CONFIG [arguments]

CONFIG is a file or a model's name. The arguments are those of the library that the config is for:
{script} CONFIG -h"""


def launch(script: str, arguments: Sequence[str]) -> None:
    """Run a library's own script in this process, as if it had been called itself.

    Args:
        script (str): 'train.py' or 'test.py'.
        arguments (Sequence[str]): The script's arguments. The first that is not an option is the config: a file, or a
            model's name.

    Raises:
        DataError: If a data set, its metainfo or a metric's file cannot be read, with a remedy.
    """
    arguments = list(arguments)
    # torch.distributed.launch puts --local-rank=… before the config.
    position = next((i for i, argument in enumerate(arguments) if not argument.startswith('-')), None)
    if position is None:
        print(USAGE.format(script=script))
        sys.exit(0 if {'-h', '--help'} & set(arguments) else 2)
    try:
        config = arguments[position] = config_path(arguments[position])
        path = find_script(script, config)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f'Error: {error}')
    # Here, since they import torch, which takes seconds: mim asks for the help above before each run.
    from .. import safe_globals  # noqa: F401  (the script may load a checkpoint of mmengine)
    from ..checks import explain

    sys.argv = [str(path), *arguments]
    sys.path[0] = str(path.parent)
    try:
        runpy.run_path(str(path), run_name='__main__')
    except KeyboardInterrupt:
        print('Interrupted: --resume continues from the last checkpoint.', file=sys.stderr)
        sys.exit(INTERRUPTED)
    except Exception as error:
        explained = explain(error)
        if explained is None:
            raise
        raise explained from error


def find_script(script: str, config: str) -> Path:
    """A script of the library that a config is for.

    Raises:
        ValueError: If the config names no library.
        ImportError: If the library is not installed.
        FileNotFoundError: If the library has no such script.
    """
    library = Config.fromfile(config, import_custom_modules=False).get('default_scope')
    if library is None:
        raise ValueError(f"{config} does not name its library: add default_scope = 'mmseg', or another")
    spec = find_spec(library)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(
            f'{config} is for {library}, which is not installed: pip install {MODULE2PACKAGE.get(library, library)}'
        )
    package = Path(spec.submodule_search_locations[0])
    folders = [package / '.mim' / 'tools', package.parent / 'tools']  # installed; a checkout
    for folder in folders:
        if (folder / script).is_file():
            return folder / script
    raise FileNotFoundError(
        f'{library} has no {script} in {" or ".join(map(str, folders))}: install it again, with '
        f'mim install {MODULE2PACKAGE.get(library, library)}'
    )
