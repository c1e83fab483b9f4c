"""The in-process host: what a run's token opens, what nothing opens, and what is kept of it. Real sockets, an independent client."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import mcp_types as types
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

import served
from served import Ask, Overlap, Seen, brief, later, look, market, run, scope, tool
from trading_bot.domain.errors import ClockError, ToolFailedError
from trading_bot.llm import claude_manager, workspace
from trading_bot.ports import ToolAccess, ToolGrant
from trading_bot.tools.calling import MOST_BYTES
from trading_bot.tools.host import LARGEST_BODY, MOST_TOLD, NAME, HttpToolHost
from trading_bot.tools.scope import Scope

MODES = ("legacy", "auto")
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


@pytest.fixture
def host() -> Iterator[HttpToolHost]:
    """A host over the tools of these tests."""
    made = HttpToolHost(scope, served.TOOLS)
    yield made
    made.close()


@asynccontextmanager
async def client(access: ToolAccess, mode: str = "auto") -> AsyncIterator[Client]:
    """An independent MCP client that holds the token."""
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {access.token}"}) as http,
        Client(streamable_http_client(access.url, http_client=http), mode=mode) as connected,
    ):
        yield connected


def post(access: ToolAccess, body: object = LIST, method: str = "POST", **headers: str) -> httpx2.Response:
    """One plain request with the token, unless the headers say otherwise."""
    usual = {"authorization": f"Bearer {access.token}", "accept": "application/json, text/event-stream", "content-type": "application/json"}
    return httpx2.request(method, access.url, headers={**usual, **headers}, content=json.dumps(body), timeout=10)


def ask(connection: httpx2.Client, access: ToolAccess) -> httpx2.Response:
    """The list of tools over a connection that stays."""
    headers = {"authorization": f"Bearer {access.token}", "accept": "application/json, text/event-stream"}
    return connection.post(access.url, headers=headers, json=LIST)


def text_of(result: types.CallToolResult) -> str:
    """The text that a model reads."""
    (block,) = result.content
    assert isinstance(block, types.TextContent)
    return block.text


@pytest.mark.parametrize("mode", MODES)
def test_a_client_sees_the_granted_tools_with_their_schemas_and_no_other(host: HttpToolHost, mode: str) -> None:
    """Names, descriptions, both schemas and the hint that they only read."""
    with host.open(ToolGrant(brief(market()[1]), ("look",))) as access:

        async def work() -> list[types.Tool]:
            async with client(access, mode) as connected:
                return (await connected.list_tools()).tools

        (listed,) = run(work)
    assert listed.name == "look"
    assert listed.description == "Does look."
    assert listed.input_schema == {"type": "object", "properties": {"say": {"type": "string", "default": ""}}}
    assert listed.output_schema is not None
    assert set(listed.output_schema["required"]) == {"evidence", "as_of", "bid", "said"}
    assert listed.annotations is not None
    assert listed.annotations.read_only_hint is True


@pytest.mark.parametrize("mode", MODES)
def test_a_result_is_stamped_compact_and_recorded_as_it_was_answered(host: HttpToolHost, mode: str) -> None:
    """Text and data say the same; the record holds the result without its stamp."""
    with host.open(ToolGrant(brief(market()[1]), ("look",))) as access:

        async def work() -> types.CallToolResult:
            async with client(access, mode) as connected:
                return await connected.call_tool("look", {"say": "hello"})

        result = run(work)
        (call,) = access.calls()
    assert (call.tool, call.arguments, call.failed) == ("look", '{"say":"hello"}', False)
    assert json.loads(call.result) == {"as_of": "2024-03-05T14:30:00Z", "bid": 99.99, "said": "hello"}
    assert result.structured_content == {"evidence": call.evidence, **json.loads(call.result)}
    assert text_of(result) == json.dumps(result.structured_content, separators=(",", ":"))


def test_a_failed_tool_tells_the_model_why_and_is_recorded(host: HttpToolHost) -> None:
    """An error is a result, not a broken connection."""
    with host.open(ToolGrant(brief(market()[1]), ("fail",))) as access:

        async def work() -> types.CallToolResult:
            async with client(access) as connected:
                return await connected.call_tool("fail", {})

        result = run(work)
        assert (result.is_error, text_of(result)) == (True, "ask for something else")
        assert [(c.tool, c.failed, c.result) for c in access.calls()] == [("fail", True, "ask for something else")]


def test_a_tool_outside_the_grant_is_refused_and_the_attempt_is_recorded(host: HttpToolHost) -> None:
    """Even one that the host has; even the one that acts."""
    with host.open(ToolGrant(brief(market()[1]), ("look",))) as access:

        async def work() -> list[types.CallToolResult]:
            async with client(access) as connected:
                return [await connected.call_tool(name, {}) for name in ("fail", "act", "nothing")]

        results = run(work)
        assert [result.is_error for result in results] == [True] * 3
        assert text_of(results[1]) == "there is no tool act here; there are: look"
        assert [(call.tool, call.failed) for call in access.calls()] == [("fail", True), ("act", True), ("nothing", True)]


@pytest.mark.parametrize(("name", "reason"), [("act", "act acts"), ("nothing", "there is no tool nothing")])
def test_what_acts_or_does_not_exist_is_never_granted(host: HttpToolHost, name: str, reason: str) -> None:
    """Neither opened nor described."""
    with pytest.raises(ToolFailedError, match=reason), host.open(ToolGrant(brief(market()[1]), ("look", name))):
        pass
    with pytest.raises(ToolFailedError, match=reason):
        host.schemas(["look", name])


def test_no_registered_tool_that_acts_can_be_granted() -> None:
    """Of the real registry: `propose_trade` files proposals, so a headless run does not get it."""
    with pytest.raises(ToolFailedError, match="propose_trade acts"):
        HttpToolHost(scope).schemas(["propose_trade"])


def test_a_scope_in_a_headless_run_can_file_nothing() -> None:
    """What acts is taken from the scope too."""

    def spy(of: Scope, query: Ask) -> Seen:
        return look(of, Ask(say="it can file" if of.propose else query.say))

    spying = HttpToolHost(scope, (tool("look", spy),))
    with spying.open(ToolGrant(brief(market()[1]), ("look",))) as access:
        post(access, {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "look", "arguments": {"say": "it cannot"}}})
        (call,) = access.calls()
    spying.close()
    assert json.loads(call.result)["said"] == "it cannot"


def test_the_time_stands_still_in_a_run_while_the_desk_goes_on(host: HttpToolHost) -> None:
    """Two calls with half an hour between them see one moment; the next run sees the new one."""
    clock, view = market()
    grant = ToolGrant(brief(view), ("look",))

    async def work() -> list[types.CallToolResult]:
        async with client(access) as connected:
            before = await connected.call_tool("look", {})
            later(clock)
            return [before, await connected.call_tool("look", {})]

    with host.open(grant) as access:
        before, after = run(work)
    assert before == after
    with host.open(grant) as access:
        moved = run(work)[0]
    assert moved.structured_content["as_of"] != before.structured_content["as_of"]


def test_a_view_cannot_be_frozen_at_a_time_that_has_not_come() -> None:
    """Standing still is no way to look ahead."""
    clock, view = market()
    with pytest.raises(ClockError, match="has not come"):
        view.frozen(clock.now().replace(year=2030))


def test_a_token_opens_nothing_once_its_run_has_ended(host: HttpToolHost) -> None:
    """And another run's token still opens its own."""
    grant = ToolGrant(brief(market()[1]), ("look",))
    with host.open(grant) as over:
        assert post(over).status_code == 200
    with host.open(grant) as access:
        assert over.token != access.token
        assert post(over).status_code == 401
        assert post(access).status_code == 200
    assert over.calls() == ()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": "Bearer wrong"}, 401),
        ({"authorization": ""}, 401),
        ({"authorization": "Basic dGVzdA=="}, 401),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "evil.example"}, 421),
        ({"host": "127.0.0.1:1"}, 421),
        ({"host": "localhost"}, 421),
    ],
)
@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28"])
def test_another_token_origin_or_host_is_refused(host: HttpToolHost, headers: dict[str, str], status: int, version: str) -> None:
    """A page in a browser on this machine gets nowhere, whatever protocol it speaks."""
    with host.open(ToolGrant(brief(market()[1]), ("look",))) as access:
        assert post(access, **headers, **{"mcp-protocol-version": version}).status_code == status


