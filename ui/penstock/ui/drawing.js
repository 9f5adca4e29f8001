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
