"""Train and test with the library of a config; `mim train hrformer_mm` and `mim test hrformer_mm` call this."""

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

CONFIG is a file or the name of a model. To list the arguments of its library:
{script} CONFIG -h"""


def launch(script: str, arguments: Sequence[str]) -> None:
    """Run the script of a config's library in this process, as if it had been called directly.

    Args:
        script (str): 'train.py' or 'test.py'.
        arguments (Sequence[str]): The script's arguments. The first that is not an option is the config: a file or the
            name of a model.

    Raises:
        DataError: If a data set, its metainfo or a metric's file cannot be read. The message has a remedy.
    """
    arguments = list(arguments)
    # torch.distributed.launch inserts --local-rank=… before the config.
    position = next((i for i, argument in enumerate(arguments) if not argument.startswith('-')), None)
    if position is None:
        print(USAGE.format(script=script))
        sys.exit(0 if {'-h', '--help'} & set(arguments) else 2)
    try:
        config = arguments[position] = config_path(arguments[position])
        path = find_script(script, config)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f'Error: {error}')
    # These import torch, which takes seconds. mim requests the help above before each run.
    from .. import safe_globals  # noqa: F401  (the script may load mmengine's checkpoints)
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
    """Find a script of the library of a config.

    Raises:
        ValueError: If the config does not name its library.
        ImportError: If the library is not installed.
        FileNotFoundError: If the library has no such script.
    """
    library = Config.fromfile(config, import_custom_modules=False).get('default_scope')
    if library is None:
        raise ValueError(f"{config} does not name its library: add default_scope, for example default_scope = 'mmseg'")
    spec = find_spec(library)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(
            f'{config} is for {library}, which is not installed: pip install {MODULE2PACKAGE.get(library, library)}'
        )
    package = Path(spec.submodule_search_locations[0])
    folders = [package / '.mim' / 'tools', package.parent / 'tools']  # installed, or in a checkout
    for folder in folders:
        if (folder / script).is_file():
            return folder / script
    raise FileNotFoundError(
        f'{library} has no {script} in {" or ".join(map(str, folders))}: reinstall it with mim install '
        f'{MODULE2PACKAGE.get(library, library)}'
    )
