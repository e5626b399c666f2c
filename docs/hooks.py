"""What `mkdocs build` adds to the pages: files outside docs/ that they link to, at the same path of the site."""

import os
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT_PAGES = {'README.md': 'index.md', 'CHANGELOG.md': 'CHANGELOG.md', 'CONTRIBUTING.md': 'CONTRIBUTING.md'}
LINK = re.compile(r'(\]\(|(?:src|href)=")(?![a-z]+:|#)([^)#\s"]+)')


def target(link: str, source: str, docs: Path) -> str:
    """The path below the site of what a page links to."""
    base = docs.parent if source in ROOT_PAGES.values() else docs
    path = Path(os.path.normpath(base / Path(source).parent / link))
    if path.is_relative_to(docs):
        return path.relative_to(docs).as_posix()
    path = path.relative_to(docs.parent).as_posix()
    return ROOT_PAGES.get(path, path)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    docs = Path(config.docs_dir)

    def add(source: str, path: str) -> None:
        if files.get_file_from_path(path) is None and (docs.parent / source).is_file():  # MkDocs reports a missing file
            files.append(File.generated(config, path, abs_src_path=str(docs.parent / source)))

    for source, path in ROOT_PAGES.items():
        add(source, path)
    for page in list(files.documentation_pages()):
        for _, link in LINK.findall(page.content_string):
            path = target(link, page.src_uri, docs)
            add(path, path)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: object) -> str:
    """Point links to these files, and drop the mark of the snippets that tests/test_docs.py runs."""
    source = page.file.src_uri

    def relative(match: re.Match) -> str:
        path = target(match[2], source, Path(config.docs_dir))
        return match[1] + os.path.relpath(path, os.path.dirname(source) or '.')

    return re.sub('^```python run.*$', '```python', LINK.sub(relative, markdown), flags=re.MULTILINE)


def on_page_content(html: str, **_: object) -> str:
    """Drop the roles of cross-references in docstrings, for example :class: before the name of a class."""
    return re.sub(r':\w+:(?=<code>)', '', html).replace('<code>~', '<code>')
