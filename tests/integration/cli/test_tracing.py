"""What the command line drives is traced where the standard variables say so."""

import json
import signal

from penstock.contracts.ids import RunId
from penstock.traces import trace_hex
from support.collectors import http_collector
from support.command_line import CommandLine, ended, until_there


def test_a_worker_that_is_told_to_end_loses_no_span(cli: CommandLine) -> None:
    with http_collector() as collected:
        first = cli.json("run", "chain", '{"name": "Ada"}')["run"]["id"]
        slow = cli.start("slow")
        # Nothing would be sent by itself in the time of this test.
        process = cli.process(
            "worker",
            OTEL_EXPORTER_OTLP_ENDPOINT=collected.url,
            OTEL_BSP_SCHEDULE_DELAY="600000",
        )
        until_there(cli.folder / "entered", process)
        cli("run", "chain", '{"name": "Eve"}', "--wait", "--no-drive", "--timeout-s", "30")
        process.send_signal(signal.SIGTERM)
        worker = ended(process)
        assert worker.code == 0, worker.err
        assert {trace_hex(RunId(first)), trace_hex(RunId(slow))} <= collected.traces
        assert collected.names.count("agent.run") == 3


def test_a_wait_that_drives_is_traced(cli: CommandLine) -> None:
    with http_collector() as collected:
        process = cli.process(
            "run",
            "chain",
            '{"name": "Ada"}',
            "--wait",
            OTEL_EXPORTER_OTLP_ENDPOINT=collected.url,
        )
        assert ended(process).code == 0
        assert "agent.run" in collected.names


def test_a_variable_that_cannot_be_used_is_named(cli: CommandLine) -> None:
    process = cli.process(
        "worker", OTEL_EXPORTER_OTLP_ENDPOINT="http://x:1", OTEL_EXPORTER_OTLP_PROTOCOL="pigeon"
    )
    worker = ended(process)
    assert worker.code != 0
    assert "`OTEL_EXPORTER_OTLP_PROTOCOL` cannot be used" in worker.err


def test_a_line_of_a_workers_log_says_of_which_run_it_is(cli: CommandLine) -> None:
    run_id = cli.start("chain")
    process = cli.process("worker", PENSTOCK_LOG_JSON="true")
    cli("run", "chain", '{"name": "Eve"}', "--wait", "--no-drive", "--timeout-s", "30")
    process.send_signal(signal.SIGTERM)
    worker = ended(process)
    lines = [json.loads(line) for line in worker.err.splitlines() if line.startswith("{")]
    (done,) = [line for line in lines if line["message"] == f"run {run_id} is succeeded"]
    assert (done["run_id"], done["trace_id"]) == (run_id, trace_hex(RunId(run_id)))
    assert "run_id" not in next(line for line in lines if "drives" in line["message"])