def test_a_token_is_as_long_as_a_key(host: HttpToolHost) -> None:
    """256 bits, new for each run."""
    grant = ToolGrant(brief(market()[1]), ("look",))
    tokens = set()
    for _ in range(5):
        with host.open(grant) as access:
            tokens.add(access.token)
    assert len(tokens) == 5
    assert all(len(token) >= 43 for token in tokens)


def test_our_own_host_and_origin_are_welcome(host: HttpToolHost) -> None:
    """By both names of loopback."""
    with host.open(ToolGrant(brief(market()[1]), ("look",))) as access:
        place = access.url.removeprefix("http://127.0.0.1:").removesuffix("/mcp")
        assert post(access, host=f"localhost:{place}", origin=f"http://localhost:{place}").status_code == 200


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "HEAD"])
def test_nothing_but_a_post_is_taken(host: HttpToolHost, method: str) -> None:
    """There are no streams to hold open and no sessions to end."""
    with host.open(ToolGrant(brief(market()[1]), ("look",))) as access:
        assert post(access, method=method).status_code == 405


def test_a_body_above_the_limit_is_refused(host: HttpToolHost) -> None:
    """Before it is read."""
    with host.open(ToolGrant(brief(market()[1]), ("look",))) as access:
        assert post(access, {"jsonrpc": "x" * LARGEST_BODY}).status_code == 413
        assert access.calls() == ()


