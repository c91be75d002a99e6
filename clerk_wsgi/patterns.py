"""Path patterns such as ``/orgs/:slug/(.*)``: a subset of path-to-regexp 6.

``:name`` takes one path segment, ``:name(regex)`` and ``(regex)`` what the expression takes;
``{…}`` groups, ``? * +`` after any of these repeat it, and a backslash takes the next character
as it is. Letter case does not count and one trailing slash is allowed. Expressions may not hold
capturing groups, look-around, back references, possessive quantifiers or sets within sets.

Between two names there must be text, and the second takes nothing that holds it. One part of a
pattern can repeat, if text stands before it. So names are matched in no time, however long the path
is; how long an expression takes is its author's affair.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    r"""\\(?P<escaped>.)
      | :(?P<name>[A-Za-z0-9_]+)
      | (?P<group>\((?:[^()\\]|\\.|\(\?:(?:[^()\\]|\\.)*\))+\))
      | (?P<modifier>[*+?])
      | (?P<open>\{)
      | (?P<close>\})
      | (?P<char>[^:()\\])""",
    re.VERBOSE | re.DOTALL,
)
_DELIMITERS = "/#?"
# Flags, back references, possessive quantifiers, and sets that a later Python may read otherwise.
_REFUSED_IN_GROUPS = re.compile(r"^\?|\\[0-9kK]|(?<!\\)[*+?}]\+|\[[^\]]*(?:\[|--|&&|~~|\|\|)")


class BadPattern(ValueError):
    """A pattern that is wrong or outside the subset; the message says where."""


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A compiled pattern."""

    text: str
    _regex: re.Pattern[str]
    _names: tuple[str, ...]

    def match(self, path: str) -> dict[str, str] | None:
        """Return the named parts of a percent-encoded path, undecoded; ``None``: no match."""
        found = self._regex.fullmatch(path)
        if found is None:
            return None
        pairs = zip(self._names, found.groups(), strict=True)
        return {name: value for name, value in pairs if name and value is not None}


@dataclass(frozen=True, slots=True)
class _Lexeme:
    kind: str
    text: str
    at: int


def compile_pattern(text: str) -> PathPattern:
    """Compile a pattern, or raise ``BadPattern``."""
    compiler = _Compiler(text)
    source = compiler.compile()
    try:
        regex = re.compile(source + "[/#?]?", re.IGNORECASE | re.DOTALL)
    except re.error as error:
        raise BadPattern(f"{text!r}: {error}") from None
    return PathPattern(text, regex, tuple(compiler.names))


class _Compiler:
    """Turns the lexemes of one pattern into a regular expression, from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lexemes = list(_lexemes(text))
        self._next = 0
        # The plain text since the last parameter; None before the first character.
        self._before: str | None = None
        self._has_repeated = False
        self.names: list[str] = []

    def compile(self) -> str:
        parts = []
        while (lexeme := self._peek()) is not None:
            if lexeme.kind == "open":
                parts.append(self._braces())
            elif lexeme.kind in ("char", "escaped"):
                parts.append(self._literal())
            elif lexeme.kind in ("name", "group"):
                parts.append(self._parameter(""))
            else:
                raise BadPattern(f"{self._text!r}: unexpected {lexeme.text!r} at {lexeme.at}")
        return "".join(parts)

    def _literal(self) -> str:
        """A character; a slash or dot before a parameter repeats and vanishes with it."""
        lexeme = self._take()
        follower = self._peek()
        is_prefix = lexeme.kind == "char" and lexeme.text in "/."
        if is_prefix and follower and follower.kind in ("name", "group"):
            return self._parameter(lexeme.text)
        self._before = (self._before or "") + lexeme.text
        return re.escape(lexeme.text)

    def _parameter(self, prefix: str) -> str:
        pattern = self._pattern(prefix)
        return self._repeated(prefix, pattern, "")

    def _braces(self) -> str:
        self._take()
        prefix = self._plain_text()
        pattern = self._pattern(prefix)
        suffix = self._plain_text()
        closing = self._peek()
        if closing is None or closing.kind != "close":
            raise BadPattern(f"{self._text!r}: a brace is not closed")
        self._take()
        return self._repeated(prefix, pattern, suffix)

    def _pattern(self, prefix: str) -> str:
        """A name, an expression, or a name with an expression; empty if there is neither."""
        name = self._optional("name")
        group = self._optional("group")
        before, self._before = prefix or self._before, ""
        if not name and not group:
            return ""
        self.names.append(name)
        return group[1:-1] if group else self._segment(name, before)

    def _segment(self, name: str, before: str | None) -> str:
        """What a name takes: part of one segment, and nothing that holds the text before it."""
        if before == "":
            raise BadPattern(f"{self._text!r}: there must be text before :{name}")
        if before is None or any(one in before for one in _DELIMITERS):
            return f"[^{_DELIMITERS}]+?"
        return f"(?:(?!{re.escape(before)})[^{_DELIMITERS}])+?"

    def _repeated(self, prefix: str, pattern: str, suffix: str) -> str:
        prefix, suffix = re.escape(prefix), re.escape(suffix)
        modifier = self._optional("modifier")
        if modifier in ("*", "+"):
            self._count_repeat()
        if not pattern:
            return f"(?:{prefix}{suffix}){modifier}"
        if modifier not in ("*", "+"):
            return f"(?:{prefix}({pattern}){suffix}){modifier}"
        if not prefix:
            raise BadPattern(f"{self._text!r}: only what follows a slash or dot can repeat")
        more = f"(?:{suffix}{prefix}(?:{pattern}))*"
        optional = "?" if modifier == "*" else ""
        return f"(?:{prefix}((?:{pattern}){more}){suffix}){optional}"

    def _count_repeat(self) -> None:
        if self._has_repeated:
            raise BadPattern(f"{self._text!r}: only one part of a pattern can repeat")
        self._has_repeated = True

    def _plain_text(self) -> str:
        text = ""
        while (lexeme := self._peek()) and lexeme.kind in ("char", "escaped"):
            text += self._take().text
        return text

    def _peek(self) -> _Lexeme | None:
        return self._lexemes[self._next] if self._next < len(self._lexemes) else None

    def _take(self) -> _Lexeme:
        self._next += 1
        return self._lexemes[self._next - 1]

    def _optional(self, kind: str) -> str:
        lexeme = self._peek()
        return self._take().text if lexeme and lexeme.kind == kind else ""


def _lexemes(text: str) -> Iterator[_Lexeme]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise BadPattern(f"{text!r}: {text[at]!r} at {at} starts nothing that is supported")
        lexeme = _Lexeme(match.lastgroup, match[match.lastgroup], at)
        if lexeme.kind == "group" and _REFUSED_IN_GROUPS.search(lexeme.text[1:-1]):
            raise BadPattern(f"{text!r}: unsupported expression {lexeme.text}")
        yield lexeme
        at = match.end()
