"""The page in headless Chromium: content, silence, layouts, keyboard, search, paper."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; `apt-get install chromium` brings one")


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield running
        running.close()


@pytest.fixture(scope="module")
def address(page: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(page)
    return path.as_uri()


@pytest.fixture
def opened(browser, address):
    contexts, heard = [], []

    def open_page(**settings):
        context = browser.new_context(**settings)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: heard.append(message.text))
        tab.on("pageerror", lambda error: heard.append(str(error)))
        tab.on("request", lambda request: heard.append(request.url) if request.url != address else None)
        tab.goto(address)
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert [line for line in heard if line != "data:,"] == []


def test_the_answer_stands_first_and_nothing_is_wider_than_the_screen(opened):
    tab = opened(viewport={"width": 1200, "height": 900})
    assert "accuracy went from" in tab.locator(".answer").inner_text()
    assert tab.locator(".verdict").count() == 4
    assert tab.evaluate("document.documentElement.scrollWidth") <= 1200
    assert tab.locator("figure svg").first.bounding_box()["width"] > 150


def test_on_a_phone_charts_fill_the_width_and_prompts_stand_below_their_answers(opened):
    tab = opened(viewport={"width": 390, "height": 844}, has_touch=True)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    cells = tab.locator(".stacked tbody tr").first
    assert cells.locator("td").last.bounding_box()["y"] > cells.locator("td").first.bounding_box()["y"]
    assert tab.locator(".charts svg").first.bounding_box()["width"] > 280


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_marks_have_contrast_in_light_and_dark(opened, scheme):
    tab = opened(color_scheme=scheme)
    ratio = """(selector) => {
      const level = color => { const [r, g, b] = color.match(/[\\d.]+/g).map(Number).map(v => v / 255)
        .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
      const style = getComputedStyle(document.querySelector(selector));
      const color = selector.includes("path") ? style.fill : style.color;
      const [a, b] = [level(color), level(getComputedStyle(document.body).backgroundColor)].sort((x, y) => y - x);
      return (a + .05) / (b + .05); }"""
    for selector, least in (
        ("p", 7),
        ("figcaption", 4.5),
        ("a[href='#texts']", 4.5),
        ("path[aria-roledescription=point]", 3),
    ):
        assert tab.evaluate(ratio, selector) >= least, selector


def test_the_keyboard_reaches_the_findings_and_walks_the_marks(opened):
    tab = opened()
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to the findings"
    tab.locator("figure path[tabindex='0']").first.focus()
    first = tab.locator("#tip").inner_text()
    tab.keyboard.press("ArrowRight")
    second = tab.locator("#tip").inner_text()
    assert first != second and ":" in second
    tab.keyboard.press("Escape")
    assert tab.locator("#tip").is_hidden()
    tab.locator("summary").nth(1).focus()
    before = tab.locator("details[open]").count()
    tab.keyboard.press("Enter")
    assert tab.locator("details[open]").count() != before


def test_rows_are_searched_by_word_and_counted(opened):
    tab = opened()
    rows = tab.locator("#rows tbody tr")
    everything = rows.count()
    tab.locator("#search").fill("won control")
    shown = sum(rows.nth(place).is_visible() for place in range(everything))
    assert 0 < shown < everything
    assert tab.locator("#matches").inner_text().strip() == f"{shown} of {everything} rows"


def test_a_hostile_text_is_shown_and_not_run(opened):
    tab = opened()
    assert tab.locator("text=<script>alert(1)</script>").count() > 0


def test_on_paper_every_part_is_open_and_the_paper_is_white(opened):
    tab = opened(color_scheme="dark")
    assert tab.locator("details:not([open])").count() > 0
    tab.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert tab.locator("details:not([open])").count() == 0
    tab.emulate_media(media="print")
    assert tab.locator("nav").is_hidden()
