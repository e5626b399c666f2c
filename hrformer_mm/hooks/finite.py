"""Checks that losses and weights are finite."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import torch
from mmengine.runner import Runner

_SHOWN = 8  # number of names in a message


def check_loss(runner: Runner, data_batch: Any, outputs: Mapping[str, Any] | None) -> None:
    """Check that all losses are finite.

    Overflowing fp16 gradients are not an error, because the gradient scaler skips the step. Therefore this function
    checks the losses before they are scaled.

    Raises:
        FloatingPointError: If a loss is NaN or infinite. The message names the iteration, the losses and the files of
            the batch.
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
        + f'. The batch: {_files(data_batch)}. Earlier checkpoints are not affected. Check these files and '
        'their labels. If they are correct, lower the learning rate, clip gradients (optim_wrapper.clip_grad), or '
        'train without mixed precision. Then continue with --resume',
    )


def check_weights(runner: Runner, checkpoint: Mapping[str, Any]) -> None:
    """Check that all weights of a checkpoint are finite before it is saved.

    Raises:
        FloatingPointError: If a weight is NaN or infinite. The message names the first weights.
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
            f'{"; ".join(bad[:_SHOWN])}{"; …" if len(bad) > _SHOWN else ""}. The loss was finite, but a gradient was '
            'not. Lower the learning rate or clip gradients (optim_wrapper.clip_grad), then continue with --resume',
        )


def _stop(runner: Runner, reason: str) -> NoReturn:
    """Log the reason and raise it; the exception alone would not appear in the log file."""
    message = f'iteration {runner.iter + 1}: {reason}'
    runner.logger.error(message)
    raise FloatingPointError(message)


def _files(data_batch: Any) -> str:
    samples = data_batch.get('data_samples') if isinstance(data_batch, Mapping) else None
    if not isinstance(samples, Iterable):
        return 'its files are unknown'
    paths = [str(getattr(sample, 'metainfo', {}).get('img_path', 'unknown')) for sample in samples]
    return ', '.join(paths) if paths else 'its files are unknown'
