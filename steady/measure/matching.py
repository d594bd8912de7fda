"""What an answer is read as: two answers of a group agree when they read the same, and one is right when it reads as its output.

An answer of which nothing can be read is *format loss*: it agrees with none and is counted apart from wrong answers.
"""

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib import import_module
from pathlib import Path

import msgspec

from steady.errors import SteadyError
from steady.measure.prompt_files import AskedPrompt, PromptFile, refuse
from steady.metrics.answers import normalised
from steady.models.chat import THOUGHTS, THOUGHTS_END
from steady.records import Prediction

Reading = str | None
Read = Callable[[str], Reading]
NORMALIZED = "normalized"
FORMS = "exact, normalized, contains, number, regex:PATTERN, label:A,B,C, python:MODULE.FUNCTION"
NUMBER = re.compile(r"(?<![\w.,])[-+−]?(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class Matcher:
    """How answers are read and compared.

    `read` maps an answer to what is compared, None where there is nothing to read; `contained`: an answer that holds the output
    is right.
    """

    spec: str
    read: Read
    contained: bool = False

    def _is_right(self, reading: str, output: str) -> bool:
        if self.contained:
            return _as_word(normalised(output)).search(reading) is not None
        return reading == self._target(output)

    def _target(self, output: str) -> str:
        """What an output reads as: as an answer does or, where it is not one, its normalised text."""
        return self.read(output) or normalised(output)

    def judged(self, prediction: Prediction, prompt: AskedPrompt, finite: bool = True) -> Prediction:
        """The prediction with `parsed`, what it reads as, and `correct`, null without an output.

        A right answer reads as the first output, so that answers that say the same in two of the allowed ways agree. `finite`:
        its log-probabilities are numbers or nobody gave some; an answer of broken weights is none.
        """
        text = final_answer(prediction.text) if finite else None
        reading = None if text is None else self.read(text)
        outputs = prompt.outputs
        right = reading is not None and any(self._is_right(reading, output) for output in outputs)
        parsed = self._target(outputs[0]) if right else reading
        return msgspec.structs.replace(prediction, parsed=parsed, correct=right if outputs else None)


def final_answer(text: str) -> str | None:
    """An answer without the thoughts before it; None where the limit cut it off while it was thinking."""
    _, closed, answer = text.rpartition(THOUGHTS_END)
    if closed:
        return answer.strip()
    return None if text.lstrip().startswith(THOUGHTS) else text


def find_matcher(spec: str) -> Matcher:
    """The matcher that `--match` names; SteadyError where there is none, or its pattern, labels or function are at fault."""
    name, _, detail = spec.partition(":")
    if (read := PLAIN.get(spec)) is not None:
        return Matcher(spec, read, contained=spec == "contains")
    made = {"regex": _regex, "label": _label, "python": _python}.get(name)
    if made is None or not detail:
        raise SteadyError(f"--match {spec}: unknown. Allowed: {FORMS}.")
    return Matcher(spec, made(spec, detail))


def check_outputs(file: PromptFile, matcher: Matcher) -> None:
    """Refuse outputs that no answer could equal, such as one without a number under `--match number`; each with its line."""
    # the others read any text
    if matcher.spec.partition(":")[0] not in ("number", "label", "python"):
        return
    faults = [
        f"{file.place(prompt.id)}: --match {matcher.spec} reads nothing in the output {output!r:.60}, so no answer would be right."
        for prompt in file.prompts
        for output in prompt.outputs
        if matcher.read(output) is None
    ]
    # an item has its output under every wording
    refuse(list(dict.fromkeys(faults)))


def _normalized(text: str) -> Reading:
    return normalised(text) or None


def _as_word(text: str) -> re.Pattern[str]:
    """A pattern for a text that is not part of a longer word: `no` is not in `I know`."""
    return re.compile(rf"(?<!\w){re.escape(text)}(?!\w)")


def _number(text: str) -> Reading:
    found = NUMBER.findall(text)
    # the last one: answers that reason end with the result (as GSM8K's are read)
    return format(Decimal(found[-1].replace(",", "").replace("−", "-")).normalize(), "f") if found else None


# How the matchers without a detail read an answer
PLAIN: dict[str, Read] = {
    "exact": lambda text: text.strip() or None,
    NORMALIZED: _normalized,
    "contains": _normalized,
    "number": _number,
}


def _regex(spec: str, pattern: str) -> Read:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise SteadyError(f"--match {spec}: no regular expression: {error}.") from error
    # of several groups it would not be clear which one is compared
    if compiled.groups > 1:
        raise SteadyError(f"--match {spec}: {compiled.groups} groups; one at most, which is what is compared.")

    def read(text: str) -> Reading:
        found = compiled.search(text)
        return None if found is None else normalised(found[compiled.groups] or "") or None

    return read


def _label(spec: str, names: str) -> Read:
    labels = [label.strip() for label in names.split(",") if label.strip()]
    if len({normalised(label) for label in labels}) < 2:
        raise SteadyError(f"--match {spec}: name at least two labels, such as label:yes,no.")
    # longer labels first, and what they cover is not looked at again: `not spam` does not say `spam`
    patterns = [(label, _as_word(normalised(label))) for label in sorted(labels, key=len, reverse=True)]

    def read(text: str) -> Reading:
        left, found = normalised(text), []
        # a NUL, which no label has, takes the place of what was found
        for label, pattern in patterns:
            left, times = pattern.subn("\0", left)
            found += [label] * bool(times)
        # two labels in one answer are no choice
        return found[0] if len(found) == 1 else None

    return read


def _python(spec: str, path: str) -> Read:
    module, _, name = path.rpartition(".")
    try:
        sys.path.insert(0, str(Path.cwd()))  # the installed `steady` does not look into the folder it is called in
        function = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError, SyntaxError) as error:
        raise SteadyError(
            f"--match {spec}: cannot import {path}: {error}. Give MODULE.FUNCTION of this folder."
        ) from error
    finally:
        sys.path.pop(0)
    if not callable(function):
        raise SteadyError(f"--match {spec}: {path} is no function.")

    def read(text: str) -> Reading:
        try:
            found = function(text)
        except Exception as error:
            raise SteadyError(
                f"--match {spec}: {type(error).__name__}: {error}, for the answer {text!r:.80}"
            ) from error
        if found is not None and not isinstance(found, str):
            raise SteadyError(
                f"--match {spec}: returned {found!r:.60} for the answer {text!r:.80}; return a text or None."
            )
        return found or None

    return read


def unequal_but_contained(predictions: Sequence[Prediction], prompts: Sequence[AskedPrompt]) -> int:
    """How many wrong answers contain an output as a whole word: a sign that `contains` was meant."""
    contains = find_matcher("contains")
    pairs = zip(predictions, prompts, strict=True)
    return sum(
        bool(item.correct is False and item.parsed and contains.judged(item, prompt).correct) for item, prompt in pairs
    )
