"""Set up, check, test and demonstrate hrformer_mm. Requires only Python 3.11 to 3.14 and the package index.

    python tasks.py setup               make .venv/ with the pinned stack (a finished one is kept)
    python tasks.py check               set up, then run the linter, the type checker and the documentation's build
    python tasks.py test [pytest ...]   set up, then run pytest, with these arguments
    python tasks.py demo                set up, then run the demonstration
    python tasks.py zoo [name ...]      set up, then train and test every config, or these, for two iterations
    python tasks.py pythons [name ...]  test and demo on every Python from 3.11 to 3.14 of this machine and with the
                                        newest packages, or only on these, for example 3.12 newest

Options, before the task: --cpu installs PyTorch's build for the CPU, --venv DIR uses another folder than .venv/.
uv installs the packages where it is installed, pip otherwise.
"""

import argparse
import hashlib
import importlib.util
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
from typing import NoReturn

ROOT = Path(__file__).resolve().parent
UNFINISHED = 'unfinished'
SETUP_LOG = ROOT / 'work_dirs' / 'setup.log'
UV = shutil.which('uv')

PYTHONS = ((3, 11), (3, 12), (3, 13), (3, 14))
# xtcocotools has no wheels for Pythons newer than 3.11. Of the wheel for 3.11 only the Python modules are used:
# hrformer_mm.compat replaces its compiled extension by that of pycocotools.
XTCOCOTOOLS = 'xtcocotools==1.14.3'
# What `pip check` may report: what mmpose lists and never imports, and what building xtcocotools would need.
EXPECTED = re.compile(r'mmpose \S+ requires chumpy,|xtcocotools \S+ (requires cython,|is not supported)')
# Imports that break when something compiled does not fit, in a second or two.
CHECK_IMPORTS = 'import hrformer_mm, torchvision, cv2, xtcocotools.coco, mim'
CPU_INDEX = 'https://download.pytorch.org/whl/cpu'
INDEX_VARIABLES = ('PIP_EXTRA_INDEX_URL', 'PIP_INDEX_URL', 'UV_EXTRA_INDEX_URL', 'UV_INDEX')
# The lines of pip and uv to show: downloads of 10 MB and more, and the result.
DOWNLOAD = r'Downloading .*\((\d{2,}\.\d ?Mi?B|.* Gi?B)\)'
PROGRESS = re.compile(rf'\s*({DOWNLOAD}|Installing collected|Successfully installed|Installed \d|error|ERROR)')
# What continuous integration runs before the tests. mkdocs runs only where there is a mkdocs.yml.
CHECKS = (
    ('ruff', 'check', '.'),
    ('ruff', 'format', '--check', '.'),
    ('mypy',),
    ('mkdocs', 'build', '--strict', '--quiet', '--site-dir', 'work_dirs/site'),
)

START = time.monotonic()


