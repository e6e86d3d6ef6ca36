"""Makes hostile bytes into text that is safe to store and to show. Pure; done once, before a line is stored.

Undecodable bytes become U+FFFD; control characters become their pictures (U+2400…), so that NUL and the like are
seen and can do nothing. TAB stays, and so does ESC: colours need it, and the viewer reduces it to those.
"""

import re

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1a\x1c-\x1f\x7f-\x9f\u2028\u2029]")
_KEPT = {0x09, 0x1B}
_PICTURES: dict[int, str] = {
    **{code: chr(0x2400 + code) for code in range(0x20) if code not in _KEPT},
    0x7F: "\u2421",
    **dict.fromkeys(range(0x80, 0xA0), "\ufffd"),
    0x2028: "\u2424",
    0x2029: "\u2424",
}


def clean_text(raw: bytes) -> str:
    """Return the text of a line; a carriage return at its end is a line ending of another world and is dropped."""
    text = raw.decode("utf-8", "replace").removesuffix("\r")
    if _CONTROL.search(text) is None:
        return text
    return text.translate(_PICTURES)
