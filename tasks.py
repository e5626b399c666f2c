"""Set up, test and demonstrate hrformer_mm; needs one of Python 3.11 to 3.14 and the package index, nothing else.

    python tasks.py setup               make .venv/ with the pinned stack (a finished one is kept)
    python tasks.py test [pytest ...]   set up, then run pytest, with these arguments
    python tasks.py demo                set up, then run the demonstration
    python tasks.py zoo [name ...]      set up, then train and test every config, or these, for two iterations
    python tasks.py pythons             test and train on every Python from 3.11 to 3.14 that this machine has

Options, before the task: --cpu installs PyTorch's build for the CPU, --venv DIR uses another folder than .venv/.
uv installs the packages where it is installed, pip otherwise.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
UNFINISHED = 'unfinished'
SETUP_LOG = ROOT / 'work_dirs' / 'setup.log'
UV = shutil.which('uv')
DEMO = Path('work_dirs', 'demo')  # below ROOT, where the commands run
DEMO_LOGS = ROOT / DEMO / 'logs'

PYTHONS = ((3, 11), (3, 12), (3, 13), (3, 14))
# xtcocotools has no wheel for a Python newer than 3.11. Of that one's wheel only the modules in Python are used:
# hrformer_mm.compat puts pycocotools' extension in the place of its own.
XTCOCOTOOLS = 'xtcocotools==1.14.3'
# What `pip check` may report: what mmpose lists and never imports, and what building xtcocotools would need.
EXPECTED = re.compile(r'mmpose \S+ requires chumpy,|xtcocotools \S+ (requires cython,|is not supported)')
# Imports that break when something compiled does not fit, in a second or two.
CHECK_IMPORTS = 'import hrformer_mm, torchvision, cv2, xtcocotools.coco, mim'
CPU_INDEX = 'https://download.pytorch.org/whl/cpu'
INDEX_VARIABLES = ('PIP_EXTRA_INDEX_URL', 'PIP_INDEX_URL', 'UV_EXTRA_INDEX_URL', 'UV_INDEX')

# The demonstration: (name, command). Programs are found in .venv/bin first.
DEMO_DATA = ('hrformer-mm', 'synthesize', DEMO / 'data', '--only')
DEMO_SEG = 'configs/demo/ocr_hrformer-t_synthetic.py'
DEMO_POSE = 'configs/demo/td-hm_hrformer-t_synthetic.py'
# The networks as training starts with them, for comparison: pairs of a config and the checkpoint to write.
DEMO_UNTRAINED = """
import sys
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

for source, destination in zip(sys.argv[1::2], sys.argv[2::2]):
    config = Config.fromfile(source)
    init_default_scope(config.default_scope)
    model = MODELS.build(config.model)
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict()), destination)
"""


def demo_test(library: str, config: str, checkpoint: str, folder: str, *options: object) -> Sequence[object]:
    return ('mim', 'test', library, config, '-C', DEMO / checkpoint, '--work-dir', DEMO / folder, *options)


DEMO_STEPS = (
    ('make street scenes', (*DEMO_DATA, 'cityscapes', '--train', 96, '--size', 512, 256)),
    ('make pictures of people', (*DEMO_DATA, 'coco', '--train', 128)),
    (
        'keep the untrained networks',
        ('python', '-W', 'ignore', '-c', DEMO_UNTRAINED, DEMO_SEG, DEMO / 'seg.pth', DEMO_POSE, DEMO / 'pose.pth'),
    ),
    ('train HRFormer-T + OCR', ('mim', 'train', 'mmseg', DEMO_SEG, '--gpus', 0, '--work-dir', DEMO / 'seg')),
    ('train HRFormer-T for poses', ('mim', 'train', 'mmpose', DEMO_POSE, '--gpus', 0, '--work-dir', DEMO / 'pose')),
    ('test the untrained segmentation', demo_test('mmseg', DEMO_SEG, 'seg.pth', 'seg_untrained')),
    ('test the untrained poses', demo_test('mmpose', DEMO_POSE, 'pose.pth', 'pose_untrained')),
    (
        'test the segmentation',
        demo_test('mmseg', DEMO_SEG, 'seg/iter_520.pth', 'seg_test', '--show-dir', DEMO / 'pictures' / 'seg'),
    ),
    # mmpose puts a relative folder for pictures below the work folder, for each batch again.
    (
        'test the poses',
        demo_test(
            'mmpose', DEMO_POSE, 'pose/epoch_6.pth', 'pose_test', '--show-dir', ROOT / DEMO / 'pictures' / 'pose'
        ),
    ),
)
# name in the summary: (prefix of the folders above, score in the test's report, what it is divided by)
DEMO_SCORES = dict(mIoU=('seg', 'mIoU', 100), AP=('pose', 'coco/AP', 1))
DEMO_FACTOR = 3  # a trained network scores at least so many times what the untrained one does
# Of a launcher's many lines these go to the screen; all of them go to the step's log.
DEMO_SHOW = re.compile(r'(Iter|Epoch)\((train|val|test)\)|Saving checkpoint|Error|WARNING.*(NaN|nan)')
DEMO_NOISE = re.compile(r'^.* - mmengine - INFO - |(base_lr|data_time): \S+ *')  # left out of these, on the screen

START = time.monotonic()


class Failure(Exception):
    """Something the user can act on, with the exit status of what failed."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


