"""Set up, test and demonstrate hrformer_mm; needs Python 3.11, a C compiler and the package index, nothing else.

    python3.11 tasks.py setup               make .venv/ with the pinned stack (a finished one is kept)
    python3.11 tasks.py test [pytest ...]   set up, then run pytest, with these arguments
    python3.11 tasks.py demo                set up, then run the demonstration
    python3.11 tasks.py zoo [name ...]      set up, then train and test every config, or these, for two iterations
"""
import hashlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from collections import deque
from pathlib import Path
from typing import Callable, Dict, Sequence

ROOT = Path(__file__).resolve().parent
VENV = ROOT / '.venv'
PYTHON = VENV / 'bin' / 'python'
STAMP = VENV / 'setup.stamp'  # holds UNFINISHED while pip writes, and the fingerprint after a whole set-up
UNFINISHED = 'unfinished'
SETUP_LOG = ROOT / 'work_dirs' / 'setup.log'
DEMO = Path('work_dirs', 'demo')  # below ROOT, where the commands run
DEMO_LOGS = ROOT / DEMO / 'logs'

# Needed before the rest, since chumpy and xtcocotools are built with them. Their pins stand in requirements.txt.
BUILD_TOOLS = ('setuptools', 'wheel', 'cython', 'numpy')
# Imports that break when something compiled does not fit, in a second or two.
CHECK_IMPORTS = 'import torchvision, cv2, xtcocotools.coco, mim, hrformer_mm'

# The demonstration: (name, command). Programs are found in .venv/bin first.
DEMO_DATA = ('hrformer-mm', 'synthesize', DEMO / 'data', '--only')
DEMO_SEG = 'configs/demo/ocr_hrformer-t_synthetic.py'
DEMO_POSE = 'configs/demo/td-hm_hrformer-t_synthetic.py'
# The networks as training starts with them, for comparison: pairs of a config and the checkpoint to write.
DEMO_UNTRAINED = '''
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
'''


def demo_test(library: str, config: str, checkpoint: str, folder: str, *options: object) -> Sequence[object]:
    return ('mim', 'test', library, config, '-C', DEMO / checkpoint, '--work-dir', DEMO / folder, *options)


