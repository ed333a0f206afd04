from undertow.adapters.store.rates_file import read_rates, write_rates
from undertow.records.runtime_files import SAMPLING
from undertow.records.sampling import SampleRate, SamplingRates


def test_rates_come_back_and_a_damaged_file_is_planned_anew(tmp_path):
    rates = SamplingRates(version="v", salt="ours", rates=(SampleRate(tier="cheap", review=0.1),))
    write_rates(tmp_path, rates)
    assert read_rates(tmp_path) == rates
    (tmp_path / SAMPLING).write_bytes(b'{"schema": "undertow.sampling/99", "rates": []}')
    assert read_rates(tmp_path) is None
    (tmp_path / SAMPLING).write_bytes(b"{half")
    assert read_rates(tmp_path) is None
