"""Text that has broken programs: quotes, comments, encodings, lengths, and attempts to be taken for something else.

`HOSTILE` is our own list. `NAUGHTY` is both that and the big list of naughty strings (MIT; its notice is in the file).
"""

import json
from pathlib import Path

HOSTILE = [
    # SQL that hopes to be pasted
    "'", "''", '"', '""', "\\", "\\'", "';", "'; DROP TABLE canary; --", "\"; DROP TABLE canary; --",
    "x'); DELETE FROM exchanges; --", "1; TRUNCATE canary", "x' OR '1'='1", "' OR 1=1 --", "' UNION SELECT NULL --",
    "/* half a comment", "*/ SELECT 1", "--", "-- name: x :one", "$1", "$2::text", "$$", "$$; DROP TABLE canary; $$",
    "$tag$", "E'\\x41'", "U&'\\0041'", "%s", "%(name)s", ":p1", "\\:p1", "@name", "?", "{}", "{0}", "{name}",
    "${jndi:ldap://x}", "pg_sleep(9)", "' || pg_sleep(9) || '", "(SELECT pg_sleep(9))", "NULL", "null", "None",
    "DEFAULT", "true", "nan", "NaN", "-0", "1e400", "infinity", "current_user", "COPY canary TO PROGRAM 'true'",
    "id = id", "id = 1; --", "version", "updated_at", "name = (SELECT 'x')", "is_active = false, display_name",
    # patterns of LIKE and of regular expressions, paths, markup, shell
    "%", "_", "100%", "[a-z]*", "(a+)+$", "../../etc/passwd", "file:///etc/passwd", "<script>alert(1)</script>",
    "&lt;b&gt;", "`id`", "$(id)", "a|b", "=1+1", "@SUM(1)", "__proto__", "constructor", "__class__", "self", "cls",
    # whitespace and controls
    "", " ", "   ", "\t", "\n", "\r\n", "a\nb", "\x00", "a\x00b", "\x01", "\x08", "\x1b[31mred", "\x7f", "\x80", "\x85",
    " lead", "trail ", "\u00a0", "\u2003", "\u2028", "\u2029", "\u3000", "\ufeff", "\ufeffBOM", "a\u200bb", "\u200d",
    # letters of every kind
    "\u202egnp.exe", "\u2066hidden\u2069", "e\u0301", "\u00e9", "\u017fpot", "\u0130", "\ufb01", "\u1e9e",
    "MEX\u0421_SPOT", "\u0663", "\u5e01\u5b89", "\u0628\u064a\u062a", "\U0001f4b1", "\U0001f468\u200d\U0001f4bb",
    "\U0010ffff", "\ufffe",
    "\ufffd", "\ud800", "\udfff", "a\udc80b", "Z\u0351\u036b\u0343", "\u0000\u0000",
    # lengths
    "a" * 49, "a" * 50, "a" * 51, "\U0001f4b1" * 50, "\U0001f4b1" * 51, "a" * 63, "a" * 64, "a" * 100, "a" * 101,
    "a" * 255, "a" * 256, "a" * 1_000_000, "'" * 50, "\\" * 50, "e\u0301" * 25, " " * 60, "a" + " " * 60,
    # almost what is wanted
    "MEXC_SPOT", "mexc_spot", "MEXC_SPOT ", "SPOT", "spot", "SPOT;", "https://", "https://h",
    "https://h/'; DROP TABLE canary", "javascript:alert(1)",
    "HTTPS://H", "wss://h", "https://user:pw@h/?q='x'#f", "https://h/" + "a" * 245, "wss:///x",
    "https://\u202egro.h", "https://h/%00", "https://h/a b", "https://h\\@g",
]  # fmt: skip
_FOREIGN = json.loads((Path(__file__).parent / "naughty_strings.json").read_text(encoding="utf-8"))["strings"]
NAUGHTY: list[str] = list(dict.fromkeys([*HOSTILE, *_FOREIGN]))
