"""The in-process client's records in object storage, over the real S3 protocol, read back by the audit."""

import json
import subprocess
import sys
import uuid
from pathlib import Path

import fsspec
import pytest
from moto import server as moto_server

import undertow
from client_plan import plan_for
from gateway_fakes.upstream import FakeUpstream

ASK = [{"role": "user", "content": "When was my invoice sent?"}]


@pytest.fixture(scope="module")
def upstream():
    with FakeUpstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def server():
    server = moto_server.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def s3(server, monkeypatch):
    """Options of a file system at the S3 server, and the name of a bucket that is not there yet."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    host, port = server.get_host_and_port()
    options = {"client_kwargs": {"endpoint_url": f"http://{host}:{port}"}, "skip_instance_cache": True}
    return options, f"logs-{uuid.uuid4().hex[:8]}"


def ask(client):
    return client.chat.completions.create(model="auto", messages=ASK).undertow.decision_id


def make(options, bucket):
    fsspec.filesystem("s3", **options).mkdir(bucket)


def downloaded(options, bucket, folder):
    files = fsspec.filesystem("s3", **options)
    for path in files.find(f"{bucket}/undertow"):
        target = folder / path.removeprefix(f"{bucket}/undertow/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(files.cat_file(path))
    return folder


def coverage(store):
    return undertow.run_audit(undertow.AuditRequest((str(store),))).coverage


def test_every_flushed_record_and_signal_is_read_by_the_audit(s3, upstream, tmp_path):
    options, bucket = s3
    make(options, bucket)
    client = undertow.Client(plan_for(upstream, "unused"), sink=f"s3://{bucket}/undertow", sink_options=options, env={})
    decided = [ask(client) for _ in range(3)]
    client.flush()
    decided += [ask(client) for _ in range(2)]
    for decision_id in decided:
        assert client.feedback(decision_id, value=1)
    client.flush()
    seen = coverage(downloaded(options, bucket, tmp_path))
    assert (seen.decisions, seen.signals, seen.joined, seen.rejected) == (5, 5, 5, 0)
    client.close()


def test_storage_that_is_away_keeps_records_and_says_so(s3, upstream, tmp_path):
    options, bucket = s3
    client = undertow.Client(plan_for(upstream, "unused"), sink=f"s3://{bucket}/undertow", sink_options=options, env={})
    ask(client)
    with pytest.raises(OSError):
        client.flush()
    assert client.sink.decisions.waiting == 1
    make(options, bucket)
    client.flush()
    assert (client.sink.decisions.waiting, client.sink.decisions.lost) == (0, 0)
    client.close()
    assert coverage(downloaded(options, bucket, tmp_path)).decisions == 1


ENDS = """
import json, sys
sys.path.insert(0, sys.argv[1])
import undertow
from client_plan import plan_for
class upstream: base_url = sys.argv[2]
client = undertow.Client(plan_for(upstream, "unused"), sink=sys.argv[4], sink_options=json.loads(sys.argv[3]), env={})
client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "hi"}])
"""


def test_a_process_that_ends_without_a_flush_writes_what_it_has(s3, upstream, tmp_path):
    options, bucket = s3
    make(options, bucket)
    tests = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", ENDS, tests, upstream.base_url, json.dumps(options), f"s3://{bucket}/undertow"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert coverage(downloaded(options, bucket, tmp_path)).decisions == 1, done.stderr
