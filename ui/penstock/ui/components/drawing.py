"""Pictures and tables of which a part can be chosen, with the mouse and with the keyboard.

What they are made of is written here, in Python, and every text in it is escaped by whoever writes
it. The browser puts it onto the page and says which part was chosen; nothing else.
"""

from collections.abc import Callable
from html import escape
from typing import Any, cast

import streamlit as st

PICKS = "data-pick"
"""The attribute of what can be chosen."""

# A first line that is not empty would be taken for the name of a file.
_JS = """
export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const root = parentElement.querySelector('.drawing');
  if (root.drawn !== data) {
    const active = root.getRootNode().activeElement;
    const held = active && active.dataset ? active.dataset.pick : undefined;
    const before = root.querySelector('.scroll');
    const top = before ? before.scrollTop : null;
    root.innerHTML = data;
    root.drawn = data;
    const after = root.querySelector('.scroll');
    if (after && top !== null) after.scrollTop = top;
    const chosen = after ? after.querySelector('[aria-pressed="true"]') : null;
    if (chosen && top === null) {
      after.scrollTop = chosen.offsetTop - after.clientHeight / 2;
    }
    for (const part of held ? root.querySelectorAll('[data-pick]') : []) {
      if (part.dataset.pick === held) { part.focus({ preventScroll: true }); break; }
    }
  }
  const choose = (event) => {
    const part = event.target.closest('[data-pick]');
    if (!part) return;
    event.preventDefault();
    setTriggerValue('picked', part.dataset.pick);
  };
  root.onclick = choose;
  root.onkeydown = (event) => {
    if (event.key === 'Enter' || event.key === ' ') choose(event);
  };
}
"""

