"""A page that was left takes nothing away from the one that somebody went to."""

import re
from collections.abc import Iterator

import pytest
from playwright.async_api import Page, WebSocketRoute, expect
from streamlit.proto.BackMsg_pb2 import BackMsg

from penstock.contracts.gate import Channel
from support.rooms import Room, open_room


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """A control room for all of these tests."""
    with open_room(tmp_path_factory.mktemp("room")) as opened:
        yield opened


class Late:
    """Has a look of a page be asked for once more, right after the page was left."""

    def __init__(self) -> None:
        self.look: bytes | None = None
        self.is_armed = False
        self.count = 0

    async def listen(self, page: Page) -> None:
        await page.route_web_socket(re.compile("_stcore/stream"), self._stand_between)

    def _stand_between(self, browser: WebSocketRoute) -> None:
        server = browser.connect_to_server()

        def pass_on(told: str | bytes) -> None:
            server.send(told)
            message = BackMsg()
            message.ParseFromString(told.encode() if isinstance(told, str) else told)
            if message.WhichOneof("type") != "rerun_script":
                return
            if message.rerun_script.is_auto_rerun and not self.is_armed and not self.count:
                self.look = bytes(told, "utf-8") if isinstance(told, str) else told
            elif not message.rerun_script.is_auto_rerun and self.is_armed and self.look:
                self.is_armed, self.count = False, self.count + 1
                server.send(self.look)

        browser.on_message(pass_on)


async def test_late_look_at_a_page_that_was_left_clears_nothing(room: Room, page: Page) -> None:
    run = await room.run("paying", order="B-1", cents=4200)
    late = Late()
    await late.listen(page)
    await room.log_in(page, "ada", f"/run?run={run.id}")
    link = page.get_by_role("link", name="Look at it")
    await expect(link).to_be_visible()
    while late.look is None:
        await page.wait_for_timeout(100)
    late.is_armed = True
    await link.click()
    # What comes later than the page itself is there, and the page goes on to look by itself.
    await expect(page.get_by_role("cell", name="4200")).to_be_visible()
    gate = await room.gate(run)
    assert gate.binding is not None
    await room.approvals.reject(
        gate.id, by="fay", binding=gate.binding, reason="no", channel=Channel.API
    )
    await expect(page.get_by_text("Closed:")).to_be_visible()
    await expect(page.get_by_role("cell", name="4200")).to_be_visible()
    assert late.count == 1