DEMO_STEPS = (
    ('make street scenes', (*DEMO_DATA, 'cityscapes', '--train', 96, '--size', 512, 256)),
    ('make pictures of people', (*DEMO_DATA, 'coco', '--train', 128)),
    ('keep the untrained networks', (PYTHON, '-W', 'ignore', '-c', DEMO_UNTRAINED, DEMO_SEG, DEMO / 'seg.pth',
                                     DEMO_POSE, DEMO / 'pose.pth')),
    ('train HRFormer-T + OCR', ('mim', 'train', 'mmseg', DEMO_SEG, '--gpus', 0, '--work-dir', DEMO / 'seg')),
    ('train HRFormer-T for poses', ('mim', 'train', 'mmpose', DEMO_POSE, '--gpus', 0, '--work-dir', DEMO / 'pose')),
    ('test the untrained segmentation', demo_test('mmseg', DEMO_SEG, 'seg.pth', 'seg_untrained')),
    ('test the untrained poses', demo_test('mmpose', DEMO_POSE, 'pose.pth', 'pose_untrained')),
    ('test the segmentation', demo_test('mmseg', DEMO_SEG, 'seg/iter_520.pth', 'seg_test',
                                        '--show-dir', DEMO / 'pictures' / 'seg')),
    # mmpose puts a relative folder for pictures below the work folder, for each batch again.
    ('test the poses', demo_test('mmpose', DEMO_POSE, 'pose/epoch_6.pth', 'pose_test',
                                 '--show-dir', ROOT / DEMO / 'pictures' / 'pose')),
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
                list(map(str, command)), cwd=ROOT, env=environment(), text=True, errors='replace',
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            for line in process.stdout:
                file.write(line)
                tail.append(line)
                if show(line):
                    print(f'         {DEMO_NOISE.sub("", line).rstrip()[:110]}', flush=True)
    if process.returncode != 0:
        raise Failure(
            f'exit status {process.returncode} of: {shlex.join(map(str, command))}\nIts last lines, all are in {log}:\n'
            f'{"".join(tail)}', process.returncode if process.returncode > 0 else 128 - process.returncode)


def environment() -> Dict[str, str]:
    env = dict(os.environ)
    env['PATH'] = os.pathsep.join([str(PYTHON.parent), env.get('PATH', os.defpath)])
    env['VIRTUAL_ENV'] = str(VENV)
    env['PYTHONUNBUFFERED'] = '1'  # progress appears when it is made
    env['PYTHONWARNINGS'] = 'ignore:pkg_resources is deprecated'  # mim and mmengine import it; setuptools is pinned
    env.pop('PYTHONHOME', None)
    return env


# ---- set-up

def check_machine() -> None:
    for module in ('venv', 'ensurepip'):
        if importlib.util.find_spec(module) is None:
            raise Failure(f'{sys.executable} lacks the module {module}. '
                          'On Debian or Ubuntu: apt install python3.11-venv')
    compiler = (os.environ.get('CC') or sysconfig.get_config_var('CC') or 'cc').split()[0]
    if not (shutil.which(compiler) or shutil.which('gcc')):
        raise Failure(f'no C compiler ({compiler}), and xtcocotools is compiled here. '
                      'On Debian or Ubuntu: apt install build-essential')
    header = Path(sysconfig.get_path('include'), 'Python.h')
    if not header.exists():
        raise Failure(f'{header} is missing, and xtcocotools is compiled here. '
                      'On Debian or Ubuntu: apt install python3.11-dev')


def fingerprint() -> str:
    """Changes when the set-up has to be done again."""
    files = ('requirements.txt', 'setup.py', 'pyproject.toml')
    content = b'\0'.join((ROOT / name).read_bytes() for name in files)
    return hashlib.sha256(content + str(VENV).encode()).hexdigest()


def venv_works() -> bool:
    """False for a half-made venv, one of another Python, and one copied from another folder."""
    if STAMP.exists() and STAMP.read_text() == UNFINISHED:
        return False  # killed while pip was writing
    try:
        result = subprocess.run([VENV / 'bin' / 'pip', '--version'], capture_output=True, text=True)
    except OSError:
        return False
    return str(VENV) in result.stdout and '(python 3.11)' in result.stdout


def make_venv() -> None:
    if not venv_works():
        if Path(sys.prefix) == VENV:
            raise Failure(f'{VENV} is broken and cannot repair itself. Run this with the python3.11 outside of it.')
        run([sys.executable, '-m', 'venv', '--clear', VENV], SETUP_LOG, lambda line: False)


def pins(names: Sequence[str]) -> Sequence[str]:
    lines = (ROOT / 'requirements.txt').read_text(encoding='utf-8').split()
    return [line for line in lines if line.split('==')[0] in names]


def is_pip_progress(line: str) -> bool:
    """The downloads of 10 MB and more, what is built, and how it ends."""
    big = r'Downloading .*\((\d{2,}\.\d MB|.* GB)\)'
    return bool(re.match(rf'\s*({big}|Building wheel|Installing collected|Successfully (built|installed)|ERROR)', line))


def pip_install(*args: object) -> None:
    options = ['--disable-pip-version-check', '--no-input', '--progress-bar', 'off', '--no-build-isolation']
    STAMP.write_text(UNFINISHED)
    try:
        run([PYTHON, '-m', 'pip', 'install', *options, *args], SETUP_LOG, is_pip_progress)
    except Failure as failure:
        if failure.status < 128:
            STAMP.unlink()  # pip ended by itself, so .venv is consistent and the next set-up goes on from here
        raise
    STAMP.unlink()


def check_stack() -> None:
    run([PYTHON, '-m', 'pip', 'check'], SETUP_LOG, lambda line: False)
    run([PYTHON, '-c', CHECK_IMPORTS], SETUP_LOG, lambda line: False)


SETUP_STEPS = (
    ('check Python and compiler', check_machine),
    ('make .venv', make_venv),
    (f'install build tools: {", ".join(BUILD_TOOLS)}', lambda: pip_install(*pins(BUILD_TOOLS))),
    ('install requirements.txt: about 5 GB, some minutes', lambda: pip_install('-r', 'requirements.txt')),
    ('install hrformer_mm, editable', lambda: pip_install('--no-deps', '-e', '.')),
    ('check the stack', check_stack),
)


def setup() -> None:
    if STAMP.exists() and STAMP.read_text() == fingerprint() and venv_works():
        say('set-up: .venv is finished and up to date')
        return
    SETUP_LOG.unlink(missing_ok=True)
    for number, (name, action) in enumerate(SETUP_STEPS, start=1):
        say(f'set-up {number}/{len(SETUP_STEPS)}: {name}')
        action()
    STAMP.write_text(fingerprint())
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
            raise Failure(f'demo step {number}, {name}: {error}', error.status)
    scores = {name: (demo_score(name, 'test'), demo_score(name, 'untrained')) for name in DEMO_SCORES}
    say(f'demo: done; pictures are in {DEMO / "pictures"}, logs in {DEMO_LOGS.relative_to(ROOT)}')
    say('   '.join(f'{name} {trained:.3f} (untrained {before:.3f})' for name, (trained, before) in scores.items()))
    for name, (trained, before) in scores.items():
        if not trained > DEMO_FACTOR * before:  # also when it is not a number
            raise Failure(f'{name} is {trained:.3f}, which is not {DEMO_FACTOR} times the {before:.3f} before training')


def demo_score(name: str, run_of: str) -> float:
    prefix, key, divisor = DEMO_SCORES[name]
    report, = (ROOT / DEMO / f'{prefix}_{run_of}').glob('*/*.json')  # mmengine names both after the time
    return json.loads(report.read_text())[key] / divisor


def main(args: Sequence[str]) -> None:
    if sys.version_info[:2] != (3, 11):
        raise Failure(f'the stack is pinned for Python 3.11, and this is {sys.version.split()[0]} ({sys.executable}). '
                      f'Run: python3.11 tasks.py {" ".join(args)}')
    task, rest = (args[0], args[1:]) if args else ('', [])
    if task not in ('setup', 'test', 'demo', 'zoo') or (rest and task not in ('test', 'zoo')):
        raise Failure(f'unknown task {shlex.join(args)!r}. {__doc__}', 2)
    setup()
    if task == 'test':
        test(rest)
    elif task == 'demo':
        demo()
    elif task == 'zoo':
        zoo(rest)


if __name__ == '__main__':
    try:
        main(sys.argv[1:])
    except Failure as failure:
        print(f'tasks.py: {failure}', file=sys.stderr)
        sys.exit(failure.status)
    except KeyboardInterrupt:
        sys.exit(130)