_CSS = """
.drawing { font: 13px/1.4 var(--st-font); color: var(--st-text-color); }
[data-pick] { cursor: pointer; }
[data-pick]:focus { outline: none; }
[data-pick]:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
.soft { color: var(--st-gray-text-color); fill: var(--st-gray-text-color); }

svg { display: block; max-width: 100%; height: auto; margin: 0 auto; }
svg text { font: 12px var(--st-font); fill: var(--st-text-color); text-anchor: middle; }
svg .label { font-size: 10px; fill: var(--st-gray-text-color); paint-order: stroke;
  stroke: var(--st-background-color); stroke-width: 4px; }
.node rect { fill: var(--st-secondary-background-color); stroke: var(--st-border-color); }
.node.bare rect { fill: none; stroke: none; }
.node.bare text { fill: var(--st-gray-text-color); }
.node.succeeded rect { fill: var(--st-green-background-color); stroke: var(--st-green-color); }
.node.started rect { fill: var(--st-blue-background-color); stroke: var(--st-blue-color); }
.node.failed rect { fill: var(--st-red-background-color); stroke: var(--st-red-color); }
.node.parked rect { fill: var(--st-orange-background-color); stroke: var(--st-orange-color);
  stroke-width: 2.5; }
.node.chosen rect { stroke: var(--st-primary-color); stroke-width: 3.5; }
.node[data-pick]:hover rect { stroke-width: 3; }
.way { fill: none; stroke: var(--st-gray-color); stroke-width: 1; opacity: 0.7; }
.way.taken { stroke-width: 2.2; opacity: 1; }
.way.maybe { stroke-dasharray: 4 3; }
.tip { fill: var(--st-gray-color); }

.time { display: grid; grid-template-columns: minmax(70px, max-content) 1fr; column-gap: 10px;
  position: relative; }
.time .name { max-width: 190px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
  text-align: right; color: var(--st-gray-text-color); line-height: 26px; }
.time .track { position: relative; height: 26px; min-width: 0; }
.time .over { position: relative; grid-column: 2; min-width: 0; }
.time .bands { position: absolute; inset: 0; pointer-events: none; }
.time button { position: absolute; padding: 0; border: 0; border-radius: 3px; font: inherit; }
.time button:hover { filter: brightness(1.15); }
.time .bar { top: 4px; height: 18px; min-width: 7px; }
.time .call { top: 17px; height: 6px; min-width: 6px; background: var(--st-violet-color);
  border: 1px solid var(--st-background-color); box-sizing: border-box; z-index: 2; }
.bar.succeeded { background: var(--st-green-color); }
.bar.started { background: var(--st-blue-color); }
.bar.failed { background: var(--st-red-color); }
.bar.parked { background: var(--st-orange-color); }
.time .chosen { outline: 3px solid var(--st-primary-color); outline-offset: 1px; z-index: 3; }
.band { position: absolute; top: 0; bottom: 0; min-width: 3px; border-radius: 3px;
  background: var(--st-orange-color); opacity: 0.22; pointer-events: auto; }
.gap { position: absolute; transform: translateX(-50%); font-size: 11px; white-space: nowrap;
  color: var(--st-gray-text-color); }
.time .ends { height: 18px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 14px; margin-bottom: 6px; font-size: 12px;
  color: var(--st-gray-text-color); }
.legend i { display: inline-block; width: 10px; height: 10px; border-radius: 3px;
  margin-right: 5px; }
.legend .wait { background: var(--st-orange-color); opacity: 0.35; }
.legend .does { background: var(--st-violet-color); height: 6px; vertical-align: 2px; }

.scroll { max-height: 280px; overflow: auto; border: 1px solid var(--st-border-color);
  border-radius: 8px; position: relative; }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
th { position: sticky; top: 0; z-index: 1; text-align: left; font-weight: 600;
  background: var(--st-secondary-background-color); color: var(--st-gray-text-color); }
th, td { padding: 5px 9px; vertical-align: top; }
td { border-top: 1px solid var(--st-border-color); max-width: 420px; overflow: hidden;
  text-overflow: ellipsis; white-space: nowrap; }
tr[data-pick]:hover td { background: var(--st-secondary-background-color); }
tr[data-pick]:focus { outline: none; }
[data-pick]:focus-visible { outline-offset: -2px; }
tr.chosen td { background: var(--st-blue-background-color); }
tr.chosen td:first-child { box-shadow: inset 3px 0 var(--st-primary-color); }
td.succeeded { color: var(--st-green-text-color); }
td.started { color: var(--st-blue-text-color); }
td.failed { color: var(--st-red-text-color); }
td.parked, td.in_doubt { color: var(--st-orange-text-color); }
td.compensated { color: var(--st-violet-text-color); }

tr.parts td { background: var(--st-orange-background-color); }

.changes { display: grid; gap: 8px; }
.change { border-left: 3px solid var(--st-border-color); padding-left: 10px; }
.change.added { border-color: var(--st-green-color); }
.change.removed { border-color: var(--st-red-color); }
.change.changed { border-color: var(--st-blue-color); }
.change b { overflow-wrap: anywhere; }
.change span { color: var(--st-gray-text-color); font-size: 12px; }
.change del, .change ins { display: block; margin-top: 3px; padding: 4px 8px; border-radius: 5px;
  white-space: pre-wrap; overflow-wrap: anywhere; text-decoration: none; max-height: 240px;
  overflow: auto; }
.change del { background: var(--st-red-background-color); }
.change ins { background: var(--st-green-background-color); }
"""

_component: Any = cast("Any", st.components).v2.component(
    "penstock_drawing", html='<div class="drawing"></div>', css=_CSS, js=_JS
)


def drawing(markup: str, *, key: str, pick: Callable[[str], None] | None = None) -> None:
    """Show a picture or a table; `pick` is told what was chosen in it, before the next look.

    What it is told comes from a browser, and may be anything.
    """

    def picked() -> None:
        found: object = getattr(st.session_state.get(key), "picked", None)
        if pick is not None and isinstance(found, str):
            pick(found)

    _component(key=key, data=markup, on_picked_change=picked)


def pickable(value: str, *, said: str, is_chosen: bool) -> str:
    """Return the attributes of a part that can be chosen, and what is said of it aloud."""
    return (
        f'{PICKS}="{escape(value)}" tabindex="0" role="button"'
        f' aria-label="{escape(said)}" aria-pressed="{str(is_chosen).lower()}"'
    )
