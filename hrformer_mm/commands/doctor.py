"""Report the installed packages, the known problems of the stack that apply, and the command that cures each.

This module imports no library of the stack. Imports are tested in another process.
"""

import json
import re
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata, util
from pathlib import Path

import click

REQUIRED = ('torch', 'numpy', 'mmengine')
OPENCV = ('opencv-python', 'opencv-python-headless', 'opencv-contrib-python', 'opencv-contrib-python-headless')
HOSTS = ('mmsegmentation', 'mmpose', 'mmpretrain', 'mmdet')
FORKS = ('onedl-mmengine', 'onedl-mmcv', 'onedl-mmsegmentation', 'onedl-mmpretrain', 'onedl-mmdetection', 'onedl-mim')
OTHERS = (
    'xtcocotools pycocotools ftfy regex openmim openxlab setuptools transformers onnx onnxscript onnxruntime'.split()
)
PACKAGES = ('torch', 'torchvision', 'numpy', *OPENCV, 'mmengine', 'mmcv', 'mmcv-lite', *HOSTS, *FORKS, *OTHERS)
# Every Python can use the modules of xtcocotools' wheel for Python 3.11, with pycocotools' compiled extension.
TO_SITE = (
    'pip install --no-deps --only-binary :all: --python-version 3.11 --upgrade --target '
    f'{sysconfig.get_path("purelib")} '
)
MASKS = (
    'import hrformer_mm, numpy; from xtcocotools.mask import area, encode; area(encode(numpy.zeros((2, 2), "u1", "F")))'
)
THREADS = 'import sys, torch; from hrformer_mm.threads import crowded; sys.exit(crowded(torch.get_num_threads()))'


@dataclass(frozen=True)
class Trap:
    """A problem in one line, and the command that cures it."""

    name: str
    what: str
    cure: str


@dataclass
class Stack:
    """The environment. `probe` runs Python code in another process; returns None, or the last line of its error."""

    versions: dict[str, str]
    modules: set[str]
    probe: Callable[[str], str | None]
    has_gpu: bool = False
    torchvision_wants: str | None = None

    def has(self, *names: str) -> bool:
        return all(name in self.versions for name in names)

    def at_least(self, name: str, *wanted: int) -> bool:
        return self.has(name) and tuple(map(int, re.findall(r'\d+', self.versions[name])[: len(wanted)])) >= wanted


