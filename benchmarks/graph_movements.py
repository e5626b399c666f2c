"""Count the copies that OpenVINO makes only to move data in the exported HRFormer.

python benchmarks/graph_movements.py --help
"""

from collections import Counter

import click
import torch
from contenders import VARIANTS, mmpose_extra

from hrformer_mm import HRFormer, to_deploy
from hrformer_mm.deploy.blocks import DeployBlock
from hrformer_mm.deploy.openvino import import_openvino, openvino_model

MOVEMENTS = ('Transpose', 'Gather', 'Reorder')
OTHER_COPIES = ('Pad', 'Concat', 'Slice')


@click.command()
@click.option('--arch', type=click.Choice(list(VARIANTS)), default='base', show_default=True)
@click.option('--size', type=int, nargs=2, default=(256, 192), show_default=True, metavar='HEIGHT WIDTH')
@click.option(
    '--graph',
    type=click.Choice(['graph', 'deployment']),
    default='graph',
    show_default=True,
    help='The graph form, which is exported, or the unmodified deployment form.',
)
def main(arch: str, size: tuple[int, int], graph: str) -> None:
    """Count the transposes, gathers and reorders per block that OpenVINO executes."""
    ov = import_openvino()
    model = to_deploy(HRFormer(extra=mmpose_extra(arch)))
    images = torch.randn(1, 3, *size)
    blocks = sum(isinstance(module, DeployBlock) for module in model.modules())
    if graph == 'graph':
        converted = openvino_model(model, images)
    else:
        with torch.no_grad():
            program = torch.export.export(model, (images,), strict=False)
        converted = ov.convert_model(program, input=list(images.shape))
    compiled = ov.compile_model(converted, 'CPU', {'INFERENCE_PRECISION_HINT': 'f32', 'PERF_COUNT': True})
    request = compiled.create_infer_request()
    request.infer([images.numpy()])
    counts = Counter(node.node_type for node in request.get_profiling_info() if node.status == node.Status.EXECUTED)
    for name in (*MOVEMENTS, *OTHER_COPIES):
        click.echo(f'{name:10}{counts[name]:6}')
    click.echo(f'{", ".join(MOVEMENTS)}: {sum(counts[name] for name in MOVEMENTS) / blocks:.1f} per block')


if __name__ == '__main__':
    main()
