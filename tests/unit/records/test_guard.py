import msgspec

from undertow.records.guard import CONTROLS_SCHEMA, Controls, GuardMemory, PolicyControls, Restriction, TrailEntry


def test_controls_survive_a_file():
    controls = Controls(
        version=3,
        at="2026-03-01T00:00:00.000Z",
        policies={
            "auto": PolicyControls(restrictions=(Restriction(segment="intent=billing", exposure=0.0, source="a1"),))
        },
    )
    assert msgspec.json.decode(msgspec.json.encode(controls), type=Controls) == controls
    assert controls.schema == CONTROLS_SCHEMA


def test_a_restriction_without_numbers_restricts_nothing():
    free = Restriction(source="a1")
    assert (free.exposure, free.raised_by) == (1.0, 0.0)


def test_an_entry_and_the_memory_survive_a_file():
    entry = TrailEntry(id="a1", at="2026-03-01T00:00:00.000Z", who="guard", kind="route_back", evidence={"loss": 0.1})
    assert msgspec.json.decode(msgspec.json.encode(entry), type=TrailEntry) == entry
    memory = GuardMemory(
        at="2026-03-01T00:00:00.000Z", cooling={"auto|intent=billing|route_back": "2026-03-02T00:00:00.000Z"}
    )
    assert msgspec.json.decode(msgspec.json.encode(memory), type=GuardMemory) == memory
