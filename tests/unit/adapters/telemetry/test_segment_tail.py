import pytest

from undertow.adapters.store.layout import OPEN, SEALED
from undertow.adapters.telemetry.segment_tail import CHUNK_LINES, SegmentTail


def name(number):
    return f"20260301T12000000{number}Z-w0-0123456789ab-00000{number}"


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "decisions" / "open"
    path.mkdir(parents=True)
    return path


def write(folder, number, *lines, ending=OPEN):
    with (folder / f"{name(number)}{ending}").open("ab") as file:
        file.write(b"".join(lines))


def drain(tail):
    lines = []
    while (chunk := tail.read()) is not None:
        lines += chunk.lines
        tail.commit(chunk)
    return lines


def test_every_line_comes_once_however_segments_grow_and_are_sealed(tmp_path, folder):
    tail = SegmentTail(tmp_path)
    write(folder, 1, b"a\n", b"b\n", b"tor")
    assert drain(tail) == [b"a", b"b"]
    assert drain(tail) == []
    write(folder, 1, b"n\n")
    (folder / f"{name(1)}{OPEN}").rename(folder / f"{name(1)}{SEALED}")
    write(folder, 2, b"c\n")
    assert drain(tail) == [b"torn", b"c"]


def test_after_a_restart_it_goes_on_where_it_was(tmp_path, folder):
    write(folder, 1, b"a\n")
    drain(SegmentTail(tmp_path))
    write(folder, 1, b"b\n")
    assert drain(SegmentTail(tmp_path)) == [b"b"]


def test_what_was_not_delivered_comes_again(tmp_path, folder):
    write(folder, 1, b"a\n")
    tail = SegmentTail(tmp_path)
    assert tail.read().lines == (b"a",)
    assert tail.read().lines == (b"a",)
    assert drain(SegmentTail(tmp_path)) == [b"a"]


def test_many_lines_come_in_chunks(tmp_path, folder):
    lines = [b"%d" % i for i in range(2 * CHUNK_LINES + 3)]
    write(folder, 1, *(line + b"\n" for line in lines))
    tail = SegmentTail(tmp_path)
    assert len(tail.read().lines) == CHUNK_LINES
    assert drain(tail) == lines


def test_a_sealed_segment_outlives_its_conversion_until_it_is_read(tmp_path, folder):
    write(folder, 1, b"a\n", b"b\n", ending=SEALED)
    tail = SegmentTail(tmp_path)
    tail.hold()
    (folder / f"{name(1)}{SEALED}").unlink()
    assert drain(SegmentTail(tmp_path)) == [b"a", b"b"]
    assert not list((tmp_path / "state" / "trace-tail").iterdir())


def test_a_segment_that_was_read_is_not_kept(tmp_path, folder):
    write(folder, 1, b"a\n", ending=SEALED)
    tail = SegmentTail(tmp_path)
    drain(tail)
    tail.hold()
    assert not list((tmp_path / "state" / "trace-tail").iterdir())


def test_beyond_the_bound_the_oldest_is_given_up_and_counted(tmp_path, folder):
    for number in (1, 2, 3):
        write(folder, number, b"x" * 9 + b"\n", b"y" * 9 + b"\n", ending=SEALED)
    tail = SegmentTail(tmp_path, kept_bytes=45)
    tail.hold()
    for path in folder.iterdir():
        path.unlink()
    assert tail.lost == 2
    assert len(drain(tail)) == 4


def test_offsets_of_segments_that_are_gone_are_forgotten(tmp_path, folder):
    write(folder, 1, b"a\n", ending=SEALED)
    tail = SegmentTail(tmp_path)
    drain(tail)
    (folder / f"{name(1)}{SEALED}").unlink()
    write(folder, 2, b"b\n")
    drain(tail)
    assert name(1) not in (tmp_path / "state" / "trace-offsets.json").read_text()


def test_damaged_offsets_repeat_rather_than_lose(tmp_path, folder):
    write(folder, 1, b"a\n")
    drain(SegmentTail(tmp_path))
    (tmp_path / "state" / "trace-offsets.json").write_text("{torn")
    assert drain(SegmentTail(tmp_path)) == [b"a"]


def test_a_store_that_does_not_exist_yet_has_no_lines(tmp_path):
    assert SegmentTail(tmp_path / "none").read() is None


def test_only_one_process_follows_a_store_and_the_next_goes_on_from_there(tmp_path, folder):
    write(folder, 1, b"a\n")
    first, second = SegmentTail(tmp_path), SegmentTail(tmp_path)
    assert first.own()
    assert first.own()
    assert not second.own()
    drain(first)
    first.close()
    assert second.own()
    assert drain(second) == []
    second.close()
