"""What the pages say is so: commands parse, files and links are there, snippets compile, api.md is current."""

import ast
import importlib.util
import re
import runpy
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
from mmengine.config import Config
from packaging.requirements import Requirement

from hrformer_mm.cli import main

_spec = importlib.util.spec_from_file_location('pages', Path(__file__).with_name('pages.py'))
pages = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pages)

ROOT, PAGES = pages.ROOT, pages.PAGES
COMMANDS = [(page.name, words) for page in PAGES for words in pages.commands(page)]
SNIPPETS = {name: text for page in PAGES for name, text in pages.files(page).items()}
CONFIGS = {path.name for path in (ROOT / 'configs').rglob('*.py')}


def parse(words: list[str]) -> None:
    """Parse arguments of `hrformer-mm` as click does, without asking whether files exist."""
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
    """Options are mim's or those of the library's script; the config is there, and has the keys to be changed."""
    action, library, *rest = words
    known = {name for parameter in import_module(f'mim.commands.{action}').cli.params for name in parameter.opts}
    if action == 'run' or library == '--help':
        return  # what follows is the script's
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
        assert (ROOT / words[0]).is_file(), f'there is no {words[0]}'
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
    assert pages.covered(words) != '', 'no test runs this: say in tests/pages.py which one does'
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


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_page(page):
    for token in pages.inline(page):
        link = token.attrGet('href') or token.attrGet('src')
        if link and not link.startswith(('http://', 'https://')):
            path, _, anchor = link.partition('#')
            target = page.parent / path if path else page
            assert target.exists(), f'{page.name} leads to {link}'
            assert not anchor or anchor in headings(target), f'{page.name} leads to {link}'
        if token.type == 'code_inline':
            for path in re.findall(
                r'^(?:benchmarks|configs|docs|examples|hrformer_mm|tests)/[\w./-]*\w(?=$|::| )', token.content
            ):
                assert (ROOT / path).exists(), f'{page.name} names {path}'
    for block in pages.blocks(page):
        if block.kind.startswith('python'):
            ast.parse(block.text.replace('…', '...'))


def headings(page: Path) -> set[str]:
    """The anchors that GitHub makes."""
    found = re.findall(r'^#+ (.+)$', page.read_text(encoding='utf-8'), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in found}


@pytest.mark.parametrize(
    'block',
    [b for page in PAGES for b in pages.blocks(page) if b.kind == 'python run'],
    ids=lambda block: block.page.name,
)
def test_snippet_runs(block, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    exec(compile(block.text, block.page.name, 'exec'), {})


def test_index_names_every_page():
    index = (ROOT / 'docs/README.md').read_text(encoding='utf-8')
    assert all(f'({page.name})' in index for page in PAGES[1:] if page.name != 'README.md')


def test_api_is_current():
    """If this fails: python docs/make_api.py"""
    made = runpy.run_path(str(ROOT / 'docs/make_api.py'))['page']()
    assert (ROOT / 'docs/api.md').read_text(encoding='utf-8') == made


def test_changelog_has_this_version():
    from hrformer_mm import __version__

    log = (ROOT / 'CHANGELOG.md').read_text(encoding='utf-8')
    assert re.search(rf'^## \[?(Unreleased|{re.escape(__version__)})\b', log, re.MULTILINE)
