"""The pool of local models over real sockets and Ollama's own client: whoever is well answers, and every question ends in time."""

import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from llm.local_kit import Steady, pool
from trading_bot.domain.errors import ModelError, ModelUnavailableError
from trading_bot.llm.ollama_server import Answer, Question
from trading_bot.ports.news import ModelHealth
from trading_bot.sandbox.ollama.faults import Rule
from trading_bot.sandbox.ollama.scripts import fixed
from trading_bot.sandbox.ollama.server import EmulatedOllama

HELLO = Question("Be short.", "hello")
FORM = Question("Judge.", "hello", {"type": "object", "properties": {"sentiment": {"enum": ["positive", "neutral"]}}})


@pytest.fixture(name="only_one", scope="module")
def _only_one() -> Iterator[EmulatedOllama]:
    with EmulatedOllama(fixed("words")) as server:
        yield server


@pytest.fixture(name="one")
def _one(only_one: EmulatedOllama) -> EmulatedOllama:
    only_one.forget()
    return only_one


@pytest.fixture(name="only_two", scope="module")
def _only_two() -> Iterator[EmulatedOllama]:
    with EmulatedOllama(fixed("words")) as server:
        yield server


@pytest.fixture(name="two")
def _two(only_two: EmulatedOllama) -> EmulatedOllama:
    only_two.forget()
    return only_two


