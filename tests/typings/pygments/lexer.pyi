# The part of pygments.lexer that console/highlighting.py uses.
from collections.abc import Iterable, Iterator
from typing import ClassVar

from pygments.token import _TokenType

class RegexLexer:
    name: str
    aliases: ClassVar[list[str]]
    filenames: ClassVar[list[str]]
    mimetypes: ClassVar[list[str]]
    url: str
    tokens: ClassVar[dict[str, list[object]]]
    def get_tokens(self, text: str) -> Iterator[tuple[_TokenType, str]]: ...

def bygroups(*kinds: _TokenType) -> object: ...
def include(state: str) -> object: ...
def words(words: Iterable[str], prefix: str = ..., suffix: str = ...) -> object: ...
