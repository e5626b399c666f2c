"""The command line: `hrformer-mm`, or `python -m hrformer_mm`."""

from importlib import import_module
from typing import Any

import click

from . import __version__
from .messages import filter_warnings

# Name: (module in `commands` with the click command `command`, the text in `--help`). The modules import torch, so each
# is imported only when its command runs.
COMMANDS = {
    'check-data': ('check_data.command', 'Find problems in the data sets of a config before training.'),
    'complexity': ('complexity', 'Count parameters and multiply-adds of models.'),
    'convert': ('convert', 'Convert released weights to the layout of this package.'),
    'doctor': ('doctor', 'Check the installation, and print a remedy for each problem.'),
    'explain': ('explain.command', 'Draw features, attention and receptive fields of a model on an image.'),
    'export': ('export.command', 'Export a model to ONNX, OpenVINO, torch.export or AOTInductor.'),
    'predict': ('predict.command', 'Run a model on images, videos or a camera.'),
    'report': ('report.command', 'Write an HTML report of a training or a test.'),
    'segfix': ('segfix', 'Refine label maps near boundaries.'),
    'synthesize': ('synthesize', 'Generate small data sets in the layouts of the real ones.'),
    'test': ('test.command', 'Compute the metrics of exported files, and compare them with the checkpoint.'),
    'weights': ('weights', 'List released weights, or download them by name.'),
    'zoo': ('zoo', 'List all models with counted and published figures.'),
}


class LazyGroup(click.Group):
    """A group that imports the module of a command when it runs, so that `--help` starts fast."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command, and ignore known harmless warnings of the stack."""
        filter_warnings()
        return super().main(*args, **kwargs)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        try:
            return import_module(f'hrformer_mm.commands.{COMMANDS[cmd_name][0]}').command
        except ModuleNotFoundError as error:
            raise click.ClickException(f"{cmd_name} requires {error.name}: pip install 'hrformer_mm[all]'") from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section('Commands'):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=LazyGroup, context_settings=dict(help_option_names=['-h', '--help'], max_content_width=110, show_default=True)
)
@click.version_option(__version__, prog_name='hrformer-mm')
def main() -> None:
    """HRFormer for OpenMMLab. Train and test with mim: mim train hrformer_mm NAME.py"""