class Failure(Exception):
    """Something the user can act on, with the exit status of what failed."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


def say(text: str) -> None:
    print(f'[{time.monotonic() - START:4.0f} s] {text}', flush=True)


def follow(command: Sequence[object], log: Path, show: Callable[[str], str | None], env: dict[str, str]) -> None:
    """Run a command at the root. Its output is appended to the log, and what `show` returns of a line is printed."""
    words = list(map(str, command))
    log.parent.mkdir(parents=True, exist_ok=True)
    tail = deque(maxlen=30)
    with (
        log.open('a', encoding='utf-8') as file,
        subprocess.Popen(
            words, cwd=ROOT, env=env, text=True, errors='replace', stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process,
    ):
        file.write(f'$ {shlex.join(words)}\n')
        for line in process.stdout:
            file.write(line)
            tail.append(line)
            shown = show(line)
            if shown is not None:
                print(f'         {shown.rstrip()[:110]}', flush=True)
    if process.returncode != 0:
        raise Failure(
            f'exit status {process.returncode} of: {shlex.join(words)}\nIts last lines, all are in {log}:\n'
            f'{"".join(tail)}',
            process.returncode if process.returncode > 0 else 128 - process.returncode,
        )


def run(command: Sequence[object]) -> None:
    """Run a command of the set-up with .venv first in PATH, and show its progress."""
    follow(command, SETUP_LOG, lambda line: line.strip() if PROGRESS.match(line) else None, environment())


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
        run([sys.executable, '-m', 'venv', '--clear', *pip, VENV])


def installer(python: Path) -> list[object]:
    """Return the command that installs packages for a Python, with uv where it is installed."""
    if UV:
        return [UV, 'pip', 'install', '--no-config', '--python', python]
    return [python, '-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--progress-bar', 'off']


def install(*args: object) -> None:
    """Install packages without what they require: requirements.txt names all. Only the package itself is built."""
    STAMP.write_text(UNFINISHED)
    try:
        run([*installer(PYTHON), '--no-deps', '--no-build-isolation', *args])
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
    run([PYTHON, '-W', 'ignore', '-c', CHECK_IMPORTS])


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


# ---- the other tasks


def execute(*args: object) -> NoReturn:
    """Become the venv's Python with these arguments, which then gets signals and gives its exit status."""
    sys.stdout.flush()
    os.chdir(ROOT)
    os.execve(PYTHON, [str(PYTHON), *map(str, args)], environment())


def check() -> None:
    """Run every check, also after one that fails."""
    failed = []
    for command in CHECKS:
        if command[0] == 'mkdocs' and not (ROOT / 'mkdocs.yml').exists():
            continue
        say(f'check: {shlex.join(command)}')
        if subprocess.run([PYTHON.with_name(command[0]), *command[1:]], cwd=ROOT, env=environment()).returncode != 0:
            failed.append(shlex.join(command))
    if failed:
        raise Failure(f'failed: {", ".join(failed)}')
    say('check: passed')


def main(args: Sequence[str]) -> None:
    if sys.version_info[:2] not in PYTHONS:
        raise Failure(
            f'the stack is pinned for Python 3.11 to 3.14, and this is {sys.version.split()[0]} '
            f'({sys.executable}). Run this with one of those'
        )
    parser = argparse.ArgumentParser(usage=__doc__, add_help=False)
    parser.add_argument('--cpu', action='store_true')
    parser.add_argument('--venv', type=Path, default=ROOT / '.venv')
    parser.add_argument('task', choices=('setup', 'check', 'test', 'demo', 'zoo', 'pythons'))
    parser.add_argument('rest', nargs=argparse.REMAINDER)
    options = parser.parse_args(args)
    if options.rest and options.task not in ('test', 'zoo', 'pythons'):
        parser.error(f'{options.task} takes no arguments, but got {shlex.join(options.rest)}')
    cpu = options.cpu or index_for_cpu()
    use_venv(options.venv.resolve())
    if options.task == 'pythons':
        os.chdir(ROOT)
        module = [sys.executable, '-m', 'scripts.pythons', *(['--cpu'] if cpu else [])]
        os.execv(sys.executable, [*module, *options.rest])
    setup(cpu)
    say(f'in your shell: source {os.path.relpath(VENV)}/bin/activate, then hrformer-mm --help, mim train mmseg CONFIG')
    if options.task == 'check':
        check()
    elif options.task == 'test':
        execute('-m', 'pytest', *options.rest)
    elif options.task == 'demo':
        execute('-W', 'ignore', '-m', 'scripts.demo')
    elif options.task == 'zoo':
        execute('-W', 'ignore', 'scripts/zoo_runs.py', *options.rest)


if __name__ == '__main__':
    try:
        main(sys.argv[1:])
    except Failure as failure:
        print(f'tasks.py: {failure}', file=sys.stderr)
        sys.exit(failure.status)
    except KeyboardInterrupt:
        sys.exit(130)
