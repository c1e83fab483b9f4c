"""The units of systemd and docs/running.md are what the program has: commands, flags, files, statuses, and keys that systemd knows."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import click
import pytest
import yaml

from trading_bot import cli as edge
from trading_bot.cli.kinds import KINDS
from trading_bot.cli.root import cli, trader
from trading_bot.config import load
from trading_bot.storage.home import Home

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/running.md").read_text("utf-8")
UNITS = {path.name: path.read_text("utf-8") for path in sorted((ROOT / "docs/systemd").glob("*.service"))}
DESKS = {"trading-desk.service": "stocks", "trading-trader.service": "coins"}
GUARDIAN = "trading-guardian@.service"
BIN = "/opt/trading/.venv/bin/"
_WORDS = re.compile(r"`[^`\n]+`")


def settings(unit: str) -> dict[str, list[str]]:
    """Values by key, of all sections of a unit."""
    found: dict[str, list[str]] = {}
    for line in UNITS[unit].splitlines():
        key, is_setting, value = line.partition("=")
        if is_setting and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def command(unit: str, instance: str = "") -> list[str]:
    """What a unit starts."""
    (line,) = settings(unit)["ExecStart"]
    return shlex.split(line.replace("%i", instance))


def written(kind: str) -> str:
    """The settings of a kind of desk, as the page shows them."""
    (found,) = re.findall(rf"```yaml\n# {kind}\.yaml\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def parsed(arguments: list[str], folder: Path) -> click.Context:
    """The command that these arguments name, with its flags understood, under the page's settings. UsageError for what there is not."""
    for kind in KINDS:
        (folder / f"{kind}.yaml").write_text(written(kind), "utf-8")
    group, rest = (trader, arguments[1:]) if arguments[0].endswith("claude-trader") else (cli, arguments[3:])
    named = [word.replace("/etc/trading", str(folder)) for word in rest]
    above = group.make_context("desk", named)
    while isinstance(above.command, click.Group):
        name, found, left = above.command.resolve_command(above, [*above._protected_args, *above.args])
        assert found is not None
        above = found.make_context(name, left, parent=above)
    return above


@pytest.mark.parametrize(("unit", "instance"), [*((unit, "") for unit in DESKS), *((GUARDIAN, kind) for kind in KINDS)])
def test_what_a_unit_starts_is_a_command_with_its_own_home_and_settings(unit: str, instance: str, tmp_path: Path) -> None:
    """Of the right kind of desk, at home where the unit may write."""
    kind = DESKS.get(unit, instance)
    found = parsed(command(unit, instance), tmp_path)
    assert found.command.name == ("guardian" if unit == GUARDIAN else KINDS[kind].start)
    root = found.find_root()
    named = ("coins" if root.command is trader else root.params["desk"], root.params["home"], root.params["config_path"])
    assert named == (kind, Path("/var/lib/trading") / kind, tmp_path / f"{kind}.yaml")
    assert settings(unit)["ReadWritePaths"] == ["/var/lib/trading"]
    assert settings(unit)["EnvironmentFile"][0].replace("%i", instance) == f"-/etc/trading/{kind}.env"


def test_a_flag_that_there_is_not_is_found_out(tmp_path: Path) -> None:
    """Else the test above would pass whatever the units said."""
    with pytest.raises(click.NoSuchOption):
        parsed([*command("trading-trader.service"), "--forever"], tmp_path)


def test_services_are_started_again_unless_a_person_has_to_act() -> None:
    """By the exit statuses of the program; a guardian always, for nobody stops it but systemd."""
    for unit in (*DESKS, GUARDIAN):
        found = settings(unit)
        assert (found["Type"], found["RestartPreventExitStatus"], found["StartLimitIntervalSec"]) == (
            ["notify"],
            [f"{click.UsageError.exit_code} {edge.FOR_A_PERSON}"],
            ["0"],
        )
        assert found["Restart"] == (["always"] if unit == GUARDIAN else ["on-failure"])
        assert "WatchdogSec" in found
    assert f"| {edge.FAILED} | failed" in PAGE
    assert f"| {edge.FOR_A_PERSON} | it fails again until a person" in PAGE


def test_a_guardian_has_no_key_of_a_model() -> None:
    """It asks none."""
    assert all("models.env" not in value for value in settings(GUARDIAN)["EnvironmentFile"])
    assert all("-/etc/trading/models.env" in settings(unit)["EnvironmentFile"] for unit in DESKS)


