"""Parse README.md and docs/: shell commands, Python snippets, paths and links."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').rglob('*.md'))]
PROGRAMS = ('hrformer-mm', 'mim', 'pip', 'pytest', 'python', 'python3')
SHELL = re.compile(rf'(?:[A-Z]\w*=\S* +(?:\\\n *)?)*(?:{"|".join(map(re.escape, PROGRAMS))}) ')


class Block(NamedTuple):
    """A code block: the info string of its fence ('python', 'python run', 'text', … or '') and its text."""

    page: Path
    kind: str
    text: str


def tokens(page: Path) -> list[Token]:
    return MarkdownIt('commonmark').enable('table').parse(page.read_text(encoding='utf-8'))


def inline(page: Path) -> Iterator[Token]:
    for token in tokens(page):
        yield from token.children or ()


def blocks(page: Path) -> Iterator[Block]:
    """Return the code blocks of a page; the language of a block without info string is inferred from its text."""
    for token in tokens(page):
        if token.type in ('fence', 'code_block'):
            kind = token.info.strip().replace('bash', 'shell')
            if not kind:
                first = [line.split()[0] for line in token.content.splitlines() if line.split()]
                if SHELL.match(token.content):
                    kind = 'shell'
                else:
                    kind = 'text' if all((ROOT / name).exists() for name in first) else 'python'
            yield Block(page, kind, token.content)


def commands(page: Path) -> Iterator[list[str]]:
    """Return the commands of a page as lists of words, from code blocks and from inline code with arguments."""
    texts = [block.text for block in blocks(page) if block.kind == 'shell']
    for token in inline(page):
        if token.type == 'code_inline' and SHELL.match(token.content) and '…' not in token.content:
            bare = token.content.startswith(('hrformer-mm ', 'mim ')) and len(token.content.split()) == 2
            texts.append(token.content + (' --help' if bare else ''))  # mentioned without arguments
    for text in texts:
        line = ''
        for part in text.replace('\\\n', ' ').splitlines():
            line += part
            try:
                words = shlex.split(line, comments=True)
            except ValueError:  # an unclosed quotation
                line += '\n'
                continue
            line = ''
            while '&&' in words:
                yield words[: words.index('&&')]
                words = words[words.index('&&') + 1 :]
            if words and '…' not in words:  # it stands for the lines above
                yield words
        assert not line, f'{page.name}: a quotation does not end in\n{text}'


def files(page: Path) -> dict[str, str]:
    """Return the files that a page asks the reader to save: Python blocks that begin with `# name.py`."""
    named = (re.match(r'# (\w+\.py)\n', block.text) for block in blocks(page) if block.kind == 'python')
    return {match[1]: match.string for match in named if match}


# What tests/commands/test_pages.py runs.
RUN = ('complexity', 'convert', 'doctor', 'export', 'predict', 'segfix', 'synthesize')
# Other commands by prefix: the test that covers them, or the reason why there is none.
COVERED = {
    'mim train': 'tests/test_launchers.py::test_train_resume_and_test',
    'mim test': 'tests/test_launchers.py::test_train_resume_and_test',
    'mim download': 'the network',
    'mim run': "a library's own script",
    'mim search': 'tests/commands/test_zoo.py::test_index_is_read_by_mim',
    'python tools/': 'tests/commands/test_launch.py::test_the_library_gets_the_arguments',
    'pip ': 'the network',
    'python benchmarks/real_data.py': 'tests/test_real_data.py::test_interrupted_trainings_continue',
    'python benchmarks/pictures.py': 'tests/test_real_data.py::test_pictures_of_predictions',
    'python benchmarks/same_losses.py': 'tests/test_real_data.py::test_same_losses_as_mmpose',
    'python benchmarks/gpu_traffic.py': 'tests/test_benchmarks.py::test_traffic_of_a_block',
    'python benchmarks/speed.py': 'tests/test_benchmarks.py::test_speed',
    'python examples/': 'tests/test_examples.py::test_example',
    'python my_annotations.py': 'tests/commands/test_pages.py::test_train_your_data',
    'python benchmarks/cross_windows.py': 'tests/test_cross_windows.py::test_the_depthwise_convolution_wins',
    'python tests/hooks/test_kills.py': 'tests/hooks/test_kills.py::test_kills',
    'python -c import hrformer_mm, runpy': 'tests/commands/test_pages.py::test_a_tool_of_a_host',
    'python -m pytest': 'a test',
    'pytest': 'a test',
    'python3 tasks.py': 'what runs the tests',
    'python tasks.py': 'what runs the tests',
}


def covered(words: list[str]) -> str | None:
    """Return what covers a command: None if tests/commands/test_pages.py runs it, '' if nothing does."""
    line = ' '.join(word for word in words if not re.match(r'[A-Z]\w*=', word))
    if '--launcher' in words:
        return 'tests/test_distributed.py::test_two_processes_train_as_one'
    if '--help' in words:
        return 'tests/test_cli.py::test_help_and_version'
    if any(word.endswith('.xml') for word in words):
        return 'tests/commands/test_export_openvino.py'  # in a process of its own
    if 'aoti' in words:
        return 'tests/commands/test_export.py::test_aoti'
    if words[0] == 'hrformer-mm' and words[1] not in RUN:
        return f'tests/commands/test_{words[1].replace("-", "_")}.py'
    if words[0] == 'hrformer-mm':
        return None
    script = words[1] if '/' in words[1] else ''
    return next((test for start, test in COVERED.items() if line.startswith(start)), script)
