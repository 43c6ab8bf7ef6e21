"""How the columns of on-chain and market files are called in the factor language: one word for one thing."""

import re

# a provider's name, snake-cased -> ours
KNOWN = {
    "adr_act_cnt": "active_addresses",
    "adr_bal_cnt": "funded_addresses",
    "tx_cnt": "transactions",
    "tx_tfr_cnt": "transfers",
    "blk_cnt": "blocks",
    "fee_tot_ntv": "fees_native",
    "fee_tot_usd": "fees_usd",
    "iss_tot_ntv": "issuance_native",
    "iss_tot_usd": "issuance_usd",
    "sply_cur": "supply",
    "sply_ex_ntv": "exchange_supply",
    "flow_in_ex_ntv": "exchange_inflow",
    "flow_out_ex_ntv": "exchange_outflow",
    "flow_in_ex_usd": "exchange_inflow_usd",
    "flow_out_ex_usd": "exchange_outflow_usd",
    "cap_mrkt_cur_usd": "market_cap_usd",
    "cap_mvrv_cur": "mvrv",
    "diff_mean": "difficulty",
    "fear_greed_index": "fear_greed",
    "fear_and_greed": "fear_greed",
    "fng": "fear_greed",
    "defi_tvl_usd": "tvl",
    "tvl_usd": "tvl",
    "total_tvl": "tvl",
    "stablecoin_supply_usd": "stablecoin_supply",
    "total_stablecoin_supply": "stablecoin_supply",
    "oi_open": "open_interest_open",
    "oi_high": "open_interest_high",
    "oi_low": "open_interest_low",
    "oi_close": "open_interest",
    "oi": "open_interest",
    "sum_open_interest": "open_interest",
    "long_short_ratio": "long_short_ratio",
    "buy_sell_ratio": "long_short_ratio",
    "social_sentiment": "sentiment_social",
    "news_sentiment": "sentiment_news",
}

# ours = plus - minus, where a file has both
NETS = (
    ("exchange_netflow", "exchange_inflow", "exchange_outflow"),
    ("exchange_netflow_usd", "exchange_inflow_usd", "exchange_outflow_usd"),
)

# words of the language that a metric may not take
RESERVED = frozenset({"open", "high", "low", "close", "volume", "turnover", "vwap", "returns", "funding_rate"})


def snake(name: str) -> str:
    """`AdrActCnt` -> `adr_act_cnt`, `CapMVRVCur` -> `cap_mvrv_cur`, `PriceUSD` -> `price_usd`; a word of the factor language."""
    spaced = re.sub(r"(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    word = re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")
    return word if word and not word[0].isdigit() else f"m_{word}"


def metric_name(raw: str) -> str:
    """A provider's name as the factor language writes it."""
    word = snake(raw)
    return KNOWN.get(word, word)