def nowhere() -> str:
    """An address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def test_models_and_servers_take_turns(one: EmulatedOllama, two: EmulatedOllama) -> None:
    """Each question goes to the next model, and to the server that was asked less."""
    asked = pool(one.url, two.url)
    answers = [asked.ask(HELLO) for _ in range(6)]
    assert answers[:2] == [Answer("words", "llama3.2", one.url), Answer("words", "mistral", one.url)]
    assert Counter((a.server, a.model) for a in answers) == {(s.url, m): 1 for s in (one, two) for m in asked.models}


def test_a_named_model_is_asked_and_an_unwanted_one_is_not(one: EmulatedOllama) -> None:
    """Who is not configured is refused with what to do."""
    asked = pool(one.url)
    assert {asked.ask(HELLO, "phi3").model for _ in range(3)} == {"phi3"}
    assert {asked.ask(HELLO, without={"phi3", "mistral"}).model for _ in range(3)} == {"llama3.2"}
    with pytest.raises(ModelUnavailableError, match=r"gemma is none of ollama\.models .*`ollama pull gemma`"):
        asked.ask(HELLO, "gemma")
    with pytest.raises(ModelUnavailableError, match=r"name one more in ollama\.models"):
        asked.ask(HELLO, without=asked.models)


def test_what_is_sent_is_capped_and_the_same_every_time(one: EmulatedOllama) -> None:
    """No chance, a cap of tokens, a window that holds all of it, the form."""
    pool(one.url).ask(FORM, "phi3")
    assert one.heard[0].body == {
        "model": "phi3",
        "messages": [{"role": "system", "content": "Judge."}, {"role": "user", "content": "hello"}],
        "tools": [],
        "stream": True,
        "format": FORM.schema,
        "options": {"temperature": 0, "seed": 0, "num_predict": 64, "num_ctx": 6656 + 256 + 64},
        "keep_alive": "10m",
    }
    with pytest.raises(ModelError, match="has 7007 bytes and may have 6656"):
        Question("Judge.", "é" * 3500 + "!")


def test_when_a_server_dies_the_other_one_answers() -> None:
    """In the midst of things; and when both are gone the reader is told what to do."""
    with EmulatedOllama(fixed("words")) as one, EmulatedOllama(fixed("words")) as two:
        asked = pool(one.url, two.url, models=("phi3",))
        assert {asked.ask(HELLO).server for _ in range(2)} == {one.url, two.url}
        one.stop()
        assert {asked.ask(HELLO).server for _ in range(4)} == {two.url}
        two.stop()
        with pytest.raises(ModelUnavailableError) as error:
            asked.ask(HELLO)
        told = "does not answer: start it (`ollama serve`), or correct ollama.url"
        assert str(error.value) == f"no local model answered: {one.url} {told} (left alone for 60 s); {two.url} {told}"


def test_the_breaker_opens_and_lets_one_trial_through(one: EmulatedOllama) -> None:
    """After two failures in a row nobody asks for a minute; the trial decides how it goes on."""
    steady = Steady()
    asked = pool(one.url, steady=steady, models=("phi3",))
    one.faults = (Rule(fault="busy", call=1, times=3),)

    def refused() -> str:
        with pytest.raises(ModelUnavailableError) as error:
            asked.ask(HELLO)
        return str(error.value)

    busy = f"{one.url} is busy (server busy, please try again. maximum pending requests exceeded): lower ollama.per_model, or add a server"
    assert refused() == f"no local model answered: {busy}"
    assert refused() == f"no local model answered: {busy} (left alone for 60 s)"
    steady.now += 59
    assert refused().endswith("(left alone for 1 s)")
    assert len(one.heard) == 2
    steady.now += 1
    assert refused().endswith("(left alone for 60 s)")
    assert len(one.heard) == 3
    steady.now += 60
    assert asked.ask(HELLO) == Answer("words", "phi3", one.url)
    one.faults = (Rule(fault="busy", call=5),)
    assert refused() == f"no local model answered: {busy}"
    assert asked.ask(HELLO).text == "words"


def test_only_one_question_tries_a_model_that_was_left_alone(one: EmulatedOllama) -> None:
    """The others do not wait for it."""
    steady = Steady()
    asked = pool(one.url, steady=steady, models=("phi3",), per_model=4, breaker_failures=1)
    one.faults = (Rule(fault="busy", call=1), Rule(fault="hang", call=2))
    for _ in range(2):
        with pytest.raises(ModelUnavailableError):
            asked.ask(HELLO)
    assert len(one.heard) == 1
    steady.now += 61
    with ThreadPoolExecutor(4) as threads:
        ended = [threads.submit(asked.ask, HELLO) for _ in range(4)]
        assert all(isinstance(e.exception(), ModelUnavailableError) for e in ended)
    assert len(one.heard) == 2


@pytest.mark.parametrize(
    ("fault", "note"),
    [
        ("out_of_memory", "could not run phi3 (model requires more system memory (5.6 GiB) than is available (3.2 GiB)): free memory"),
        ("runner_died", "could not run phi3 (llama runner process has terminated: signal: killed): free memory there"),
        ("model_missing", "does not have phi3: run `ollama pull phi3` there, or take it out of ollama.models"),
        ("rate_limited", "refused (Rate limit reached): look at ollama.url"),
        ("hang", "did not begin to answer in time: raise ollama.first_token_seconds, or name a smaller model"),
        ("slow_first", "did not begin to answer in time"),
        ("hang_mid", "was not done in time: raise ollama.total_seconds, or name a smaller model"),
        ("slow_tokens", "was not done in time"),
        ("reset", "broke off, or is no Ollama"),
        ("reset_mid", "broke off, or is no Ollama"),
        ("wrong_type", "broke off, or is no Ollama (Expecting value: line 1 column 1 (char 0)): look at ollama.url"),
        ("whitespace", "phi3 at {url} sends nothing but blanks: restart it, or leave it out of ollama.models"),
    ],
)
def test_a_failure_is_told_in_plain_words_within_the_deadline(one: EmulatedOllama, fault: str, note: str) -> None:
    """Which model and server, and what to do."""
    one.script = fixed("many words that take their time")
    one.faults = (Rule(fault=fault, seconds=0.3 if fault == "slow_first" else 0.1),)
    began = time.monotonic()
    with pytest.raises(ModelUnavailableError) as error:
        pool(one.url, first_token_seconds=0.2, total_seconds=0.35, models=("phi3",)).ask(HELLO)
    assert note.format(url=one.url) in str(error.value)
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("fault", ["out_of_memory", "model_missing", "hang", "reset_mid", "wrong_type", "whitespace"])
def test_another_model_answers_where_one_fails(one: EmulatedOllama, fault: str) -> None:
    """Within the same question, and the failing one is not asked again."""
    one.faults = (Rule(fault=fault, model="phi3"),)
    asked = pool(one.url, first_token_seconds=0.2, models=("phi3", "mistral"), breaker_failures=1)
    assert [asked.ask(HELLO).model for _ in range(3)] == ["mistral"] * 3
    assert one.asked == ("phi3", "mistral", "mistral", "mistral")


def test_blanks_after_a_whole_answer_do_no_harm(one: EmulatedOllama) -> None:
    """A model that cannot find its end is left with what it said."""
    one.script = fixed("{}")
    one.faults = (Rule(fault="whitespace"),)
    assert pool(one.url).ask(FORM).text == "{}"


def test_a_server_that_does_not_count_its_tokens_is_left(one: EmulatedOllama) -> None:
    """The cap acts on this side too."""
    one.script = fixed("x" * 5000)
    one.uncapped = True
    with pytest.raises(ModelUnavailableError, match=r"phi3 at .* talks on after 64 tokens"):
        pool(one.url, models=("phi3",)).ask(HELLO)


def test_an_answer_that_the_cap_cut_says_so(one: EmulatedOllama) -> None:
    """So that nobody takes half for whole."""
    one.script = fixed("word " * 200)
    answer = pool(one.url).ask(HELLO, "phi3")
    assert (answer.cut, len(answer.text.split())) == (True, 64)


def test_no_model_gets_more_questions_at_a_time_than_configured(one: EmulatedOllama, two: EmulatedOllama) -> None:
    """Twelve threads, two at a time to each of two servers: all are answered, evenly."""
    one.faults = two.faults = (Rule(fault="slow_tokens", seconds=0.02),)
    asked = pool(one.url, two.url, models=("phi3",), per_model=2)
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda _: asked.ask(HELLO), range(24)))
    assert {a.text for a in answers} == {"words"}
    assert (one.most_busy["phi3"], two.most_busy["phi3"]) == (2, 2)
    assert min(len(one.heard), len(two.heard)) >= 8


def test_who_waits_in_vain_for_a_busy_model_is_told_so(one: EmulatedOllama) -> None:
    """Within the deadline, while somebody listens to a slow answer."""
    one.script = fixed("many words that take their time")
    one.faults = (Rule(fault="slow_tokens", seconds=0.1),)
    asked = pool(one.url, models=("phi3",), total_seconds=0.3, steady=Steady())
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(asked.ask, HELLO)
        while not any(health.busy for health in asked.health()):
            pass
        with pytest.raises(ModelUnavailableError, match=r"all are busy; raise ollama\.per_model, or add a server"):
            asked.ask(HELLO)
        assert slow.result().text == "many words that take their time"


def test_a_page_that_is_not_found_is_no_missing_model(one: EmulatedOllama) -> None:
    """But another server than the one that was meant."""
    with pytest.raises(ModelUnavailableError, match=r"elsewhere refused \(Not Found\): look at ollama\.url"):
        pool(f"{one.url}/elsewhere", models=("phi3",)).ask(HELLO)


def test_health_tells_of_every_seat_what_is_wrong_and_what_to_do(one: EmulatedOllama) -> None:
    """One answers and lacks a model, another is not there."""
    gone = nowhere()
    asked = pool(one.url, gone, models=("phi3", "gemma"), steady=Steady())
    assert asked.health()[0].note == "not in memory: its next answer takes longer"
    asked.ask(HELLO, "phi3")
    missing = f"{one.url} does not have it: run `ollama pull gemma` there"
    silent = f"{gone} does not answer: start it (`ollama serve`), or correct ollama.url"
    assert asked.health() == [
        ModelHealth(one.url, "phi3", ready=True, busy=0, asked=1, failed=0, latency_ms=0.0, note=""),
        ModelHealth(gone, "phi3", ready=False, busy=0, asked=0, failed=0, latency_ms=None, note=silent),
        ModelHealth(one.url, "gemma", ready=False, busy=0, asked=0, failed=0, latency_ms=None, note=missing),
        ModelHealth(gone, "gemma", ready=False, busy=0, asked=0, failed=0, latency_ms=None, note=silent),
    ]


def test_warming_up_loads_what_is_there(one: EmulatedOllama) -> None:
    """A model that does not fit is noted, and the others are ready."""
    one.faults = (Rule(fault="out_of_memory", model="mistral"),)
    asked = pool(one.url)
    told = asked.warm_up()
    assert [h.note.split(" (")[0] for h in told] == ["", f"{one.url} could not run mistral", ""]
    assert one.asked == asked.models
    assert one.loaded == ("llama3.2", "phi3")


def test_without_a_server_the_reader_is_told_what_to_configure() -> None:
    """Nothing is tried."""
    with pytest.raises(ModelUnavailableError, match=r"name one as ollama\.url"):
        pool()
