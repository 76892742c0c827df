"""How a validation is read: in a sentence and as a page."""

import html.parser
import sys
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from itertools import pairwise

import msgspec
import pytest

from exchanges_db import ConfigurationError, SymbolKind, SymbolStats, SymbolStatus
from exchanges_db.validation.latency import Latency, latency_of
from exchanges_db.validation.picture import bar_edges, picture_of
from exchanges_db.validation.report import report_html, summary
from exchanges_db.validation.validate import CheckResult, ValidationReport

VOID = {"meta", "link", "br"}
SYMBOLS = (
    SymbolStats(
        exchange="GATEIO_FUTURES",
        kind=SymbolKind.PERPETUAL,
        status=SymbolStatus.TRADING,
        symbols=612,
        latest_update=datetime(2026, 1, 31, 11, tzinfo=UTC),
    ),
    SymbolStats(
        exchange="MEXC_SPOT",
        kind=SymbolKind.SPOT,
        status=SymbolStatus.DELISTED,
        symbols=34,
        latest_update=datetime(2026, 1, 30, 11, tzinfo=UTC),
    ),
)
HOSTILE = "</td><script>alert('x')</script> [red]no markup[/red] & \x1b[2J"


def a_report(
    detail: str = "as it should be",
    *,
    passed: bool = True,
    latency: Latency | None = None,
    symbols: tuple[SymbolStats, ...] | None = SYMBOLS,
) -> ValidationReport:
    """A report of two checks, of which the second is as told."""
    return ValidationReport(
        started_at=datetime(2026, 1, 31, 12, tzinfo=UTC),
        package_version="1.2.3",
        server_version="18.4",
        database_name="trading",
        schema_version="003",
        checks=(
            CheckResult(name="table reachable", passed=True, detail="3 exchanges", seconds=0.0012),
            CheckResult(name="schema as recorded", passed=passed, detail=detail, seconds=0.5),
        ),
        latency=latency,
        symbols=symbols,
    )


def a_latency(*times_ms: float) -> Latency:
    """The figures of some look-ups."""
    return latency_of(times_ms or (0.1, 0.11, 0.12, 0.2, 3.0), target_ms=1.0)


class Page(html.parser.HTMLParser):
    """Reads a page: the elements that are open, what they were, and the text outside the style sheet."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that ends at once."""
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        """Hold that it is the innermost open element that ends."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Collect the text."""
        if self.open[-1:] != ["style"]:
            self.text += data


def test_the_summary_counts_and_says_where() -> None:
    """One sentence, from which the outcome can be told."""
    assert summary(a_report()) == "all 2 checks passed; PostgreSQL 18.4, schema 003, exchanges_db 1.2.3"
    assert summary(a_report(passed=False)).startswith("1 of 2 checks failed")


def test_a_server_that_did_not_answer_is_said() -> None:
    """Without a server the summary has no version to tell."""
    report = msgspec.structs.replace(a_report(passed=False), server_version=None, schema_version=None)
    assert "the server did not answer, schema unknown" in summary(report)
    assert "no answer" in Page(report_html(report)).text


@pytest.mark.parametrize("passed", [True, False])
def test_the_page_is_whole_and_alone(passed: bool) -> None:
    """Every element is closed in order, nothing is loaded from elsewhere, and the page says its language and title."""
    page = Page(report_html(a_report(passed=passed, latency=a_latency())))
    assert page.open == []
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert ("lang", "en") in page.attributes
    assert not [name for name, _ in page.attributes if name in ("src", "srcset") or name.startswith("on")]
    assert ("Passed" if passed else "Failed") + ": validation" in page.text


def test_the_page_says_what_the_table_says() -> None:
    """Checks, results, details and figures are all on the page."""
    page = Page(report_html(a_report("index x is missing", passed=False, latency=a_latency())))
    for text in ("table reachable", "index x is missing", "FAILED", "1 of 2 checks failed", "trading", "0.706 ms"):
        assert text in page.text


def test_hostile_text_stays_text_on_the_page() -> None:
    """What a database holds never becomes an element, nor a character that a document must not hold."""
    text = report_html(a_report(HOSTILE))
    page = Page(text)
    assert "script" not in page.tags
    assert "<script>alert('x')</script>" in page.text
    assert "\x1b" not in text