def say(text: str) -> None:
    print(f'[{time.monotonic() - START:4.0f} s] {text}', flush=True)


def run(command: Sequence[str], log: Path, show: Callable[[str], bool]) -> None:
    """Run a command at the root with .venv first in PATH; its output is appended to log, and printed where asked."""
    log.parent.mkdir(parents=True, exist_ok=True)
    tail = deque(maxlen=30)
    with log.open('a', encoding='utf-8') as file:
        file.write(f'$ {shlex.join(map(str, command))}\n')
        with subprocess.Popen(
            list(map(str, command)),
            cwd=ROOT,
            env=environment(),
            text=True,
            errors='replace',
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            for line in process.stdout:
                file.write(line)
                tail.append(line)
                if show(line):
                    print(f'         {DEMO_NOISE.sub("", line).rstrip()[:110]}', flush=True)
    if process.returncode != 0:
        raise Failure(
            f'exit status {process.returncode} of: {shlex.join(map(str, command))}\nIts last lines, all are in {log}:\n'
            f'{"".join(tail)}',
            process.returncode if process.returncode > 0 else 128 - process.returncode,
        )


def environment() -> dict[str, str]:
    env = dict(os.environ)
    env['PATH'] = os.pathsep.join([str(PYTHON.parent), env.get('PATH', os.defpath)])
    env['VIRTUAL_ENV'] = str(VENV)
    env['PYTHONUNBUFFERED'] = '1'  # progress appears when it is made
    env.pop('PYTHONHOME', None)
    return env


# ---- set-up


def use_venv(folder: Path) -> None:
    global VENV, PYTHON, STAMP
    VENV = folder
    PYTHON = VENV / 'bin' / 'python'
    STAMP = VENV / 'setup.stamp'  # UNFINISHED while packages are written; the fingerprint after a whole set-up


def check_machine() -> None:
    for module in ('venv',) if UV else ('venv', 'ensurepip'):
        if importlib.util.find_spec(module) is None:
            raise Failure(
                f'{sys.executable} lacks the module {module}. On Debian or Ubuntu: '
                f'apt install python3.{sys.version_info[1]}-venv'
            )


def fingerprint(cpu: bool) -> str:
    """Changes when the set-up has to be done again."""
    files = ('requirements.txt', 'setup.py', 'pyproject.toml')
    content = b'\0'.join((ROOT / name).read_bytes() for name in files)
    return hashlib.sha256(content + f'{VENV} {XTCOCOTOOLS} {cpu}'.encode()).hexdigest()


def venv_works() -> bool:
    """False for a half-made venv, one of another Python, and one copied from another folder."""
    if STAMP.exists() and STAMP.read_text() == UNFINISHED:
        return False  # killed while packages were written
    try:
        made_in = re.search('^command = .* (.*)$', (VENV / 'pyvenv.cfg').read_text(), re.MULTILINE)
        result = subprocess.run(
            [PYTHON, '-c', 'import sys; print(*sys.version_info[:2])'], capture_output=True, text=True
        )
    except OSError:
        return False
    return bool(made_in) and made_in[1] == str(VENV) and result.stdout.split() == [str(n) for n in sys.version_info[:2]]


def make_venv() -> None:
    if not venv_works():
        if Path(sys.prefix) == VENV:
            raise Failure(f'{VENV} is broken and cannot repair itself. Run this with a Python outside of it.')
        pip = ['--without-pip'] if UV else []
        run([sys.executable, '-m', 'venv', '--clear', *pip, VENV], SETUP_LOG, lambda line: False)


def is_progress(line: str) -> bool:
    """The downloads of 10 MB and more, and how it ends; pip's and uv's lines."""
    big = r'Downloading .*\((\d{2,}\.\d ?Mi?B|.* Gi?B)\)'
    return bool(re.match(rf'\s*({big}|Installing collected|Successfully installed|Installed \d|error|ERROR)', line))


def install(*args: object) -> None:
    """Install packages without what they require: requirements.txt names all. Only the package itself is built."""
    if UV:
        tool = [UV, 'pip', 'install', '--no-config', '--python', PYTHON]
    else:
        tool = [PYTHON, '-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--progress-bar', 'off']
    STAMP.write_text(UNFINISHED)
    try:
        run([*tool, '--no-deps', '--no-build-isolation', *args], SETUP_LOG, is_progress)
    except Failure as failure:
        if failure.status < 128:
            STAMP.unlink()  # it ended by itself, so the venv is consistent and the next set-up goes on from here
        raise
    STAMP.unlink()


def install_requirements(cpu: bool) -> None:
    lines = (ROOT / 'requirements.txt').read_text(encoding='utf-8').splitlines()
    options: list[str] = []
    if cpu:  # without what only the build for CUDA requires
        lines = [
            re.sub(r'^(torch|torchvision)==(\S+)', r'\1==\2+cpu', line)
            for line in lines
            if not re.match('nvidia-|cuda-|triton=', line)
        ]
        if not index_for_cpu():
            options = ['--extra-index-url', CPU_INDEX]
        if UV:
            options += ['--index-strategy', 'unsafe-best-match']  # as pip does: the pin, in whichever index has it
    locked = VENV / 'requirements.txt'
    locked.write_text('\n'.join(lines), encoding='utf-8')
    install('--only-binary', ':all:', *options, '-r', locked)


def install_xtcocotools() -> None:
    where = ['--python-version', '3.11', '--only-binary', ':all:']
    if not UV:
        site = subprocess.check_output(
            [PYTHON, '-c', 'import sysconfig; print(sysconfig.get_path("purelib"))'], text=True
        )
        where += ['--upgrade', '--target', site.strip()]
    install(*where, XTCOCOTOOLS)


def index_for_cpu() -> bool:
    """Whether a variable of pip or uv names an index of PyTorch's builds for the CPU."""
    return any('/cpu' in os.environ.get(name, '') for name in INDEX_VARIABLES)


def check_stack() -> None:
    result = subprocess.run([PYTHON, '-m', 'pip', 'check'], capture_output=True, text=True)
    problems = [
        line
        for line in (result.stdout + result.stderr).splitlines()
        if not EXPECTED.match(line) and not line.startswith('No broken requirements')
    ]
    if problems:
        raise Failure('pip check: ' + '\n'.join(problems))
    run([PYTHON, '-W', 'ignore', '-c', CHECK_IMPORTS], SETUP_LOG, lambda line: False)


def setup(cpu: bool) -> None:
    # Without --cpu, a finished set-up of either kind is kept.
    finished = [fingerprint(True)] if cpu else [fingerprint(False), fingerprint(True)]
    if STAMP.exists() and STAMP.read_text() in finished and venv_works():
        say(f'set-up: {VENV.name} is finished and up to date')
        return
    kind = (
        f'for the CPU, from {"your index" if index_for_cpu() else CPU_INDEX}'
        if cpu
        else ('for CUDA, about 5 GB; --cpu installs the one for the CPU, 1 GB')
    )
    steps = (
        ('check Python', check_machine),
        (f'make {VENV.name}', make_venv),
        (f'install requirements.txt with {"uv" if UV else "pip"}; PyTorch {kind}', lambda: install_requirements(cpu)),
        ('install xtcocotools, without its compiled part', install_xtcocotools),
        ('install hrformer_mm, editable', lambda: install('-e', ROOT)),
        ('check the stack', check_stack),
    )
    SETUP_LOG.unlink(missing_ok=True)
    for number, (name, action) in enumerate(steps, start=1):
        say(f'set-up {number}/{len(steps)}: {name}')
        action()
    STAMP.write_text(fingerprint(cpu))
    say('set-up: done')


# ---- test and demonstration


def test(args: Sequence[str]) -> None:
    sys.stdout.flush()
    os.chdir(ROOT)
    os.execve(PYTHON, [str(PYTHON), '-m', 'pytest', *args], environment())  # pytest gets signals and gives its status


def zoo(args: Sequence[str]) -> None:
    sys.stdout.flush()
    os.chdir(ROOT)
    os.execve(PYTHON, [str(PYTHON), '-W', 'ignore', 'tests/zoo_runs.py', *args], environment())


def demo() -> None:
    for folder in (ROOT / DEMO).glob('*'):
        if folder.name != 'data' and folder.is_dir():  # the last demonstration's
            shutil.rmtree(folder)
    for number, (name, command) in enumerate(DEMO_STEPS, start=1):
        say(f'demo {number}/{len(DEMO_STEPS)}: {name}')
        log = DEMO_LOGS / f'{number:02d}.log'
        all_lines = command[0] == 'hrformer-mm'
        try:
            run(command, log, lambda line: all_lines or bool(DEMO_SHOW.search(line)))
        except Failure as error:
            raise Failure(f'demo step {number}, {name}: {error}', error.status) from error
    scores = {name: (demo_score(name, 'test'), demo_score(name, 'untrained')) for name in DEMO_SCORES}
    say(f'demo: done; pictures are in {DEMO / "pictures"}, logs in {DEMO_LOGS.relative_to(ROOT)}')
    say('   '.join(f'{name} {trained:.3f} (untrained {before:.3f})' for name, (trained, before) in scores.items()))
    for name, (trained, before) in scores.items():
        if not trained > DEMO_FACTOR * before:  # also when it is not a number
            raise Failure(f'{name} is {trained:.3f}, which is not {DEMO_FACTOR} times the {before:.3f} before training')


def demo_score(name: str, run_of: str) -> float:
    prefix, key, divisor = DEMO_SCORES[name]
    (report,) = (ROOT / DEMO / f'{prefix}_{run_of}').glob('*/*.json')  # mmengine names both after the time
    return json.loads(report.read_text())[key] / divisor


def main(args: Sequence[str]) -> None:
    if sys.version_info[:2] not in PYTHONS:
        raise Failure(
            f'the stack is pinned for Python 3.11 to 3.14, and this is {sys.version.split()[0]} '
            f'({sys.executable}). Run this with one of those'
        )
    parser = argparse.ArgumentParser(usage=__doc__, add_help=False)
    parser.add_argument('--cpu', action='store_true')
    parser.add_argument('--venv', type=Path, default=ROOT / '.venv')
    parser.add_argument('task', choices=('setup', 'test', 'demo', 'zoo', 'pythons'))
    parser.add_argument('rest', nargs=argparse.REMAINDER)
    options = parser.parse_args(args)
    if options.rest and options.task not in ('test', 'zoo'):
        parser.error(f'{options.task} takes no arguments, and got {shlex.join(options.rest)}')
    cpu = options.cpu or index_for_cpu()
    use_venv(options.venv.resolve())
    if options.task == 'pythons':
        os.execv(sys.executable, [sys.executable, str(ROOT / 'tests' / 'pythons.py'), *(['--cpu'] if cpu else [])])
    setup(cpu)
    say(f'in your shell: source {os.path.relpath(VENV)}/bin/activate, then hrformer-mm --help, mim train mmseg CONFIG')
    if options.task == 'test':
        test(options.rest)
    elif options.task == 'demo':
        demo()
        say(f'predict on an image of yours: hrformer-mm predict {DEMO_SEG} {DEMO / "seg/iter_520.pth"} IMAGE')
    elif options.task == 'zoo':
        zoo(options.rest)


if __name__ == '__main__':
    try:
        main(sys.argv[1:])
    except Failure as failure:
        print(f'tasks.py: {failure}', file=sys.stderr)
        sys.exit(failure.status)
    except KeyboardInterrupt:
        sys.exit(130)
