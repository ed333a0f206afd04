"""Rates and draws as they are written."""

import msgspec

from undertow.records.sampling import Drawn, SampleRate, SamplingRates


def test_a_draw_is_written_whole_and_rates_survive_a_file():
    assert msgspec.json.encode(Drawn("review", "tail", 0.5, chosen=False)) == (
        b'{"purpose":"review","stratum":"tail","inclusion_probability":0.5,"chosen":false}'
    )
    rates = SamplingRates(rates=(SampleRate(tier="cheap", segment="intent=billing", stratum="tail", review=0.1),))
    assert msgspec.json.decode(msgspec.json.encode(rates), type=SamplingRates) == rates
