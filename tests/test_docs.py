"""The pages are correct: commands parse, files and links exist, snippets run, the site and its API pages build."""

import ast
import importlib.util
import inspect
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
import yaml
from mmengine.config import Config
from packaging.requirements import Requirement

import hrformer_mm
from hrformer_mm.cli import main

_spec = importlib.util.spec_from_file_location('pages', Path(__file__).with_name('pages.py'))
pages = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pages)

ROOT, PAGES = pages.ROOT, pages.PAGES
COMMANDS = [(page.name, words) for page in PAGES for words in pages.commands(page)]
SNIPPETS = {name: text for page in PAGES for name, text in pages.files(page).items()}
CONFIGS = {path.name for path in (ROOT / 'configs').rglob('*.py')}


def parse(words: list[str]) -> None:
    """Parse arguments of `hrformer-mm` as click does, without checking that files exist."""
    if words == ['--help']:
        return
    name, command, rest = main.resolve_command(click.Context(main, info_name='hrformer-mm'), list(words))
    if '--help' in rest:
        return
    context = click.Context(command, info_name=name)
    values, left, given = command.make_parser(context).parse_args(list(rest))
    assert not left, f'arguments too many: {left}'
    for parameter in command.params:
        if parameter not in given:
            assert not parameter.required, f'{parameter.name} is missing'
        elif not isinstance(parameter.type, click.Path):
            parameter.handle_parse_result(context, values, [])


def check_mim(words: list[str]) -> None:
    """Options are mim's or those of the library's script; the config exists, and has the keys to change."""
    action, library, *rest = words
    known = {name for parameter in import_module(f'mim.commands.{action}').cli.params for name in parameter.opts}
    if action == 'run' or library == '--help':
        return  # the other words belong to the script
    if action == 'download':
        configs = Path(find_spec(library).submodule_search_locations[0], '.mim/configs').rglob('*.py')
        assert rest[rest.index('--config') + 1] in {path.stem for path in configs}
    elif action in ('train', 'test'):
        hosts = ('mmseg', 'mmpose', 'mmpretrain', 'mmdet') if library == 'hrformer_mm' else (library,)
        for host in hosts:
            script = Path(find_spec(host).submodule_search_locations[0], f'.mim/tools/{action}.py')
            known |= set(re.findall(r"'(--[\w-]+)'", script.read_text()))
        named = rest[0].isupper() or rest[0] in SNIPPETS or (library == 'hrformer_mm' and rest[0] in CONFIGS)
        assert named or (ROOT / rest[0]).is_file(), f'there is no config {rest[0]}'
    options = {word for word in rest if word.startswith('-')}
    assert options <= known, f'mim {action} {library} has no {options - known}'
    if '--cfg-options' in rest and not rest[0].isupper():
        check_keys(rest[0], rest[rest.index('--cfg-options') + 1 :])


def check_keys(config: str, changes: list[str]) -> None:
    cfg = Config.fromfile(ROOT / config)
    for change in changes:
        node = cfg
        for key in change.split('=')[0].split('.')[:-2]:  # the last two may be new
            assert key in node, f'{config} has no {change}'
            node = node[key]


def check_python(words: list[str]) -> None:
    if words[0] == '-c':
        compile(words[1], 'a page', 'exec')
    elif words[:2] == ['-m', 'pytest']:
        check_pytest(words[2:])
    else:
        assert words[0] in SNIPPETS or (ROOT / words[0]).is_file(), f'there is no {words[0]}'
        if words[0] == 'tasks.py':
            assert f'python tasks.py {words[1]} ' in (ROOT / 'tasks.py').read_text()
            if words[1] == 'test':
                check_pytest(words[2:])


def check_pytest(words: list[str]) -> None:
    for word in words:
        path, _, name = word.partition('::')
        if '/' in path:
            assert (ROOT / path).exists() and f'def {name}' in ((ROOT / path).read_text() if name else 'def ')


