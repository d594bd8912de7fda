"""Checks of a whole file: duplicates, phrases that come back, diversity within bounds measured on its first rows."""

from collections.abc import Iterator, Sequence

from checks import text
from checks.findings import Finding
from checks.rows import Bounds, Row

BLOCK = 200  # rows; both measures of diversity depend on how much text there is, so equal amounts are compared
RUN = 6  # words
ROWS_SHARING_A_RUN = 3
NEAR_DUPLICATE = 0.5  # Jaccard similarity over character 5-grams


def duplicates(source: str, rows: Sequence[Row], field: str) -> Iterator[Finding]:
    """Findings for texts that are equal but for case, punctuation and white space."""
    seen: dict[str, int] = {}
    for row in rows:
        form = text.normal_form(row.values[field])
        if form in seen:
            yield Finding(source, row.line, "duplicate", f"the same `{field}` as line {seen[form]}")
        seen.setdefault(form, row.line)


def near_duplicates(source: str, rows: Sequence[Row], field: str, group: str | None = None) -> Iterator[Finding]:
    """Findings for pairs of similar texts; pairs inside one group, which share what they ask about, do not count."""
    for i, j, similarity in text.near_duplicates([row.values[field] for row in rows], NEAR_DUPLICATE):
        if group is None or rows[i].values[group] != rows[j].values[group]:
            reason = f"`{field}` is {similarity:.2f} similar to line {rows[i].line}, allowed below {NEAR_DUPLICATE}"
            yield Finding(source, rows[j].line, "near-duplicate", reason)


def tics(source: str, rows: Sequence[Row], field: str, group: str | None = None) -> Iterator[Finding]:
    """Findings for runs of six words in more than three rows (or groups, whose members quote the same sentence)."""
    units: dict[str, list[Row]] = {}
    for row in rows:
        units.setdefault(row.values[group] if group else str(row.line), []).append(row)
    texts = [" \n ".join(row.values[field] for row in unit) for unit in units.values()]
    lines = [unit[0].line for unit in units.values()]
    for run, where in text.repeated_runs(texts, RUN, ROWS_SHARING_A_RUN).items():
        reason = f"`{' '.join(run)}` is in {len(where)} {'groups' if group else 'rows'}, allowed {ROWS_SHARING_A_RUN}"
        yield Finding(source, lines[where[-1]], "phrase", reason)


def blocks(texts: Sequence[str]) -> list[Sequence[str]]:
    """Consecutive blocks of 200 texts, the last one flush with the end; a shorter list is one block."""
    starts = list(range(0, max(1, len(texts) - BLOCK + 1), BLOCK))
    if len(texts) > BLOCK and len(texts) % BLOCK:
        starts.append(len(texts) - BLOCK)
    return [texts[start : start + BLOCK] for start in starts]


def diversity(source: str, texts: Sequence[str], distinct: Bounds, compression: Bounds) -> Iterator[Finding]:
    """Findings for blocks whose distinct-4-gram share or compression ratio is out of bounds."""
    for number, block in enumerate(blocks(texts), start=1):
        for name, value, allowed in (
            ("distinct-4-gram share", text.distinct_share(block), distinct),
            ("compression ratio", text.compression_ratio(block), compression),
        ):
            if not allowed.holds(value):
                reason = f"{name} of block {number} is {value:.3f}, allowed {allowed.low:.3f} to {allowed.high:.3f}"
                yield Finding(source, 0, "diversity", reason)
