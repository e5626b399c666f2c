"""What a config says of a run, in a few words."""

from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

from ..model import TASKS


def task(config: Config) -> str:
    """The task in words, by the library whose model it is."""
    scope = config.get('default_scope')
    return {**TASKS, 'mmdet': 'detection'}.get(scope, f'of {scope}' if scope else 'not named by its config')


def facts(config: Config, trained: bool) -> Iterator[tuple[str, str]]:
    """(name, value) of what matters first: the model and the data, and of a training its length and optimizer."""
    model = config.get('model') or {}
    yield 'Model', ', '.join(filter(None, (_part(model), *(
        _part(model.get(key), key) for key in ('backbone', 'neck', 'decode_head', 'head', 'bbox_head')))))
    for key in ('train', 'val', 'test') if trained else ('test', ):
        loader = config.get(f'{key}_dataloader')
        if loader:
            value = _dataset(loader.get('dataset') or {})
            if loader.get('batch_size'):
                value += f', {loader["batch_size"]} at a time on each device'
            yield f'Data, {dict(train="training", val="validation", test="test")[key]}', value
    if not trained:
        if config.get('load_from'):
            yield 'Weights', str(config.load_from)
        return
    loop = config.get('train_cfg') or {}
    for key in ('max_iters', 'max_epochs'):
        if loop.get(key):
            yield 'Length', f'{loop[key]} {"iterations" if key == "max_iters" else "epochs"}'
    wrapper = config.get('optim_wrapper') or {}
    if wrapper.get('optimizer'):
        rate = wrapper.optimizer.get('lr')
        mixed = ', mixed precision' if 'Amp' in str(wrapper.get('type')) else ''
        yield 'Optimizer', f'{wrapper.optimizer.get("type")}' + (f', learning rate {rate:g}' if rate else '') + mixed
    if config.get('load_from'):
        yield 'Starts from', str(config.load_from)


def _part(part: Any, key: str = '') -> str:
    """A part's type, with the variant where it is named; several parts one after the other."""
    if isinstance(part, (list, tuple)):
        return ', '.join(filter(None, (_part(entry, key) for entry in part)))
    if not isinstance(part, dict) or 'type' not in part:
        return ''
    name = getattr(part['type'], '__name__', str(part['type']))
    return f"{name} ({part['arch']})" if isinstance(part.get('arch'), str) else name


def _dataset(dataset: dict) -> str:
    """The class and the folder of a data set, or of those that a wrapper holds."""
    inner = dataset.get('dataset')
    if inner:
        return _dataset(inner)
    if dataset.get('datasets'):
        return ' + '.join(_dataset(part) for part in dataset['datasets'])
    root = dataset.get('data_root') or dataset.get('data_prefix') or dataset.get('ann_file')
    name = getattr(dataset.get('type'), '__name__', str(dataset.get('type')))
    return f'{name} in {root}' if isinstance(root, str) and root else name
