() => {
  // What is written on a page, and how well it can be told from what it stands on: WCAG 2.2, 1.4.3.
  const parsed = (colour) => {
    const parts = colour.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0, 0];
    return colour.startsWith("color(srgb")
      ? [...parts.slice(0, 3).map((part) => part * 255), parts[3] ?? 1]
      : [parts[0], parts[1], parts[2], parts[3] ?? 1];
  };
  const over = (top, under) => [0, 1, 2].map((at) => top[at] * top[3] + under[at] * (1 - top[3]));
  const luminance = (colour) => {
    const [red, green, blue] = colour.map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const chain = (element) => element ? [...chain(element.parentElement), element] : [];
  const ground = (element) => chain(element).reduce(
    (under, each) => over(parsed(getComputedStyle(each).backgroundColor), under), [255, 255, 255]);
  const opacity = (element) => chain(element).reduce(
    (all, each) => all * Number(getComputedStyle(each).opacity), 1);
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement, text = node.textContent.trim();
    const style = getComputedStyle(element), box = element.getBoundingClientRect();
    const isHidden = !text || ["STYLE", "SCRIPT", "NOSCRIPT", "TITLE"].includes(element.tagName)
      || style.visibility !== "visible" || box.width <= 1 || box.height <= 1
      || element.closest("[disabled], [aria-disabled=true], [aria-hidden=true], svg, canvas");
    if (isHidden || opacity(element) === 0) continue;
    const under = ground(element), ink = parsed(style.color);
    ink[3] *= opacity(element);
    const [high, low] = [luminance(over(ink, under)), luminance(under)].sort((a, b) => b - a);
    const contrast = (high + 0.05) / (low + 0.05), size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    found.push({ text: text.slice(0, 60), contrast, needs: isLarge ? 3 : 4.5,
      where: element.closest("[data-testid]")?.dataset.testid ?? element.tagName });
  }
  return found;
}
