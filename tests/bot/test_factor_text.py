"""Lines of a batch, whatever stands in them."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.factor_text import LARGEST, Refused, Setting, Source, accepted, of_lines, read, read_over, refused, words
from strategies.errors import FactorError

SETTING = Setting(60_000, words(()))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "text", "code", "dialect", "x"]), inner, max_size=4),
    max_leaves=8,
)


def answered(raw: bytes) -> list[dict[str, object]]:
    out: list[dict[str, object]] = []
    for source in of_lines(io.BytesIO(raw)):
        try:
            if isinstance(source, Refused):
                raise source.error
            out.append(accepted(*read(source, SETTING), SETTING))
        except FactorError as error:
            out.append(refused(error))
    return out


@given(raw=st.binary(max_size=300))
def test_any_bytes_are_answered_line_by_line(raw: bytes) -> None:
    lines = [line for line in raw.split(b"\n") if line.strip()]
    assert len(answered(raw)) == len(lines)


@given(value=VALUES)
def test_any_json_is_answered(value: object) -> None:
    (answer,) = answered(json.dumps(value).encode() + b"\n")
    assert answer["ok"] in (True, False)


def test_a_line_may_be_as_long_as_is_allowed_and_no_longer() -> None:
    def line(length: int) -> bytes:
        head = b'{"id": "a", "text": "close", "x": "'
        return head + b"x" * (length - len(head) - 3) + b'"}\n'

    first, second, third = of_lines(io.BytesIO(line(LARGEST) + line(LARGEST + 1) + line(40)))
    assert isinstance(first, Source) and isinstance(second, Refused) and isinstance(third, Source)
    assert (second.id, second.error.code) == (2, "size")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ts_mean(clsoe, 5)", "the data has no column 'clsoe'"),
        ("indneutralize(close, IndClass.sector)", "the data has no column 'sector'"),
        ("def f(df):\n    return df['clsoe'].diff()", "the data has no column 'clsoe', and the code does not make it"),
    ],
)
def test_a_column_that_the_data_lacks_is_named_whatever_the_notation(text: str, says: str) -> None:
    with pytest.raises(FactorError) as caught:
        read_over(Source(text), Setting(60_000, ("open", "high", "low", "close", "volume")))
    assert (caught.value.code, caught.value.message) == ("unknown_name", says)
