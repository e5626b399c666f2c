"""What is loaded is whole, runs no code, and fits the model."""

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
    """Read what the runner is about to load, and set `--resume` on the newest good checkpoint of a folder.

    Returns:
        Any: The checkpoint; None where nothing is loaded, or what only the runner's own loader reads: DeepSpeed's
            folders, and what is not local.

    Raises:
        FileNotFoundError, ValueError: If the checkpoint that was asked for cannot be used, or none of the folder's can.
    """
    if runner._has_loaded or (runner._load_from is None and not runner._resume):
        return None
    if runner._load_from is not None:
        source = runner._load_from = locate(os.path.expanduser(str(runner._load_from)))
        return None if '://' in source or os.path.isdir(source) else _read(source, resume=runner._resume)
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
            + '. To start again, choose another work_dir or leave --resume out'
        )
    runner.logger.warning(f'{folder} holds no checkpoint: the training starts at its beginning')
    runner._resume = False
    return None


def prepare_start(runner: Runner, may_differ: tuple[str, ...]) -> None:
    """Fetch what the backbones of a training start from, and log it; a checkpoint of the whole model replaces it.

    Raises:
        OSError, ValueError: If it cannot be fetched.
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
            Pretrained(steps[-1]['checkpoint']).locate()  # it logs when it is loaded


def drop_code(checkpoint: Mapping[str, Any]) -> None:
    """Take out `meta['config']`: where it is there, mmengine runs its text as Python on resume."""
    if isinstance(checkpoint, Mapping) and isinstance(checkpoint.get('meta'), dict):
        checkpoint['meta'].pop('config', None)


def prepare_weights(runner: Runner, checkpoint: Any, may_differ: tuple[str, ...]) -> None:
    """Adapt a checkpoint's weights to the model and check them before they are loaded; a resumed one must fit as it is.

    Raises:
        ValueError: If it holds no weights, something else among them, or weights that do not fit.
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
            f'{error}. To load what fits and train the rest, name it: default_hooks.safeguard.may_differ='
            "['decode_head.conv_seg']"
        ) from None
    fitting = {name: state[name] for name, value in own.items() if name in state and state[name].shape == value.shape}
    if len(fitting) < len(own):
        runner.logger.warning(
            f'{source}: {len(fitting)} of the {len(own)} weights of the model fit and are loaded; '
            f'may_differ={list(may_differ)} leaves the others at their initial values'
        )
    checkpoint['state_dict'] = fitting


def _read(path: os.PathLike, resume: bool) -> Any:
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
                f'{path} cannot be resumed: it lacks {", ".join(missing)}. Resume a checkpoint that a '
                'training wrote; to start from its weights, use load_from without resume'
            )
    return checkpoint


def _candidates(folder: Path, work_dir: Path) -> list[Path]:
    """The folder's checkpoints, first the one that the pointer names, then the newest; never a path out of it."""
    named = [path for path in folder.glob('*.pth') if re.fullmatch(r'(iter|epoch)_\d+\.pth', path.name)]
    named.sort(key=lambda path: (path.stat().st_mtime_ns, int(re.search(r'\d+', path.name)[0])), reverse=True)
    pointer = work_dir / POINTER
    if pointer.is_file():
        # It holds a whole path, which may be that of the folder that this one was copied from.
        name = os.path.basename(pointer.read_text(errors='replace').strip())
        first = folder / name
        if name.strip('.') and first.exists():
            return [first] + [path for path in named if path != first]
    return named
