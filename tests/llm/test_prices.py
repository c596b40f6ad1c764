from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import PipelineError
from pipeline.llm.prices import FREE, Price, cost_usd, find_price, load_prices, worst_usd

MINI = Price(input=0.15, cached_input=0.075, output=0.60)


def test_a_million_tokens_cost_what_the_table_says() -> None:
    price = load_prices()["gpt-4o-mini"]
    assert cost_usd(price, 1_000_000, 0, 0) == pytest.approx(0.15)
    assert cost_usd(price, 1_000_000, 1_000_000, 0) == pytest.approx(0.075)
    assert cost_usd(price, 0, 0, 1_000_000) == pytest.approx(0.60)
    assert cost_usd(price, 1_000_000, 500_000, 1_000_000, batch=True) == pytest.approx((0.075 + 0.0375 + 0.60) / 2)


def test_cached_tokens_cost_as_much_as_others_where_nothing_else_is_said() -> None:
    assert cost_usd(Price(input=1, output=2), 1000, 900, 0) == pytest.approx(0.001)


@pytest.mark.parametrize(
    "model", ["gpt-4o-mini", "gpt-4o-mini-2024-07-18", "openai/gpt-4o-mini", "openai/gpt-4o-mini-2024-07-18"]
)
def test_a_model_is_found_by_its_name_its_snapshot_and_behind_its_provider(model: str) -> None:
    prices = load_prices()
    assert find_price(prices, model) == prices["gpt-4o-mini"]


def test_a_snapshot_with_an_entry_of_its_own_costs_what_that_says() -> None:
    price = find_price(load_prices(), "openai/gpt-4o-2024-05-13")
    assert price
    assert price.input == 5


@pytest.mark.parametrize("model", ["gpt-4o-mini-audio", "ft:gpt-4o-mini:us", "else/gpt-4o-mini", "gpt", "", "gpt-4o-"])
def test_a_price_is_never_guessed(model: str) -> None:
    assert find_price(load_prices(), model, "https://api.openai.com/v1") is None


def test_a_model_of_this_machine_is_free_unless_it_has_a_price() -> None:
    assert find_price(load_prices(), "llama", "http://localhost:8000/v1") == FREE
    assert find_price(load_prices(), "llama", "http://127.0.0.1:8000/v1") == FREE
    assert find_price(load_prices(), "llama", "http://localhost.example.org/v1") is None
    assert find_price({"llama": MINI}, "llama", "http://localhost:8000/v1") == MINI


def test_every_shipped_price_is_dated_and_makes_sense() -> None:
    for model, price in load_prices().items():
        assert price.as_of, model
        assert 0 < (price.cached_input or price.input) <= price.input < price.output, model


def test_the_users_entries_come_before_the_shipped_ones(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('["gpt-4.1"]\ninput = 7\noutput = 8\n[mine]\ninput = 0.5\noutput = 1\nbatch_factor = 0.25\n')
    prices = load_prices(own)
    assert prices["gpt-4.1"] == Price(input=7, output=8)
    assert prices["mine"].batch_factor == 0.25
    assert "gpt-4o" in prices


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[m]\ninput = -1\noutput = 1\n", "own.toml: m: input: .*greater than or equal to 0"),
        ("[m]\ninput = nan\noutput = 1\n", "own.toml: m: input: .*finite"),
        ("[m]\ninput = 1\n", "own.toml: m: output: Field required"),
        ("[m]\ninput = 1\noutput = 1\ncache = 1\n", "own.toml: m: cache: Extra inputs"),
        ("[gpt-4.1]\ninput = 1\noutput = 1\n", "cut at its dot; write the name in quotes"),
        ("m = 1\n", "m is no entry"),
        ("[m\n", "own.toml: "),
    ],
)
def test_a_broken_file_is_told_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    own = tmp_path / "own.toml"
    own.write_text(text)
    with pytest.raises(PipelineError, match=told) as error:
        load_prices(own)
    assert "\n" not in str(error.value)


def test_a_file_that_cannot_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"cannot read .*none\.toml"):
        load_prices(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xe9\n")
    with pytest.raises(PipelineError, match="not UTF-8"):
        load_prices(tmp_path / "latin.toml")


@given(
    body=st.integers(1, 10**6),
    bound=st.integers(1, 10**5),
    prompt=st.floats(0, 1),
    cached=st.floats(0, 1),
    reply=st.floats(0, 1),
    cached_input=st.none() | st.floats(0, 5),
    batch=st.booleans(),
)
def test_nothing_costs_more_than_its_worst_case(
    body: int, bound: int, prompt: float, cached: float, reply: float, cached_input: float | None, batch: bool
) -> None:
    price = Price(input=1.1, cached_input=cached_input, output=4.4)
    tokens = int(body * prompt), int(body * prompt * cached), int(bound * reply)
    assert cost_usd(price, *tokens, batch=batch) <= worst_usd(price, body, bound, batch=batch) * (1 + 1e-12)
