"""For any pattern and any text, the matches are those of `re.finditer`."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from gistapi.matching import compile_pattern
from tests.matching.grammar import FLAGS, flags_of, patterns, texts_for
from tests.matching.reference import our_spans, python_compile, spans

TEXTS = 20


def test_translation_agrees_with_re(capsys: pytest.CaptureFixture[str]) -> None:
    """The engine that gistapi chooses finds the matches of `re.finditer`, at the same offsets.

    Wherever `re` finds a match, RE2 finds one by the loose translation, and the required literal
    is in the text.
    """
    seen: Counter[str] = Counter()

    @given(pattern=patterns(), flags=st.sampled_from(FLAGS), data=st.data())
    def check(pattern: str, flags: int, data: DataObject) -> None:
        reference = python_compile(pattern, flags)
        compiled = compile_pattern(pattern, flags_of(flags))
        for text in data.draw(texts_for(pattern, TEXTS)):
            every = spans(reference, text)
            expected = every[0] if every else None
            assert our_spans(compiled, text) == every, (pattern, flags, text)
            assert our_spans(compiled, text, 1) == every[:1], (pattern, flags, text)
            seen["spans"] += len(every)
            engine = compiled.engine(is_ascii=text.isascii(), is_empty=not text)
            if (prefilter := compiled.prefilter) is not None and expected is not None:
                assert prefilter.compiled.search(text.encode()), (pattern, flags, text)
                seen["prefilter"] += engine.name == "re"
            if compiled.literal not in text.encode():
                assert expected is None, (pattern, flags, text)
                seen["lacking"] += 1
            seen[engine.name] += 1
            seen["match"] += expected is not None

    check()
    cases = seen["re"] + seen["re2"]
    with capsys.disabled():  # figures for the decision page
        print(f"\n{cases} texts, {seen['re2']} on RE2, {seen['match']} with a match")  # noqa: T201
        print(f"{seen['spans']} matches")  # noqa: T201
    assert seen["match"] >= 0.3 * cases
    assert seen["re2"] >= 0.5 * cases
    assert seen["prefilter"] >= 0.02 * cases
    assert seen["lacking"] >= 0.02 * cases
