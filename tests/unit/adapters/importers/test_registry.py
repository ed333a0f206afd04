from undertow.adapters.importers.registry import BY_FORMAT, IMPORTERS
from undertow.records.columns import DECISION_COLUMNS

COLUMNS = {column.name for column in DECISION_COLUMNS}


def test_names_are_unique_and_columns_exist():
    assert len(BY_FORMAT) == len(IMPORTERS)
    for importer in IMPORTERS:
        assert importer.sources.keys() <= COLUMNS
        assert importer.hints.keys() <= COLUMNS


def test_the_general_formats_are_asked_last():
    assert [importer.format for importer in IMPORTERS][-2:] == ["otel", "csv"]


def test_every_importer_says_where_the_required_columns_come_from():
    for importer in IMPORTERS:
        assert importer.sources["decision_id"]
        assert importer.sources["event_time"]