def test_systemd_knows_every_key(tmp_path: Path) -> None:
    """By systemd itself; where it is not installed, nobody can say."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    here = str(Path(sys.executable).parent) + "/"
    for name, text in UNITS.items():
        (tmp_path / name.replace("@.", "@stocks.")).write_text(text.replace(BIN, here), "utf-8")
    units = sorted(str(path) for path in tmp_path.iterdir())
    done = subprocess.run([analyze, "verify", "--man=no", *units], capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - systemd's own
    ours = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "trading-" in line]
    assert (ours, done.returncode) == ([], 0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_settings_on_the_page_are_settings(kind: str, tmp_path: Path) -> None:
    """They load, and are of the desk that they are shown for."""
    path = tmp_path / "settings.yaml"
    path.write_text(written(kind), "utf-8")
    found = load(path, {"NOTIFY_URL": "json://localhost"}, KINDS[kind].flags)
    assert (found.desk, found.broker.name) == (kind, "alpaca" if kind == "stocks" else "bybit")
    assert found.source.name == found.broker.name


def test_every_command_on_the_page_exists_with_its_flags(tmp_path: Path) -> None:
    """Lines of the shell, of cron, and in the text."""
    lines = [line.partition("#")[0] for block in re.findall(r"```(?:sh|cron)\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
    said = [part.strip() for line in lines for part in line.split(";")]
    said += [word.strip("`") for word in _WORDS.findall(PAGE)]
    typed = {
        (named.group(1), named.group(2))
        for line in said
        if (named := re.search(r"(?:^|[\s/])(python -m trading_bot|claude-trader|as stocks|as coins) ([a-z][\w -]*[^|&]*)$", line))
    }
    assert len(typed) > 12
    for program, rest in sorted(typed):
        coins = program in {"claude-trader", "as coins"}
        arguments = ["claude-trader"] if coins else ["python", "-m", "trading_bot"]
        assert parsed([*arguments, *shlex.split(rest)], tmp_path).command.name


def test_every_word_in_backticks_that_looks_like_a_command_is_one() -> None:
    """Without a program before it: `resume`, `costs --all`."""
    known = {name for kind in KINDS.values() for name in kind.commands}
    bare = {
        word.strip("`").split()[0] for word in _WORDS.findall(PAGE) if re.fullmatch(r"`[a-z][a-z-]+( --?[a-z-]+| verify| sign)*`", word)
    }
    others = {"told", "systemctl", "chrony-wait", "tmux", "decision", "trading", "disk_full"} | set(vars(load(None, {})))
    assert sorted(bare - known - others) == []
    assert {"stop", "resume", "reconcile", "costs"} <= bare


def test_every_file_and_setting_on_the_page_exists() -> None:
    """Links, units, files of a home, settings by their dotted names."""
    links = re.findall(r"\]\(([\w./@-]+)(?:#[\w-]+)?\)", PAGE)
    assert [link for link in links if not (ROOT / "docs" / link).is_file()] == []
    assert set(re.findall(r"trading-[a-z]+@?\.service", PAGE)) == set(UNITS)
    assert {f"trading-{name}" for name in re.findall(r"trading-(desk|trader|guardian@(?:stocks|coins))", PAGE)} == {
        *(unit.removesuffix(".service") for unit in DESKS),
        *(f"trading-guardian@{kind}" for kind in KINDS),
    }
    tree = json.loads(load(None, {}).canonical())
    for dotted in re.findall(r"`((?:guardian|risk|budget|notify)\.[a-z_.]+)`", PAGE):
        value = tree
        for key in dotted.split("."):
            assert key in value, dotted
            value = value[key]
    for variable in re.findall(r"TRADING_BOT_\w+HOME|TRADING_BOT_HOME", PAGE):
        assert variable in {kind.variable for kind in KINDS.values()}


def test_what_tmpfiles_removes_are_the_logs_of_model_calls() -> None:
    """Of both homes, and nothing else."""
    rows = [line.split() for line in (ROOT / "docs/systemd/trading.conf").read_text("utf-8").splitlines() if not line.startswith("#")]
    assert [(row[0], Path(row[1])) for row in rows] == [("e", Home(Path("/var/lib/trading") / kind).llm_logs) for kind in KINDS]


def test_the_figures_on_the_page_are_those_of_the_settings() -> None:
    """Heartbeat, mandate, restart."""
    config = load(None, {})
    assert f"`guardian.heartbeat_seconds` ({config.guardian.heartbeat_seconds:g})" in PAGE
    assert f"`risk.mandate_days` ({config.risk.mandate_days})" in PAGE
    assert [settings(unit)["RestartSec"] for unit in DESKS] == [["10"], ["10"]]
    assert "starts it again after 10 s" in PAGE
    assert yaml.safe_load(written("coins"))["bybit"]["environment"] == "demo"


@contextmanager
def listener() -> Iterator[tuple[str, list[bytes]]]:
    """An address of apprise, and what arrives there."""
    heard: list[bytes] = []

    class Heard(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Heard) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"json://127.0.0.1:{server.server_port}", heard
        finally:
            server.shutdown()
            thread.join()


def test_a_unit_that_gave_up_is_told(tmp_path: Path) -> None:
    """By the very command of the unit, 2 s of apprise."""
    with listener() as (url, heard):
        (tmp_path / "told").write_text(url + "\n", "utf-8")
        line = command("trading-failed@.service", "trading-desk.service")
        typed = [
            word.replace("${CREDENTIALS_DIRECTORY}", str(tmp_path)).replace(BIN, str(Path(sys.executable).parent) + "/") for word in line
        ]
        done = subprocess.run(typed, env={**os.environ, "HOME": str(tmp_path)}, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - the unit's own
    assert done.returncode == 0, done.stderr
    assert [json.loads(body)["title"] for body in heard] == ["trading-desk.service ended"]
