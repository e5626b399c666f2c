"""Training and testing by the library that a config is for: what `mim train hrformer_mm` and `mim test` start."""

import runpy
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE

from ..model_index import config_path

USAGE = '''usage: {script} CONFIG [arguments]

CONFIG is a file or a name in the zoo. The arguments are those of the library that the config is for:
{script} CONFIG -h'''


def launch(script: str, arguments: Sequence[str]) -> None:
    """Run a library's own script in this process, as if it had been called itself.

    Args:
        script (str): 'train.py' or 'test.py'.
        arguments (Sequence[str]): The script's; the first that is no option is the config, a file or a name in the zoo.
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
    sys.argv = [str(path), *arguments]
    sys.path[0] = str(path.parent)
    runpy.run_path(str(path), run_name='__main__')


def find_script(script: str, config: str) -> Path:
    """A script of the library that a config is for.

    Raises:
        ValueError: If the config names no library.
        ImportError: If the library is not installed.
        FileNotFoundError: If the library has no such script.
    """
    library = Config.fromfile(config, import_custom_modules=False).get('default_scope')
    if library is None:
        raise ValueError(f"{config} does not say which library it is for: add default_scope = 'mmseg', or another")
    spec = find_spec(library)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(f'{config} is for {library}, which is not installed: pip install '
                          f'{MODULE2PACKAGE.get(library, library)}')
    package = Path(spec.submodule_search_locations[0])
    places = [package / '.mim' / 'tools', package.parent / 'tools']  # installed; a checkout
    for place in places:
        if (place / script).is_file():
            return place / script
    raise FileNotFoundError(f'{library} has no {script} in {" or ".join(map(str, places))}: install it anew, with '
                            f'mim install {MODULE2PACKAGE.get(library, library)}')
