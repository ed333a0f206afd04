from undertow.gateway.runtime import Runtime, Supervision, read_supervision, write_supervision


def test_what_the_supervisor_writes_is_read_back(tmp_path):
    assert read_supervision(str(tmp_path)) is None
    state = Supervision(keeper_up=True, keeper_restarts=3, workers=2)
    write_supervision(str(tmp_path), state)
    assert read_supervision(str(tmp_path)) == state


def test_a_folder_that_is_gone_stops_nothing(tmp_path):
    write_supervision(str(tmp_path / "gone"), Supervision())
    (tmp_path / "supervision.json").write_text("{")
    assert read_supervision(str(tmp_path)) is None


def test_the_place_of_a_worker_names_the_keepers_sockets():
    place = Runtime.within("/r", "/r/plan.json", worker_number=3, workers=2, generation=4)
    assert place.keeper_shadow_socket == "/r/shadow.sock"
    assert (place.keeper_lookup_socket, place.metrics_dir) == ("/r/keeper.sock", "/r/metrics")
