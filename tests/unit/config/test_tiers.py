import json

import pytest
from pydantic import ValidationError

from undertow.config.tiers import PricesPerMtok, TierSettings


def tier(**values) -> TierSettings:
    return TierSettings.model_validate_json(json.dumps(values))


def test_patterns_are_enough():
    assert tier(models=["*-mini*"]).models == ("*-mini*",)
    assert tier().prices == "auto"


def test_prices_are_auto_or_a_table():
    assert tier(prices={"input_usd_per_mtok": 1, "output_usd_per_mtok": 2}).prices == PricesPerMtok(
        input_usd_per_mtok=1, output_usd_per_mtok=2
    )


@pytest.mark.parametrize(
    "values",
    [
        {"prices": "free"},
        {"prices": {"input_usd_per_mtok": -1, "output_usd_per_mtok": 2}},
        {"rank": -1},
        {"endpoints": [{"kind": "openai"}]},
        {"kind": "grpc"},
        {"models": "gpt"},
    ],
)
def test_wrong_tiers_are_refused(values):
    with pytest.raises(ValidationError):
        tier(**values)
