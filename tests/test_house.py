"""The shape of the house, read from its source: who may hold a broker, who may approve, where time and chance come in."""

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "trading_bot"


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module by its path below the package."""
    for path in sorted(SOURCE.rglob("*.py")):
        yield path.relative_to(SOURCE).as_posix(), ast.parse(path.read_text("utf-8"))


def calls(tree: ast.Module) -> Iterator[str]:
    """Names of everything that is called, with their owner where it has one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def test_only_risk_makes_an_approved_order() -> None:
    """No other room calls its constructor, nor validates or copies one into being."""
    makers = {
        name for name, tree in modules() for called in calls(tree) if called.startswith("ApprovedOrder") and "digest_of" not in called
    }
    assert makers == {"risk/gate.py"}


def test_only_the_engine_holds_a_broker() -> None:
    """Orders go out in one place, the engine's dispatch; guardian and conformance suite have one hand each."""
    suite = {"sandbox/conformance/hand.py"}
    outside = [(name, called) for name, tree in modules() for called in calls(tree) if not name.startswith("brokers/")]
    assert {name for name, called in outside if called.endswith(("broker.submit", "broker.replace"))} == {
        "execution/dispatch.py",
        "execution/guardian_hands.py",
    } | suite
    assert {name for name, called in outside if called.endswith("broker.cancel")} == {
        "execution/dispatch.py",
        "execution/guardian_hands.py",
    } | suite


def test_time_and_chance_come_in_at_one_place_each() -> None:
    """The machine is asked for the time by the clock alone; nobody draws without a seed but the name of a new desk."""
    ambient = (
        "datetime.now",
        "datetime.utcnow",
        "datetime.today",
        "date.today",
        "time.time",
        "random.random",
        "np.random.rand",
        "np.random.seed",
    )
    found = {name for name, tree in modules() for called in calls(tree) if called in ambient}
    assert found == {"execution/clock.py"}


def test_no_module_asks_for_the_mode_below_the_composition_root() -> None:
    """Backtest, simulated, paper and live differ in the parts that are plugged in, and nowhere else."""
    low = ("domain/", "market/", "sources/", "brokers/", "storage/", "execution/", "backtest/", "analysts/", "orchestrator/")
    compared = {
        name
        for name, tree in modules()
        if name.startswith(low)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare) and "Mode." in ast.unparse(node)
    }
    assert compared == set()


def test_nothing_is_caught_without_a_name_but_at_a_marked_edge() -> None:
    """A broad except is allowed at an edge that says why."""
    broad = []
    for path in sorted(SOURCE.rglob("*.py")):
        lines = path.read_text("utf-8").splitlines()
        broad += [
            f"{path.name}: {line.strip()}"
            for line in lines
            if line.strip().startswith(("except:", "except Exception", "except BaseException"))
        ]
    assert all("# edge:" in line for line in broad), broad
