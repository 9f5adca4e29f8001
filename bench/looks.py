"""How fast the control room is over many runs: `PYTHONPATH=tests python -m bench.looks`.

Each number is the median of several rounds, with its range. A cold look is the first that a new
server gives, in a browser that has nothing of the room yet; a warm one comes from a browser that
was there before. Processor times say what is left of that on a machine that has nothing else to do.
`--only` takes the measurements whose names begin so.
"""

import os

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

import argparse
import asyncio
import re
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.async_api import Browser, Page, async_playwright
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from bench.control_room import fill
from bench.spread import spread
from penstock.checkpoints import Checkpointer, Store
from penstock.contracts.run import Run, RunStatus
from penstock.graphs import Catalog
from penstock.policies import Directory
from penstock.runs import Runtime
from support.browsers import find_chromium, launch
from support.rooms import pages, started
from support.showroom import project

ROUNDS = 5
VIEWERS = (1, 10, 50)
PATIENCE_MS = 60_000
CARD = "[class*='st-key-card-']"

Measure = Callable[["Bench"], Awaitable[None]]


class Bench:
    """A full store, a browser, and rooms that are opened over them."""

    def __init__(self, folder: Path, told: dict[str, str], browser: Browser) -> None:
        self.folder = folder
        self.told = told
        self.browser = browser

    def room(self, opened: ExitStack) -> str:
        """Start a room that nobody has looked at; return its address."""
        return opened.enter_context(pages(self.folder, self.told))

    async def window(self) -> Page:
        """Open a window of a browser that knows nothing of the room."""
        context = await self.browser.new_context(viewport={"width": 1440, "height": 900})
        context.set_default_timeout(PATIENCE_MS)
        return await context.new_page()


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at a page took."""

    took_s: float
    room_s: float
    page_s: float
    loaded_kb: float


async def first_page(bench: Bench) -> None:
    """Measure the inbox: from a new server and a new browser, then from each that was there."""
    took: dict[str, list[Look]] = {"cold": [], "new browser": [], "warm": []}
    for _ in range(ROUNDS):
        with ExitStack() as opened:
            url = bench.room(opened)
            page = await bench.window()
            took["cold"].append(await _measured(page, url))
            another = await bench.window()
            took["new browser"].append(await _measured(another, url))
            took["warm"].append(await _measured(another, url))
            await page.context.close()
            await another.context.close()
    for name, looks in took.items():
        _say(f"first page, {name}", [look.took_s for look in looks])
        _say("  of which the room's processor", [look.room_s for look in looks])
        _say("  of which the page's processor", [look.page_s for look in looks])
        print(f"{'  loaded':44} {max(look.loaded_kb for look in looks):8,.0f} kB")


async def _measured(page: Page, url: str) -> "Look":
    # Its own messages are not typed.
    session: Any = await page.context.new_cdp_session(page)
    await session.send("Network.enable")
    await session.send("Performance.enable")
    loaded: list[float] = []

    def note(told: dict[str, Any]) -> None:
        loaded.append(told["encodedDataLength"])

    session.on("Network.loadingFinished", note)
    process = _room()
    before = _processor_s(process)
    took_s = await _look(page, url)
    told: list[Any] = (await session.send("Performance.getMetrics"))["metrics"]
    page_s: float = next(each["value"] for each in told if each["name"] == "TaskDuration")
    room_s = _processor_s(process) - before
    await session.detach()
    return Look(took_s, room_s=room_s, page_s=page_s, loaded_kb=sum(loaded) / 1e3)


async def switches(bench: Bench) -> None:
    """Measure what somebody changes on a page that is there."""
    shelves: list[float] = []
    filters: list[float] = []
    walks: list[float] = []
    with ExitStack() as opened:
        url = bench.room(opened)
        page = await bench.window()
        await _look(page, url)
        for number in range(2 * ROUNDS):
            name, sign = (("Decided", "by fay"), ("Needs me", "asks 1 of"))[number % 2]
            button = page.get_by_test_id("stButtonGroup").get_by_text(re.compile(name))
            shelves.append(await _until(page, button.click, f"{CARD} >> text={sign} >> nth=0"))
        for number in range(2 * ROUNDS):
            if number % 2 == 0:
                link = page.get_by_test_id("stSidebarNav").get_by_text("Runs")
                walks.append(await _until(page, link.click, "[data-testid=stDataFrame] canvas"))
                pill = page.get_by_test_id("stButtonGroup").get_by_text(re.compile("Failed"))
                await page.wait_for_timeout(1000)
                before = await _mark(page)
                began = time.perf_counter()
                await pill.click()
                await page.wait_for_function(
                    "before => document.querySelector('[data-testid=stDataFrame] table tbody')"
                    "?.innerText !== before",
                    arg=before,
                )
                filters.append(time.perf_counter() - began)
            else:
                link = page.get_by_test_id("stSidebarNav").get_by_text(re.compile("Inbox"))
                await _until(page, link.click, CARD)
    _say("another shelf", shelves)
    _say("from the inbox to the runs", walks)
    _say("runs, another filter", filters)


async def decisions(bench: Bench) -> None:
    """Measure from the click on *Approve* until the run moves, and until the page says so."""
    moved: list[float] = []
    told: list[float] = []
    url = bench.told["PENSTOCK_STORE_URL"]
    people = Directory.load(bench.folder / "people.toml")
    with ExitStack() as opened:
        store = opened.enter_context(Store.open(url))
        catalog = Catalog.load(bench.folder / "langgraph.json")
        runtime = Runtime(store, Checkpointer(store), catalog, people=people)
        opened.enter_context(started(bench.folder, bench.told, "worker"))
        room = bench.room(opened)
        for number in range(ROUNDS + 1):
            given = {"order": f"D-{number}", "cents": 12_900}
            run = await runtime.start("paying", given, actor="ada")
            await _when(runtime, run, lambda status: status is RunStatus.WAITING)
            (gate,) = await runtime.gates(run.id)
            page = await bench.window()
            await page.goto(f"{room}/gate?gate={gate.id}")
            button = page.get_by_role("button", name="Approve this call")
            await button.wait_for()
            await page.wait_for_timeout(1000)
            began = time.perf_counter()
            said = asyncio.ensure_future(
                _until(page, button.click, "text=The run goes on and makes the call")
            )
            await _when(runtime, run, lambda status: status is not RunStatus.WAITING)
            moved.append(time.perf_counter() - began)
            told.append(await said)
            await page.context.close()
    _say("approve, until the run moves", moved)
    _say("approve, until the page says so", told)


async def _when(runtime: Runtime, run: Run, is_so: Callable[[RunStatus], bool]) -> None:
    while not is_so((await runtime.get(run.id)).status):  # noqa: ASYNC110  (another process acts)
        await asyncio.sleep(0.005)


async def memory(bench: Bench) -> None:
    """Measure what the room holds, for as many windows as stand open."""
    with ExitStack() as opened:
        url = bench.room(opened)
        process = _room()
        print(f"{'memory, nobody looks':44} {_resident_mb(process):8.0f} MB")
        stream = f"ws{url.removeprefix('http')}/_stcore/stream"
        windows = await _windows(stream, 0)
        for count in VIEWERS:
            windows += await _windows(stream, count - len(windows))
            print(f"{f'memory, {count} look':44} {_resident_mb(process):8.0f} MB")
        for window in windows:
            await window.close()


async def _windows(stream: str, count: int) -> list[ClientConnection]:
    """Open windows as browsers do, and wait until each has its page."""
    found: list[ClientConnection] = []
    for _ in range(count):
        window = await connect(stream, subprotocols=[Subprotocol("streamlit")], max_size=None)
        asked = BackMsg()
        asked.rerun_script.query_string = ""
        await window.send(asked.SerializeToString())
        while True:
            message = ForwardMsg()
            message.ParseFromString(await window.recv(decode=False))
            if message.WhichOneof("type") == "script_finished":
                break
        found.append(window)
    return found


async def _look(page: Page, url: str) -> float:
    async def go() -> None:
        await page.goto(url)

    return await _until(page, go, CARD)


async def _until(page: Page, act: Callable[[], Awaitable[None]], shown: str) -> float:
    """Return the seconds from an act until something is to be seen, and nothing stale beside it."""
    began = time.perf_counter()
    await act()
    await page.locator(shown).first.wait_for()
    await page.wait_for_function("() => !document.querySelector('[data-stale=true]')")
    return time.perf_counter() - began


async def _mark(page: Page) -> str:
    return str(
        await page.evaluate(
            "() => document.querySelector('[data-testid=stDataFrame] table tbody')?.innerText"
        )
    )


def _room() -> int:
    """Return the process that serves the pages."""
    (process,) = [each for each in _children() if b"ui" in _command(each)]
    return process


def _processor_s(pid: int) -> float:
    told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def _children() -> list[int]:
    me = Path(f"/proc/{os.getpid()}/task")
    return [int(pid) for task in me.iterdir() for pid in (task / "children").read_text().split()]


def _command(pid: int) -> list[bytes]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


def _resident_mb(pid: int) -> float:
    (line,) = [
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    ]
    return int(line.split()[1]) / 1024


def _say(name: str, times: list[float]) -> None:
    print(f"{name:44} {spread([each * 1e3 for each in times]).text()} ms", flush=True)


MEASURES: dict[str, Measure] = {
    "first": first_page,
    "switches": switches,
    "decisions": decisions,
    "memory": memory,
}


async def _measure(program: str, only: str) -> None:
    with TemporaryDirectory() as folder:
        told = project(Path(folder))
        with Store.open(told["PENSTOCK_STORE_URL"]) as store:
            store.write_blocking(fill)
        async with async_playwright() as playwright:
            browser = await launch(playwright, program)
            bench = Bench(Path(folder), told, browser)
            for name, measure in MEASURES.items():
                if name.startswith(only):
                    await measure(bench)
            await browser.close()


def main() -> None:
    """Measure, and print a line for each number."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="the measurements whose names begin so")
    program = find_chromium()
    if program is None:
        sys.exit("Chromium was not found: install chromium")
    asyncio.run(_measure(program, parser.parse_args().only))


if __name__ == "__main__":
    main()
