"""Losses and weights must be finite."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import torch
from mmengine.runner import Runner

_SHOWN = 8


def check_loss(runner: Runner, data_batch: Any, outputs: Mapping[str, Any] | None) -> None:
    """Stop where a loss is NaN or infinite.

    The loss is judged before a gradient scaler sees it: that fp16 gradients overflow, and their step is skipped, is no
    reason to stop.

    Raises:
        FloatingPointError: With the iteration, the losses and the files of the batch.
    """
    losses = {
        name: float(value.detach())
        for name, value in (outputs or {}).items()
        if 'loss' in name and isinstance(value, torch.Tensor) and value.numel() == 1
    }
    bad = {name: value for name, value in losses.items() if not math.isfinite(value)}
    if not bad:
        return
    terms = {name: value for name, value in bad.items() if name != 'loss'} or bad  # 'loss' is the sum of the terms
    _stop(
        runner,
        ', '.join(f'{name} is {value}' for name, value in terms.items())
        + f'. The batch: {_files(data_batch)}. Checkpoints that were saved before are good. Look at these files '
        'and their labels; where they are right, lower the learning rate, clip gradients (optim_wrapper.clip_grad), or '
        'train without mixed precision; then go on with --resume',
    )


def check_weights(runner: Runner, checkpoint: Mapping[str, Any]) -> None:
    """Refuse to save weights that are not finite.

    Raises:
        FloatingPointError: With the first of their names.
    """
    bad = [
        name
        for name, value in checkpoint['state_dict'].items()
        if isinstance(value, torch.Tensor) and value.is_floating_point() and not value.isfinite().all()
    ]
    if bad:
        _stop(
            runner,
            f'{len(bad)} weights hold NaN or infinity and are not saved: '
            f'{"; ".join(bad[:_SHOWN])}{"; …" if len(bad) > _SHOWN else ""}. The loss was finite: a gradient was not. '
            'Lower the learning rate or clip gradients (optim_wrapper.clip_grad), then go on with --resume',
        )


def _stop(runner: Runner, reason: str) -> NoReturn:
    """Say why in the log too: what is raised is on the screen alone."""
    message = f'iteration {runner.iter + 1}: {reason}'
    runner.logger.error(message)
    raise FloatingPointError(message)


def _files(data_batch: Any) -> str:
    samples = data_batch.get('data_samples') if isinstance(data_batch, Mapping) else None
    if not isinstance(samples, Iterable):
        return 'its files are not known'
    paths = [str(getattr(sample, 'metainfo', {}).get('img_path', 'unknown')) for sample in samples]
    return ', '.join(paths) if paths else 'its files are not known'
