"""Bytes that claim to be a feed -> a short RSS document of its stories, or BadData. Linear in their length.

The feed parser behind it needs minutes for two hostile megabytes: broken XML sends it to a forgiving reader, and a date
of two million spaces is enough where the XML is sound. So nothing reaches it but what is built here, from one pass of
expat: a few hundred stories, each with a title, a link, an id and a date of bounded length. What honest sites break is
mended (stray ampersands, HTML entities, control characters); a document that breaks off gives its whole stories.
"""

import codecs
import html
import re
from xml.parsers import expat

from feeds.errors import BadData

DEPTH = 64
ELEMENTS = 50_000
ATTRIBUTES = 64
STORIES = 500

_FIELDS = {"title": "title", "link": "link", "guid": "guid", "id": "guid", "pubDate": "published", "published": "published",
           "issued": "published", "created": "published", "date": "published", "updated": "updated", "modified": "updated"}  # fmt: skip
_ROOM = {"title": 2_000, "link": 1_000, "guid": 500, "published": 64, "updated": 64}  # characters
_PREFIXES = ("", "atom", "rss", "dc", "dcterms", "a10")

_ENCODINGS = re.compile(r"utf-?8|utf-?16(le|be)?|us-ascii|ascii|iso-?8859-\d+|latin-?\d|windows-125\d|cp125\d|gb2312|gbk|gb18030"
                        r"|big5|shift_jis|euc-(jp|kr)|koi8-[ru]", re.IGNORECASE)  # fmt: skip
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_PROLOG = re.compile(r"<\?xml\b[^>]{0,300}\?>")
_DECLARED = re.compile(rb"""<\?xml\b[^>]{0,200}?encoding\s{0,9}=\s{0,9}["']([^"'>]{1,40})["']""")
_DOCTYPE = re.compile(r"<!DOCTYPE[^>\[]{0,200}>", re.IGNORECASE)
_FORBIDDEN = re.compile(r"<!ENTITY|<!DOCTYPE|<!ELEMENT|<!ATTLIST", re.IGNORECASE)
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});)(\w{1,31};)?")


def screen(body: bytes, content_type: str, origin: str) -> bytes:
    """The stories of a feed as an RSS document in UTF-8, at most STORIES of them. Raises BadData naming `origin`."""
    text = _decode(body, content_type, origin)
    text = text.strip()
    prolog = _PROLOG.match(text)
    text = _ILLEGAL.sub("", _DOCTYPE.sub("", text[prolog.end() if prolog is not None else 0 :])).strip()
    if _FORBIDDEN.search(text):
        raise BadData(f"{origin}: the document declares entities or a grammar of its own; refused")
    reader = _Reader(text, origin)
    if reader.fault:
        mended = _Reader(_AMPERSAND.sub(_mend, text), origin)
        reader = reader if len(reader.stories) > len(mended.stories) else mended
    if not reader.is_feed or (reader.fault and not reader.stories):
        raise BadData(f"{origin}: this is no feed ({reader.fault or 'its root is no rss, feed or RDF'})")
    return f'<rss version="2.0"><channel>{"".join(reader.stories)}</channel></rss>'.encode()


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


class _Reader:
    """One pass of expat over a document, which keeps what a headline needs.

    fault    "" when the document is well-formed, else what is wrong; `stories` are those complete until then
    """

    def __init__(self, text: str, origin: str) -> None:
        self.fault = ""
        self.is_feed = False
        self.stories: list[str] = []
        self._origin = origin
        self._depth = self._elements = 0
        self._story_depth = 0  # of the story that is open, 0 for none
        self._fields: dict[str, str] = {}
        self._field = ""  # that text goes to
        self._text: list[str] = []
        self._room = 0
        parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._say
        try:
            parser.Parse(text.encode(), True)
        except expat.ExpatError as error:
            self.fault = str(error)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > DEPTH or self._elements > ELEMENTS or len(attributes) > ATTRIBUTES:
            raise BadData(
                f"{self._origin}: more than {DEPTH} levels, {ELEMENTS} elements or {ATTRIBUTES} attributes in a document; refused"
            )
        prefix, _, local = name.rpartition(":")
        if self._depth == 1:
            self.is_feed = local in ("rss", "feed", "RDF")
        elif not self._story_depth:
            if local in ("item", "entry"):
                self._story_depth, self._fields = self._depth, {}
        elif self._depth == self._story_depth + 1 and prefix in _PREFIXES:
            self._open_field(_FIELDS.get(local, ""), attributes)

    def _open_field(self, field: str, attributes: dict[str, str]) -> None:
        if field == "link" and "href" in attributes:
            if attributes.get("rel", "alternate") == "alternate":
                self._fields.setdefault("link", attributes["href"][: _ROOM["link"]])
        elif field and field not in self._fields:
            self._field, self._text, self._room = field, [], _ROOM[field]
            if field == "guid":
                self._fields["permalink"] = attributes.get("isPermaLink", "true" if "isPermaLink" in attributes else "false")

    def _say(self, text: str) -> None:
        if self._field and self._room > 0:
            self._text.append(text[: self._room])
            self._room -= len(text)

    def _end(self, name: str) -> None:
        if self._depth == self._story_depth:
            if len(self.stories) < STORIES:
                self.stories.append(_story(self._fields))
            self._story_depth = 0
        elif self._field and self._depth == self._story_depth + 1:
            self._fields[self._field] = " ".join("".join(self._text).split())
            self._field = ""
        self._depth -= 1


def _story(fields: dict[str, str]) -> str:
    date = fields.get("published") or fields.get("updated")
    parts = {"title": fields.get("title"), "link": fields.get("link"), "guid": fields.get("guid"), "pubDate": date}
    if parts["link"] is None and fields.get("permalink") == "true":
        parts["link"] = parts["guid"]
    attributes = {"guid": ' isPermaLink="false"'}
    written = (f"<{name}{attributes.get(name, '')}>{html.escape(text)}</{name}>" for name, text in parts.items() if text)
    return f"<item>{''.join(written)}</item>"