def test_the_picture_shows_the_distribution() -> None:
    """It is well-formed SVG with the lines for p50, p99 and the target, and is told in words besides."""
    text = report_html(a_report(latency=a_latency()))
    start = text.index('<svg xmlns="')
    picture = ET.fromstring(text[start : text.index("</svg>", start) + len("</svg>")])
    words = " ".join(picture.itertext())
    for label in ("p50 0.12 ms", "p99 3 ms", "target (mean) 1 ms", "look-ups"):
        assert label in words
    assert "half took at most 0.120 ms, 99 of 100 at most 3.000 ms" in Page(text).text


def test_the_legend_is_outside_of_the_picture() -> None:
    """Inside it lay on the line of p99 as soon as that was far to the right."""
    text = report_html(a_report(latency=a_latency()))
    legend = Page(text[text.index('<ul class="legend"') : text.index("</ul>") + len("</ul>")])
    assert legend.text.split() == ["p50", "0.12", "ms", "p99", "3", "ms", "target", "(mean)", "1", "ms"]
    assert text.index("</ul>") < text.index('<svg xmlns="')


@pytest.mark.parametrize("times_ms", [(0.1,), (0.5, 0.5, 0.5), (20.0, 30.0), (0.0001, 1000.0), (0.1,) * 999 + (40.0,)])
def test_all_that_is_drawn_lies_inside_of_the_picture(times_ms: tuple[float, ...]) -> None:
    """Every look-up is in a bar that can be seen, and the numbers of the scale do not run into each other."""
    picture = picture_of(a_latency(*times_ms))
    assert sum(bar.lookups for bar in picture.bars) == len(times_ms)
    assert max(bar.height for bar in picture.bars) == picture.bottom - picture.top
    for bar in picture.bars:
        assert picture.left <= bar.x < bar.x + bar.width <= picture.right + 0.2
        assert picture.top <= bar.y < picture.bottom
        assert bar.height >= 1
    places = [mark.x for mark in picture.marks]
    assert all(picture.left <= mark.x <= picture.right for mark in picture.marks + picture.lines)
    assert all(later - earlier > 30 for earlier, later in pairwise(places))


def test_the_page_fits_a_phone_and_the_night() -> None:
    """It is as wide as its screen, folds its widest table there, and has colours for dark mode."""
    page = report_html(a_report())
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page
    assert "@media (max-width: 40rem)" in page
    assert "@media (prefers-color-scheme: dark)" in page
    assert "color-scheme: light dark" in page


def test_the_symbols_are_counted_on_the_page() -> None:
    """Per exchange, kind and status, as get_symbol_stats gives them."""
    text = Page(report_html(a_report())).text
    for word in ("646 symbols", "GATEIO_FUTURES", "PERPETUAL", "TRADING", "612", "MEXC_SPOT", "DELISTED", "34"):
        assert word in text
    assert "There are no symbols yet." in Page(report_html(a_report(symbols=()))).text
    assert "Symbols could not be counted." in Page(report_html(a_report(symbols=None))).text


def test_the_same_report_gives_the_same_page() -> None:
    """No date and no random id is in it, so that two pages can be compared."""
    report = a_report(latency=a_latency())
    assert report_html(report) == report_html(report)


def test_without_times_there_is_no_picture() -> None:
    """When the look-ups could not be timed, the page says so."""
    page = Page(report_html(a_report()))
    assert "svg" not in page.tags
    assert "Look-ups could not be timed." in page.text


@pytest.mark.parametrize("times_ms", [(0.1,), (0.5, 0.5, 0.5), (20.0, 30.0), (0.0001, 1000.0)])
def test_bars_cover_every_time_and_the_target(times_ms: tuple[float, ...]) -> None:
    """Nothing lies outside the picture, however even or uneven the times are."""
    edges = bar_edges(a_latency(*times_ms))
    assert edges == sorted(set(edges))
    assert edges[0] < min(*times_ms, 1.0)
    assert edges[-1] > max(*times_ms, 1.0)


def test_without_the_extra_the_page_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing package is an error that names the extra."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'exchanges_db\[report\]'"):
        report_html(a_report(latency=a_latency()))
