"""Loading of checkpoints, which must be undamaged, must run no code, and must fit the model."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner
from mmengine.runner.base_loop import BaseLoop

from ..models import HRFormer
from ..weights import Pretrained, check_fit, find_tensors, fit_weights, locate, read_checkpoint
from .saving import POINTER


def choose_checkpoint(runner: Runner, folder: Path) -> Any | None:
    """Read the checkpoint that the runner will load. `--resume` selects the newest valid checkpoint of a folder.

    Returns:
        Any: Content of the checkpoint, or None if the runner loads nothing, a folder of DeepSpeed, or a file that is
        not local.

    Raises:
        FileNotFoundError, ValueError: If the requested checkpoint, or each checkpoint of the folder, is invalid.
    """
    if runner._has_loaded or (runner._load_from is None and not runner._resume):
        return None
    if runner._load_from is not None:
        source = runner._load_from = locate(os.path.expanduser(str(runner._load_from)))
        return None if '://' in source or os.path.isdir(source) else _read(Path(source), resume=runner._resume)
    candidates, rejected = _candidates(folder, Path(runner.work_dir)), []
    for path in candidates:
        try:
            checkpoint = None if path.is_dir() else _read(path, resume=True)
        except (OSError, ValueError) as error:
            runner.logger.warning(f'Not resumed from {path}: {error}')
            rejected.append(str(error))
            continue
        runner._load_from = str(path)
        return checkpoint
    if rejected:
        raise ValueError(
            f'none of the {len(rejected)} checkpoints in {folder} can be resumed. '
            + '. '.join(rejected)
            + '. To start a new training, choose another work_dir or leave --resume out'
        )
    runner.logger.warning(f'{folder} contains no checkpoint: the training starts from the beginning')
    runner._resume = False
    return None


def prepare_start(runner: Runner, may_differ: tuple[str, ...]) -> None:
    """Download the pretrained weights of the backbones of a training, and log where the backbones start.

    A checkpoint of the whole model replaces the pretrained weights.

    Raises:
        OSError, ValueError: If the weights cannot be downloaded.
    """
    if not isinstance(runner._train_loop, BaseLoop):
        return
    replaced = runner._load_from is not None and (
        runner._resume or not any(name.startswith('backbone') or 'backbone.'.startswith(name) for name in may_differ)
    )
    for backbone in runner.model.modules():
        if not isinstance(backbone, HRFormer):
            continue
        steps = [step for step in backbone.init_cfg if step['type'] is Pretrained]
        if replaced:
            backbone.init_cfg = [step for step in backbone.init_cfg if step not in steps]
            runner.logger.info(f'The backbone starts from {runner._load_from}, as the whole model does.')
        elif not steps:
            runner.logger.info('The backbone starts from random weights: its init_cfg names no checkpoint.')
        else:
            Pretrained(steps[-1]['checkpoint']).locate()  # loading it writes to the log


def drop_code(checkpoint: Mapping[str, Any]) -> None:
    """Remove `meta['config']`, whose text mmengine would execute as Python when it resumes."""
    if isinstance(checkpoint, Mapping) and isinstance(checkpoint.get('meta'), dict):
        checkpoint['meta'].pop('config', None)


def prepare_weights(runner: Runner, checkpoint: Any, may_differ: tuple[str, ...]) -> None:
    """Adapt the weights of a checkpoint to the model and check them before they are loaded.

    The weights of a resumed checkpoint are not adapted.

    Args:
        runner (Runner): Runner that loads the checkpoint.
        checkpoint (Any): Content of the checkpoint, whose 'state_dict' is replaced.
        may_differ (tuple[str, ...]): See :class:`Safeguard`.

    Raises:
        ValueError: If the checkpoint contains no weights, other objects, or weights that do not fit.
    """
    source = runner._load_from
    state = find_tensors(checkpoint, source)
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    model = model.module if isinstance(model, BaseTTAModel) else model
    own = model.state_dict()
    if runner._resume:
        check_fit(source, state, own)
        return
    try:
        state = fit_weights(model, state, source, may_differ=may_differ)
    except ValueError as error:
        raise ValueError(
            f'{error}. To load only the weights that fit and train the others, name the others, for example '
            "default_hooks.safeguard.may_differ=['decode_head.conv_seg']"
        ) from None
    fitting = {name: state[name] for name, value in own.items() if name in state and state[name].shape == value.shape}
    if len(fitting) < len(own):
        runner.logger.warning(
            f'{source}: {len(fitting)} of the {len(own)} weights of the model fit and are loaded; '
            f'may_differ={list(may_differ)} leaves the others at their initial values'
        )
    checkpoint['state_dict'] = fitting


def _read(path: Path, resume: bool) -> Any:
    checkpoint = read_checkpoint(path)
    if resume:
        meta = checkpoint.get('meta') if isinstance(checkpoint, Mapping) else None
        missing = [
            f'meta.{name}'
            for name in ('epoch', 'iter')
            if not isinstance(meta, Mapping) or not isinstance(meta.get(name), int)
        ]
        missing += [name for name in ('message_hub', 'optimizer') if name not in (checkpoint or ())]
        if missing:
            raise ValueError(
                f'{path} cannot be resumed, because it lacks {", ".join(missing)}: resume a checkpoint that a training '
                'wrote, or load only the weights with load_from and without --resume'
            )
    return checkpoint


def _candidates(folder: Path, work_dir: Path) -> list[Path]:
    """Return the checkpoints within a folder: first the one that the pointer names, then the newest."""
    named = [path for path in folder.glob('*.pth') if re.fullmatch(r'(iter|epoch)_\d+', path.stem)]
    named.sort(key=lambda path: (path.stat().st_mtime_ns, int(path.stem.split('_')[1])), reverse=True)
    pointer = work_dir / POINTER
    if pointer.is_file():
        # The pointer holds an absolute path. If the folder is a copy, this is a path in the original folder.
        name = os.path.basename(pointer.read_text(errors='replace').strip())
        first = folder / name
        if name.strip('.') and first.exists():
            return [first] + [path for path in named if path != first]
    return named