def this_stack() -> Stack:
    """Inspect the environment of this Python."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            pass
    spec = util.find_spec('pkg_resources')
    modules = {spec.name} if spec else set()  # pip's copy, which hrformer_mm.compat lends, keeps its own name
    wants = None
    if 'torchvision' in versions:
        found = [re.fullmatch(r'torch\s*\(?==\s*([\d.]+)\)?', line) for line in metadata.requires('torchvision') or ()]
        wants = next((match[1] for match in found if match), None)
    return Stack(versions, modules, _probe, Path('/proc/driver/nvidia/version').exists(), wants)


def _probe(code: str) -> str | None:
    click.echo(f'Trying: {code}', err=True)  # an import can take seconds
    try:
        done = subprocess.run([sys.executable, '-W', 'ignore', '-c', code], capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        return 'it takes more than two minutes'
    if not done.returncode:
        return None
    return (done.stderr.strip().splitlines() or [f'exit status {done.returncode}'])[-1]


def find_traps(stack: Stack) -> Iterator[Trap]:
    """Yield every problem that applies to a stack."""
    if forks := [name for name in FORKS if stack.has(name)]:
        yield Trap(
            'onedl',
            f'{", ".join(forks)}: with these forks, this package can be imported, but not trained: configs require '
            'the original libraries',
            f'pip uninstall -y {" ".join(forks)} && pip install --force-reinstall '
            "--no-deps mmengine 'mmcv-lite==2.1.0' mmsegmentation mmpretrain",
        )
        return
    for name in REQUIRED:
        if not stack.has(name):
            yield Trap(name, f'{name} is not installed', f'pip install {name}')
    yield from _torch(stack)
    yield from _mmcv(stack)
    if not any(map(stack.has, HOSTS)):
        yield Trap(
            'host',
            'none of mmsegmentation, mmpose, mmpretrain and mmdet is installed: the backbone works, its tasks do not',
            "pip install 'hrformer_mm[seg]'",
        )
    missing = [name for name in ('ftfy', 'regex') if not stack.has(name)]
    if stack.has('mmsegmentation') and missing:
        yield Trap(
            'ftfy',
            f'mmsegmentation imports {" and ".join(missing)} without declaring it',
            f'pip install {" ".join(missing)}',
        )
    if stack.has('mmpose') and not stack.has('mmdet'):
        yield Trap('mmdet', 'mmpose imports mmdet without declaring it', "pip install 'mmdet>=3.3'")
    if stack.has('mmpretrain') and stack.at_least('transformers', 4, 52):
        yield Trap(
            'transformers',
            f"transformers is {stack.versions['transformers']}, with which mmpretrain's models do not import: "
            'they use names that transformers 4.52 removed',
            "pip install 'transformers<4.52'",
        )
    if stack.has('openxlab'):
        yield Trap(
            'openxlab',
            f'openxlab {stack.versions["openxlab"]} pins setuptools, requests, rich and tqdm to '
            'versions that clash with torch',
            "pip uninstall -y openxlab && pip install 'openmim==0.3.8'",
        )
    if 'pkg_resources' not in stack.modules and (stack.has('openmim') or stack.has('mmengine') and not stack.modules):
        yield Trap(
            'setuptools',
            'mim does not start: it imports pkg_resources, which setuptools 82 removed. mmengine imports '
            f'{"the copy in pip" if stack.modules else "it too, and pip has no copy"}',
            "pip install 'setuptools>=77,<80.9'",
        )
    if stack.has('mmpose') and not stack.has('xtcocotools'):
        yield Trap('xtcocotools', 'mmpose requires xtcocotools', f'{TO_SITE}xtcocotools')
    elif stack.has('xtcocotools') and (error := stack.probe(MASKS)):
        yield Trap(
            'xtcocotools',
            f"xtcocotools' mask functions, which use pycocotools, fail ({error})",
            'pip install --upgrade pycocotools',
        )
    opencv = [name for name in OPENCV if stack.has(name)]
    if not opencv:
        yield Trap('opencv', 'OpenCV is not installed', 'pip install opencv-python')
    elif error := stack.probe('import cv2'):
        yield Trap(
            'opencv',
            f'OpenCV cannot be imported ({error})',
            f'pip uninstall -y {" ".join(opencv)} && pip install opencv-python'
            f'{"-headless" if "cannot open shared object" in error else ""}',
        )


def _torch(stack: Stack) -> Iterator[Trap]:
    if not stack.has('torch'):
        return
    version = stack.versions['torch']
    if not stack.at_least('torch', 2, 4):
        yield Trap(
            'torch',
            f"torch is {version}, but must be 2.4 or newer: older versions cannot read mmengine's checkpoints safely",
            "pip install --upgrade 'torch>=2.4'",
        )
    if error := stack.probe('import torch'):
        yield Trap('torch', f'torch cannot be imported ({error})', f"pip install --force-reinstall 'torch=={version}'")
        return
    if stack.has('torchvision'):
        wanted = stack.torchvision_wants
        if wanted and wanted != version.split('+')[0]:
            yield Trap(
                'torchvision',
                f'torchvision {stack.versions["torchvision"]} is for torch {wanted}, but torch is {version}',
                f"pip install --upgrade 'torch=={version.split('+')[0]}' torchvision",
            )
        elif error := stack.probe('import torchvision'):
            yield Trap(
                'torchvision',
                f'torchvision cannot be imported; its build must match torch {version} ({error})',
                'pip install --force-reinstall torch torchvision',
            )
    if stack.has_gpu and stack.probe('import torch; assert torch.cuda.is_available()'):
        kind = 'is a build for the CPU' if '+cpu' in version else 'does not work with the driver'
        yield Trap(
            'cuda',
            f'an NVIDIA driver is installed, but torch {version} {kind}',
            'nvidia-smi  # its CUDA version, then: pip install --force-reinstall torch torchvision '
            '--index-url https://download.pytorch.org/whl/cu126',
        )


def _mmcv(stack: Stack) -> Iterator[Trap]:
    both = [name for name in ('mmcv', 'mmcv-lite') if stack.has(name)]
    if not both:
        yield Trap('mmcv', 'neither mmcv nor mmcv-lite is installed', "pip install 'mmcv-lite==2.1.0'")
    if len(both) == 2:
        yield Trap(
            'mmcv',
            'mmcv and mmcv-lite are both installed, in the same folder',
            "pip uninstall -y mmcv mmcv-lite && pip install 'mmcv-lite==2.1.0'",
        )
    elif both and stack.at_least(both[0], 2, 2) and (stack.has('mmsegmentation') or stack.has('mmdet')):
        yield Trap(
            'mmcv',
            f'{both[0]} is {stack.versions[both[0]]}, but mmsegmentation and mmdet reject 2.2 and newer',
            f"pip install '{both[0]}==2.1.0'",
        )
    if both == ['mmcv'] and (error := stack.probe('import mmcv._ext')):
        yield Trap(
            'mmcv',
            f"mmcv's compiled operators cannot be imported ({error})",
            "pip uninstall -y mmcv && pip install 'mmcv-lite==2.1.0'",
        )


@click.command('doctor')
@click.option('--json', 'as_json', is_flag=True, help='Print JSON.')
def command(as_json: bool) -> None:
    """Report the installed packages, the known problems that apply, and the command that cures each.

    The exit code is 0 if there are no problems. The command works even if a library cannot be imported.
    """
    stack = this_stack()
    python, traps = sys.version.split()[0], list(find_traps(stack))
    if as_json:
        report = dict(python=python, versions=stack.versions, problems=[asdict(trap) for trap in traps])
        click.echo(json.dumps(report, indent=2))
    else:
        for name, version in (('python', python), *stack.versions.items()):
            click.echo(f'{name:18}{version}')
        for trap in traps:
            click.echo(f'\n{trap.what}\n    {trap.cure}')
        if 'torch' not in {trap.name for trap in traps} and (advice := stack.probe(THREADS)):
            click.echo(f'\nNote: {advice}.')
        click.echo(f'\n{len(traps)} problems.' if traps else '\nAll is well.')
    sys.exit(1 if traps else 0)