def check_pip(words: list[str]) -> None:
    assert words[0] in ('install', 'uninstall', 'check')
    extras = set(tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']['optional-dependencies'])
    values = {'-r', '--no-binary', '--only-binary', '--index-url', '--python-version', '--target'}
    for before, word in zip(words, words[1:]):
        if before == '-r':
            assert (ROOT / word).is_file()
        elif before not in values and not word.startswith('-'):
            requirement = Requirement(re.sub(r'^\.', 'hrformer_mm', word))  # this folder
            assert requirement.name != 'hrformer_mm' or requirement.extras <= extras


CHECKS = {
    'hrformer-mm': parse,
    'mim': check_mim,
    'pip': check_pip,
    'pytest': check_pytest,
    'python': check_python,
    'python3': check_python,
}


@pytest.mark.parametrize('page, words', COMMANDS, ids=str)
def test_command(page, words):
    assert pages.covered(words) != '', 'no test runs this: name one in tests/pages.py'
    while re.match(r'[A-Z]\w*=', words[0]):
        value = words[0].split('=', 1)[1].replace('$PWD/', '')
        assert '/' not in value or (ROOT / value).exists()
        words = words[1:]
    CHECKS[words[0]](words[1:])


@pytest.mark.parametrize('test', sorted({test for _, words in COMMANDS if (test := pages.covered(words))}))
def test_what_is_not_run_is_tested_elsewhere(test):
    path, _, name = test.partition('::')
    assert '/' not in path or f'def {name}' in (ROOT / path).read_text(), f'there is no {test}'


@pytest.mark.parametrize(
    'words',
    [
        ['hrformer-mm', 'predict', 'CONFIG', 'weights.pth', 'a.jpg', '--colour'],
        ['hrformer-mm', 'predict', 'CONFIG'],
        ['hrformer-mm', 'benchmark'],
        ['hrformer-mm', 'dance'],
        ['mim', 'train', 'mmseg', 'configs/none.py'],
        ['mim', 'train', 'mmseg', 'configs/ocr_hrformer-b_cityscapes.py', '--auto-scale-lr'],
        ['mim', 'train', 'mmseg', 'configs/ocr_hrformer-b_cityscapes.py', '--cfg-options', 'model.neck.backbone.x=1'],
        ['python', 'examples/none.py'],
        ['python', 'tasks.py', 'dance'],
        ['pytest', 'tests/test_docs.py::test_none'],
        ['pip', 'install', 'hrformer_mm[dance]'],
    ],
    ids=' '.join,
)
def test_wrong_commands_are_found(words):
    with pytest.raises((AssertionError, click.UsageError)):
        test_command('', words)


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page(page):
    if page.name != 'model_zoo.md':  # a table of 72 models, which a command writes
        assert len(page.read_text(encoding='utf-8').splitlines()) <= 200, f'{page.name} is too long: split it'
    for token in pages.inline(page):
        link = token.attrGet('href') or token.attrGet('src')
        if link and not link.startswith(('http://', 'https://')):
            path, _, anchor = link.partition('#')
            target = page.parent / path if path else page
            assert target.exists(), f'{page.name} links to {link}'
            assert not anchor or anchor in headings(target), f'{page.name} links to {link}'
        if token.type == 'code_inline':
            for path in re.findall(
                r'^(?:benchmarks|configs|docs|examples|hrformer_mm|tests)/[\w./-]*\w(?=$|::| )', token.content
            ):
                assert (ROOT / path).exists(), f'{page.name} names {path}'
    for block in pages.blocks(page):
        if block.kind.startswith('python'):
            ast.parse(block.text.replace('…', '...'))


def headings(page: Path) -> set[str]:
    """The anchors of a page, in which GitHub and MkDocs agree."""
    found = re.findall(r'^#+ (.+)$', page.read_text(encoding='utf-8'), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in found}


RUNNABLE = {
    page: [block for block in pages.blocks(page) if block.kind.startswith('python run')]
    for page in PAGES
    if any(block.kind == 'python run' for block in pages.blocks(page))
}


def run_snippets(page: Path, *kinds: str) -> None:
    """Run the snippets of a page in order, in one namespace: they build on each other."""
    names = {}
    for block in RUNNABLE[page]:
        if block.kind in kinds:
            exec(compile(block.text, page.name, 'exec'), names)


@pytest.mark.parametrize('page', RUNNABLE, ids=lambda page: page.name)
def test_snippets_run(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    run_snippets(page, 'python run')


@pytest.mark.slow
def test_peft_snippet_runs(monkeypatch, tmp_path):
    pytest.importorskip('peft', reason='peft is not installed: it requires transformers 5, mmpretrain an older one')
    monkeypatch.chdir(tmp_path)
    run_snippets(ROOT / 'docs/plain_pytorch.md', 'python run', 'python run peft')


def nav_pages(entry: object) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    return [page for child in (entry.values() if isinstance(entry, dict) else entry) for page in nav_pages(child)]


def test_navigation_lists_every_page():
    listed = nav_pages(yaml.safe_load((ROOT / 'mkdocs.yml').read_text(encoding='utf-8'))['nav'])
    assert len(listed) == len(set(listed))
    in_docs = {str(page.relative_to(ROOT / 'docs')) for page in PAGES[1:]}
    assert set(listed) == in_docs | {'index.md', 'CHANGELOG.md', 'CONTRIBUTING.md'}  # see docs/hooks.py


def test_api_lists_public_names():
    page = (ROOT / 'docs/api.md').read_text(encoding='utf-8')
    listed = []
    for name in re.findall('^::: (.+)$', page, re.MULTILINE):
        module, _, attribute = name.rpartition('.')
        found = getattr(import_module(module), attribute)
        assert inspect.getdoc(found), f'{name} has no docstring'
        listed.append(found)
    assert all(getattr(hrformer_mm, name) in listed for name in hrformer_mm.__all__ if name != 'MODELS')


@pytest.mark.slow
def test_site_builds(tmp_path):
    pytest.importorskip(
        'mkdocstrings', reason='MkDocs is not installed: pip install mkdocs-material mkdocstrings[python]'
    )
    command = [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--site-dir', str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    api = (tmp_path / 'api/index.html').read_text(encoding='utf-8')
    assert 'id="hrformer_mm.models.hrformer.HRFormer"' in api and ':class:' not in api
    assert (tmp_path / 'configs/ocr_hrformer-b_cityscapes.py').is_file()
    assert not [page for page in tmp_path.rglob('*.html') if '<p>```' in page.read_text(encoding='utf-8')]


def test_changelog_has_this_version():
    from hrformer_mm import __version__

    log = (ROOT / 'CHANGELOG.md').read_text(encoding='utf-8')
    assert re.search(rf'^## \[?(Unreleased|{re.escape(__version__)})\b', log, re.MULTILINE)