def test_five_clients_are_served_one_call_at_a_time() -> None:
    """Tools share the view's memory, so none overlaps another; each client gets its own answer, and all are recorded."""
    overlap = Overlap()
    busy = HttpToolHost(scope, (tool("slow", overlap),))
    answers: dict[str, Any] = {}

    async def one(said: str) -> None:
        async with client(access) as connected:
            answers[said] = (await connected.call_tool("slow", {"say": said})).structured_content["said"]

    async def work() -> None:
        async with anyio.create_task_group() as group:
            for number in range(5):
                group.start_soon(one, str(number))

    with busy.open(ToolGrant(brief(market()[1]), ("slow",))) as access:
        run(work)
        assert answers == {said: said for said in "01234"}
        assert sorted(json.loads(call.arguments)["say"] for call in access.calls()) == list("01234")
    busy.close()
    assert not overlap.happened


def test_an_answer_does_not_wait_to_be_acknowledged(host: HttpToolHost) -> None:
    """On one connection the second of two small packets waits 40 ms for the first to be acknowledged, unless it is told not to."""
    with host.open(ToolGrant(brief(market()[1]), ("look",))) as access, httpx2.Client() as connection:
        took = [ask(connection, access).elapsed.total_seconds() for _ in range(20)]
    assert min(took[1:]) < 0.03


def test_two_runs_at_once_keep_their_tools_apart(host: HttpToolHost) -> None:
    """A token decides which tools there are."""
    of = brief(market()[1])
    with host.open(ToolGrant(of, ("look",))) as first, host.open(ToolGrant(of, ("fail",))) as second:
        names = [[one["name"] for one in post(access).json()["result"]["tools"]] for access in (first, second)]
    assert names == [["look"], ["fail"]]


def test_a_closed_host_serves_again_when_it_is_asked(host: HttpToolHost) -> None:
    """It is started by its first grant, each time."""
    grant = ToolGrant(brief(market()[1]), ("look",))
    with host.open(grant) as before:
        host.close()
        with pytest.raises(httpx2.TransportError):
            post(before)
    with host.open(grant) as access:
        assert post(access).status_code == 200


def test_schemas_are_what_the_model_is_told(host: HttpToolHost) -> None:
    """Name, description, input: no more."""
    schema = {"type": "object", "properties": {"say": {"type": "string", "default": ""}}}
    assert host.schemas(["look"]) == [{"name": "look", "description": "Does look.", "input_schema": schema}]


def test_what_a_run_may_be_told_fits_into_the_turn_that_is_paid_for() -> None:
    """The budget sets a whole turn aside by the manager's bound; the host keeps to it, under the name that the manager expects."""
    assert MOST_TOLD + MOST_BYTES <= claude_manager.MOST_CONTEXT_BYTES
    assert workspace.SERVER == NAME
