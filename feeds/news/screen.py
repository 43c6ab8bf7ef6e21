"""Bytes that claim to be a feed -> a small well-formed document, or BadData. Linear in their length.

The feed parser behind it falls back to a forgiving reader when XML is broken, and that one needs minutes for two
hostile megabytes. So nothing broken, deep, or with entities of its own gets that far: what honest sites break is
mended here (stray ampersands, HTML entities, control characters), and the rest is cut after the last whole story.
"""

import codecs
import html
import re
from typing import Any
from xml.parsers import expat

from feeds.errors import BadData

DEPTH = 64
ELEMENTS = 50_000
ATTRIBUTES = 64

_ENCODINGS = re.compile(r"utf-?8|utf-?16(le|be)?|us-ascii|ascii|iso-?8859-\d+|latin-?\d|windows-125\d|cp125\d|gb2312|gbk|gb18030"
                        r"|big5|shift_jis|euc-(jp|kr)|koi8-[ru]", re.IGNORECASE)  # fmt: skip
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_PROLOG = re.compile(r"\s*<\?xml\b[^>]{0,300}\?>")
_DECLARED = re.compile(rb"""<\?xml\b[^>]{0,200}?encoding\s{0,9}=\s{0,9}["']([^"'>]{1,40})["']""")
_DOCTYPE = re.compile(r"<!DOCTYPE[^>\[]{0,500}>", re.IGNORECASE)
_FORBIDDEN = re.compile(r"<!ENTITY|<!DOCTYPE|<!ELEMENT|<!ATTLIST", re.IGNORECASE)
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});)(\w{1,31};)?")


def screen(body: bytes, content_type: str, origin: str) -> bytes:
    """The document as well-formed UTF-8 without prolog and DOCTYPE. Raises BadData naming `origin`."""
    text = _decode(body, content_type, origin)
    text = _ILLEGAL.sub("", _DOCTYPE.sub("", _PROLOG.sub("", text, count=1))).strip()
    if _FORBIDDEN.search(text):
        raise BadData(f"{origin}: the document declares entities or a grammar of its own; refused")
    document = text.encode()
    probe = _Probe(document, origin)
    if probe.fault:
        document = _AMPERSAND.sub(_mend, text).encode()
        probe = _Probe(document, origin)
    if not probe.fault:
        return document
    if not probe.cut:
        raise BadData(f"{origin}: this is no feed ({probe.fault})")
    return document[: probe.cut] + b"".join(b"</%s>" % name.encode() for name in reversed(probe.open_at_cut))


def _decode(body: bytes, content_type: str, origin: str) -> str:
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return body.decode(encoding, "replace")
    declared = _DECLARED.search(body[:300].replace(b"\0", b""))
    stated = declared[1].decode("ascii", "replace") if declared is not None else ""
    charset = content_type.lower().partition("charset=")[2].split(";")[0].strip(" \"'")
    encoding = stated or (charset if _ENCODINGS.fullmatch(charset) else "utf-8")
    if not _ENCODINGS.fullmatch(encoding):
        raise BadData(f"{origin}: the document is encoded as {encoding!r}; refused")
    if not stated and not charset:
        encoding = {b"\0<": "utf-16-be", b"<\0": "utf-16-le"}.get(body[:2], encoding)
    try:
        return body.decode(encoding, "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


def _mend(found: "re.Match[str]") -> str:
    """An ampersand that starts no entity of XML: the letter that HTML means, else the ampersand itself."""
    name = found[1]
    if name is not None:
        letter = html.unescape(f"&{name}")
        if letter != f"&{name}" and letter not in ("<", "&", ">"):
            return letter
    return f"&amp;{name or ''}"


class _Probe:
    """One pass of expat over a document: is it well-formed, and where does its last whole story end?

    fault        "" when all is well
    cut          bytes up to the end of the last complete item or entry
    open_at_cut  the elements that are still open there, outermost first
    """

    def __init__(self, document: bytes, origin: str) -> None:
        self.fault = ""
        self.cut = 0
        self.open_at_cut: list[str] = []
        self._document, self._origin = document, origin
        self._open: list[str] = []
        self._elements = 0
        self._parser: Any = expat.ParserCreate("utf-8", " ")  # a C object: no type information on its attributes
        self._parser.namespace_prefixes = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        try:
            self._parser.Parse(document, True)
        except expat.ExpatError as error:
            self.fault = str(error)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        self._open.append(_written(name))
        if len(self._open) > DEPTH or self._elements > ELEMENTS or len(attributes) > ATTRIBUTES:
            raise BadData(
                f"{self._origin}: more than {DEPTH} levels, {ELEMENTS} elements or {ATTRIBUTES} attributes in a document; refused"
            )

    def _end(self, name: str) -> None:
        closed = self._open.pop()
        if closed.rpartition(":")[2] in ("item", "entry"):
            self.cut = self._document.find(b">", self._parser.CurrentByteIndex) + 1
            self.open_at_cut = list(self._open)


def _written(name: str) -> str:
    """`uri local prefix` as expat says it -> `prefix:local` as it was written."""
    parts = name.split(" ")
    return f"{parts[2]}:{parts[1]}" if len(parts) == 3 else parts[-1]
