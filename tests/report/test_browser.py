"""The page in headless Chromium: content, silence, layouts, keyboard, search, paper."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from steady.metrics.files import read_metrics
from steady.metrics.study_results import StudyResults
from steady.report.study import study_page

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


SCREEN, PHONE = {"width": 1200, "height": 900}, {"width": 390, "height": 844}


class Tab:
    """A tab and what was heard from it: messages, errors, and addresses other than that of the page."""

    def __init__(self, context, address: str) -> None:
        self.tab, self.address, self.heard = context.new_page(), address, []
        self.tab.on("console", lambda message: self.heard.append(message.text))
        self.tab.on("pageerror", lambda error: self.heard.append(str(error)))
        self.tab.on("request", lambda request: self.heard.append(request.url) if request.url != address else None)


@pytest.fixture(scope="module")
def tabs(browser, address):
    """With a mouse and with a touch screen; a tab of its own for each test would take twice as long."""
    return {touch: Tab(browser.new_context(has_touch=touch), address) for touch in (False, True)}


@pytest.fixture
def opened(tabs):
    def open_page(viewport=SCREEN, color_scheme="light", has_touch=False):
        tab = tabs[has_touch].tab
        tab.set_viewport_size(viewport)
        tab.emulate_media(media="screen", color_scheme=color_scheme)
        tab.goto(tabs[has_touch].address)
        return tab

    yield open_page
    for one in tabs.values():
        heard = [line for line in one.heard if line != "data:,"]
        one.heard.clear()
        assert heard == []


def test_the_answer_stands_first_and_nothing_is_wider_than_the_screen(opened):
    tab = opened()
    assert "that no arm was trained on" in tab.locator(".answer").inner_text()
    assert tab.locator(".verdict").count() == 4
    assert tab.evaluate("document.documentElement.scrollWidth") <= 1200
    assert tab.locator("figure svg").first.bounding_box()["width"] > 150


def test_on_a_phone_charts_fill_the_width_and_prompts_stand_below_their_answers(opened):
    tab = opened(PHONE, has_touch=True)
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


def test_one_walks_from_the_worst_matrix_to_the_steadiest_with_the_keyboard(opened):
    tab = opened()
    groups = tab.locator("details.matrix")
    assert groups.count() == 12 and tab.locator("details.matrix[open]").count() == 1
    tab.locator("details.matrix[open] .walk a", has_text="steadier").focus()
    tab.keyboard.press("Enter")
    assert [groups.nth(place).get_attribute("open") is not None for place in range(3)] == [False, True, False]
    assert tab.evaluate("document.activeElement.textContent").startswith("2. ψ")
    tab.locator("details.matrix[open] .walk a", has_text="worse").click()
    assert groups.nth(0).get_attribute("open") is not None
    tab.keyboard.press("Enter")
    assert tab.locator("details.matrix[open]").count() == 0


def test_the_matrix_is_that_of_the_arm_that_is_chosen_or_of_all_side_by_side(opened):
    tab = opened()
    tops = tab.locator("details.matrix[open] th.arm")

    def shown():
        return [
            tops.nth(place).inner_text().split(":")[0] for place in range(tops.count()) if tops.nth(place).is_visible()
        ]

    assert shown() == ["tuned"]
    tab.locator("#show-2").focus()
    tab.keyboard.press("ArrowLeft")
    assert shown() == ["control"]
    tab.locator("#show-all").check()
    assert shown() == ["baseline", "control", "tuned"]


@pytest.mark.parametrize("width", [1200, 390])
def test_a_framed_cell_stands_in_each_row_beside_its_prompt(opened, width):
    tab = opened(viewport={"width": width, "height": 844})
    rows = tab.locator("details.matrix[open] tbody tr")
    assert rows.count() == 6
    for place in range(rows.count()):
        assert rows.nth(place).locator(".a2.own").count() == 1
        assert rows.nth(place).locator(".a2.own").bounding_box()["width"] > 20
        assert rows.nth(place).locator("pre").bounding_box()["width"] > 150
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_numbers_in_the_darkest_and_the_lightest_cell_can_be_read(opened, scheme):
    tab = opened(color_scheme=scheme)
    ratio = """(shade) => {
      const cell = document.querySelector('.a2.own'); cell.className = `a2 h${shade}`;
      const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
      const level = color => { canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map(v => v / 255)
        .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
      const style = getComputedStyle(cell);
      const [a, b] = [level(style.color), level(style.backgroundColor)].sort((x, y) => y - x);
      return (a + .05) / (b + .05); }"""
    for shade in (1, 5, 9):
        assert tab.evaluate(ratio, shade) >= 4.5, shade


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
    assert tab.locator("details:not([open], .matrix)").count() > 0
    tab.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert tab.locator("details:not([open], .matrix)").count() == 0
    assert tab.locator("details.matrix[open]").count() == 1  # all of them would fill a book
    tab.emulate_media(media="print")
    assert tab.locator("nav").is_hidden()
    assert tab.locator("details.matrix:not([open]) table").first.is_hidden()


def test_the_page_of_a_study_says_what_a_mark_is_without_an_error(browser, tmp_path):
    metrics = Path(__file__).parents[2] / "metrics/study-minilm.json"
    (tmp_path / "study.html").write_text(study_page(read_metrics(metrics, StudyResults)), encoding="utf-8")
    opened = Tab(browser.new_context(viewport=PHONE), (tmp_path / "study.html").as_uri())
    tab = opened.tab
    tab.goto(opened.address)
    assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    tab.locator("figure svg [role=graphics-symbol][aria-label^='control, accuracy']").first.focus()
    assert tab.locator("#tip").inner_text().startswith("control, accuracy: 0.794 [")
    assert [line for line in opened.heard if line != "data:,"] == []
