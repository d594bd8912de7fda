"""The page: complete, the same for the same findings, nothing of it from elsewhere, and nothing of the data taken for markup."""

import re
from collections import Counter
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from stages.report import main
from steady.errors import SteadyError
from steady.metrics.resampling import Estimate
from steady.metrics.results import Confusion
from steady.report.examples import disagreement, groups_of
from steady.report.findings import read_findings
from steady.report.markup import Markup, marked, tag
from steady.report.page import render_page, sentence
from steady.report.pictures import MOST_LABELS, OTHERS, most_confused

VOID = {"meta", "link", "input", "br", "hr", "img"}


class Checker(HTMLParser):
    """Counts elements and ids, and finds tags that do not match."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: Counter[str] = Counter()
        self.links: list[str] = []
        self.faults: list[str] = []

    def handle_starttag(self, name, attributes):
        found = dict(attributes)
        self.ids.update([found["id"]] if "id" in found else [])
        self.links += [found[key] for key in ("href", "src") if key in found]
        if name not in VOID:
            self.open.append(name)

    def handle_startendtag(self, name, attributes):
        pass

    def handle_endtag(self, name):
        if not self.open or self.open.pop() != name:
            self.faults.append(f"</{name}>")


def test_the_page_is_well_formed_with_each_id_once_and_no_link_that_leads_out(page):
    checker = Checker()
    checker.feed(page)
    assert checker.faults == [] and checker.open == []
    named = {name: count for name, count in checker.ids.items() if not name.startswith("clip")}
    assert set(named.values()) == {1}
    inside = [link for link in checker.links if link.startswith("#")]
    assert {link[1:] for link in inside} <= set(named)
    assert [link for link in checker.links if link not in inside] == ["data:,"]


def test_every_wording_has_its_dot_with_an_interval_in_each_arm(page, found):
    for arm in found.arms:
        for name, entry in arm.sensitivity.wordings.items():
            low, high = (f"{value:.3f}".removeprefix("0") for value in entry.accuracy.interval)
            said = rf'aria-label="{re.escape(name)} \({entry.level}\), {arm.name}: [.\d]+ \[{re.escape(low)} {re.escape(high)}\]"'
            assert len(re.findall(said, page)) == 1, name


def test_equal_findings_give_equal_bytes(places, page):
    assert render_page(read_findings(places)) == page
    assert len(page.encode()) < 3_000_000


def test_every_part_is_there(page):
    for title in ("How good are the arms?", "Texts whose answer changed", "Rows won and lost", "How did the training go?",
                  "What the model sees", "The data", "How it was run", "Words used here"):  # fmt: skip
        assert f"<h2>{title}" in page
    for fact in ("abc123", "2.13.0", "seed: 0", "a.jsonl:7", "empty_text", "75%", "What the model will see"):
        assert fact in page
    assert page.count('class="verdict ') == 4
    assert (
        page.count("<svg ") == 3 + 1 + 6 + 3 + 3 + 3
    )  # legends, quality, measures x levels, wordings, matrices, curves


def test_what_the_data_hold_is_never_markup(page):
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<b>1</b>" not in page
    assert tag("p", "<i>", Markup("<b>"), title='"<') == '<p title="&quot;&lt;">&lt;i&gt;<b></p>'


def test_every_mark_of_a_chart_says_what_it_is(page):
    charts = re.findall(r"<svg .*?</svg>", page, flags=re.DOTALL)
    point = r'aria-label="([^"]*)" role="graphics-symbol" aria-roledescription="point"'
    marks = [label for chart in charts for label in re.findall(point, chart)]
    assert any(re.fullmatch(r"spelling, tuned: \.\d+ \[.*\]", label) for label in marks)
    assert any(label.startswith("spelling/omit-1 (L2), control: .") for label in marks)
    assert not any("undefined" in chart or "NaN" in chart for chart in charts)


def test_differences_are_marked_word_by_word():
    assert marked("Text: one two\nLabel:", "Text: one too\n\nLabel:") == (
        "Text: one <del>two⏎\n</del><ins>too⏎\n⏎\n</ins>Label:"
    )
    assert marked("a < b", "a < b") == "a &lt; b"


def test_disagreement_is_the_share_of_unequal_pairs():
    assert disagreement(["a", "a", "b"]) == pytest.approx(2 / 3)
    assert disagreement(["a"]) == disagreement(["a", "a"]) == 0
    assert disagreement(["a", "b"]) == 1


def test_groups_begin_with_the_canonical_prompt_and_come_worst_first(found, page):
    groups = groups_of(found.sensitivity)
    assert len(groups) == 12
    assert all(found.sensitivity[group.rows[0]].wording == "canonical" for group in groups)
    shares = [int(share) for share in re.findall(r"(\d+)% of pairs differ in tuned", page)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0


def test_won_and_lost_rows_are_those_of_the_comparison(found, page):
    steps = found.comparison.steps.values()
    rows = page.split('id="rows"')[1].split("</table>")[0].count('<tr role="row"><th scope="row"')
    assert rows == sum(step.quality.won + step.quality.lost for step in steps)


def test_answers_to_other_prompts_are_refused(places):
    path = places.reports / "tuned" / "predictions.jsonl"
    whole = path.read_text()
    try:
        path.write_text("\n".join(whole.splitlines()[::-1]) + "\n")
        with pytest.raises(SteadyError, match="the prediction is for prompt"):
            read_findings(places)
    finally:
        path.write_text(whole)


def test_the_stage_writes_the_page_and_says_what_it_did(places, page, tmp_path):
    out = tmp_path / "index.html"
    options = {"params": places.params, "metrics": places.metrics, "reports": places.reports, "comparison": places.comparison,
               "data": places.data, "format": places.format, "prompts": places.formatted,
               "rejected": places.rejected, "versions": places.versions, "out": out,
               "previews": out.with_name("previews.md")}  # fmt: skip
    arguments = [f"--{name}={path}" for name, path in options.items()]
    done = CliRunner().invoke(main, [*arguments, *(f"--provenance={path}" for path in places.provenance)])
    assert done.exit_code == 0, done.output
    assert out.read_text() == page
    assert "There are none" in out.with_name("previews.md").read_text()
    missing = CliRunner().invoke(main, [*arguments, "--metrics=nowhere"])
    assert missing.exit_code == 1 and "nowhere" in missing.output and "Traceback" not in missing.output


def test_of_many_labels_the_most_confused_are_shown_and_no_answer_is_lost():
    names = [f"label {n}" for n in range(77)]
    # every label is right three times; the first 30 are taken for the next one, the lower their number the more often
    counts = [
        [3 * (column == row) + max(0, 30 - row) * (column == row + 1) for column in range(78)] for row in range(77)
    ]
    counts[0][77] = 2  # answers without a label
    found = most_confused(Confusion(names, [*names, "(none)"], counts))
    assert found.actual == names[:MOST_LABELS]
    assert found.predicted == [*names[:MOST_LABELS], "(none)", OTHERS]
    assert [sum(row) for row in found.counts] == [sum(row) for row in counts[:MOST_LABELS]]
    assert found.counts[0][MOST_LABELS] == 2
    assert found.counts[-1][-1] == 11, "the last of them is taken for one that is not shown"
    few = Confusion(names[:3], [*names[:3], "(none)"], [[1, 0, 0, 0]] * 3)
    assert most_confused(few) is few


def test_the_sentence_is_about_the_references_where_no_long_answer_is_one_of_them():
    def arm(name: str, accuracy: float, perplexity: float) -> SimpleNamespace:
        cell = SimpleNamespace(n_groups=5, measures={"mean_accuracy": Estimate(accuracy, None)})
        written = SimpleNamespace(test={"reference_perplexity": Estimate(perplexity, None)})
        return SimpleNamespace(
            name=name,
            evaluate=SimpleNamespace(labels=[], generated=written),
            sensitivity=SimpleNamespace(levels={"L1": {"paraphrase": cell}}, held_out=cell),
        )

    def said(*arms: SimpleNamespace) -> str:
        return sentence(SimpleNamespace(arms=arms, comparison=SimpleNamespace(claims=[])))

    assert said(arm("base", 0.0, 45.8), arm("tuned", 0.0, 30.4)).startswith(
        "Perplexity of the reference answers of the test split: base 45.800, tuned 30.400."
    )
    assert "Accuracy under paraphrases" in said(arm("base", 0.0, 45.8), arm("tuned", 0.2, 30.4))
