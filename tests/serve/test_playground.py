"""The playground in headless Chromium."""

import shutil
from collections.abc import Iterator

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; `apt-get install chromium` brings one")


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield running
        running.close()


@pytest.fixture
def opened(browser, served):
    contexts, heard = [], []

    def open_page(**settings):
        context = browser.new_context(**settings)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: heard.append(message.text))
        tab.on("pageerror", lambda error: heard.append(str(error)))
        tab.on("request", lambda request: heard.append(request.url) if not request.url.startswith(served.url) else None)
        tab.goto(served.url)
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert [line for line in heard if line != "data:,"] == []


def test_a_message_is_answered_by_every_arm_under_several_wordings_with_the_keyboard_alone(opened):
    tab = opened(viewport={"width": 1000, "height": 900})
    tab.locator("#text").focus()
    tab.keyboard.press("Control+A")
    tab.keyboard.type("Where is my parcel?")
    tab.keyboard.press("Control+Enter")
    tab.wait_for_selector("#body tr", timeout=20_000)
    assert tab.locator("#status").inner_text().startswith("2 arms answered under")
    assert tab.locator("#cards li").count() == 2
    assert tab.locator("#body tr").count() > 3
    said = [
        tab.locator("#body tr").nth(row).locator("td b").first.inner_text()
        for row in range(tab.locator("#body tr").count())
    ]
    pairs = [said[i] == said[j] for i in range(len(said)) for j in range(len(said)) if i != j]
    percent = f"agreement {100 * sum(pairs) / len(pairs):.0f} %"
    assert percent in tab.locator("#cards li").first.inner_text()
    moved = tab.locator("#body tr").filter(has=tab.locator("td:nth-child(2).moved")).count()
    assert moved == sum(label != said[0] for label in said)
    tab.locator("#body summary").first.click()
    assert "Where is my parcel?" in tab.locator("#body pre").first.inner_text()


def test_the_playground_fits_a_phone_and_turns_dark(opened):
    tab = opened(viewport={"width": 390, "height": 844}, color_scheme="dark")
    tab.locator("#ask").click()
    tab.wait_for_selector("#body tr", timeout=20_000)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"


def test_a_blank_message_is_told_and_the_next_question_is_answered(opened):
    tab = opened()
    tab.locator("#text").fill("   ")
    tab.locator("#ask").click()
    tab.wait_for_selector("#status.wrong", timeout=20_000)
    assert tab.locator("#status").inner_text() == "Type a message first."
    tab.locator("#text").fill("a real one")
    tab.locator("#ask").click()
    tab.wait_for_selector("#body tr", timeout=20_000)
