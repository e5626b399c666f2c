"""Compare the losses of two configs that start from the same weights and read the same batches.

python benchmarks/same_losses.py --help
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner, set_random_seed

import hrformer_mm  # noqa: F401  (repairs must precede the imports of the libraries)


class Losses(Hook):
    """Collects the loss of each iteration. Seeds the training after the model is built, which draws random numbers."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def before_train(self, runner: Runner) -> None:
        set_random_seed(0)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        self.values.append(outputs['loss'].item())


def save_initial_weights(config: Path, file: Path) -> None:
    """Save the initial weights of a training with a config."""
    cfg = Config.fromfile(config)
    init_default_scope(cfg.default_scope)
    set_random_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    torch.save(model.state_dict(), file)


def losses(
    config: Path, weights: Path, iterations: int, size: tuple[int, int] | None, double: bool, lr: float | None
) -> list[float]:
    """Return the losses of the first iterations of a training.

    Args:
        config (Path): A config of mmseg or mmpose.
        weights (Path): The initial weights. Logs are written next to them.
        iterations (int): Number of iterations.
        size (tuple[int, int], optional): Height and width of the crops, for segmentation. Default: the config's.
        double (bool): Train in float64.
        lr (float, optional): The learning rate. Default: the config's.
    """
    cfg = Config.fromfile(config)
    cfg.work_dir, cfg.load_from, cfg.randomness = str(weights.with_name(config.stem)), str(weights), dict(seed=0)
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=iterations)
    cfg.log_processor = dict(by_epoch=False)
    for split in ('val', 'test'):
        cfg[f'{split}_dataloader'] = cfg[f'{split}_cfg'] = cfg[f'{split}_evaluator'] = None
    cfg.default_hooks.checkpoint = None
    if lr:
        cfg.optim_wrapper.optimizer.lr = lr
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    if size:
        cfg.model.data_preprocessor.size = size
        for step in cfg.train_dataloader.dataset.pipeline:
            if step.type == 'RandomCrop':
                step.crop_size = size
    hook = Losses()
    runner = Runner.from_cfg(cfg)
    if double:
        runner.model.double()
        runner.model.backbone.register_forward_pre_hook(lambda module, args: (args[0].double(),))
    runner.register_hook(hook)
    runner.train()
    return hook.values


@click.command()
@click.argument('configs', nargs=2, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option('--iterations', type=click.IntRange(min=1), default=50, show_default=True)
@click.option(
    '--size',
    type=click.IntRange(min=1),
    nargs=2,
    metavar='HEIGHT WIDTH',
    help='Size of the crops, for segmentation. Default: that of the configs.',
)
@click.option('--lr', type=float, help="Learning rate. Default: the configs'.")
@click.option('--double', is_flag=True, help='Train in float64, for segmentation.')
@click.option(
    '--perturb', type=float, default=0.0, help='Relative perturbation of the initial weights of the second training.'
)
def main(
    configs: tuple[Path, Path],
    iterations: int,
    size: tuple[int, int] | None,
    lr: float | None,
    double: bool,
    perturb: float,
) -> None:
    """Print the losses of two CONFIGS, whose weights have the same names, and their largest relative difference.

    To see the effect of rounding alone, give the same config twice and --perturb 1e-7.
    """
    with TemporaryDirectory() as folder:
        files = Path(folder, 'first.pth'), Path(folder, 'second.pth')
        save_initial_weights(configs[0], files[0])
        state = torch.load(files[0])
        torch.save(
            {
                name: value * (1 + perturb * torch.randn(value.shape)) if value.is_floating_point() else value
                for name, value in state.items()
            },
            files[1],
        )
        first, second = (losses(*pair, iterations, size, double, lr) for pair in zip(configs, files))
    differences = [abs(a - b) / abs(b) for a, b in zip(first, second)]
    for number, values in enumerate(zip(first, second, differences), 1):
        click.echo('{:4} {:.8f} {:.8f}  {:.1e}'.format(number, *values))
    click.echo(f'largest relative difference: {max(differences):.1e}')


if __name__ == '__main__':
    main()
