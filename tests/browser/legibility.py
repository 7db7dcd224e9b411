"""What of a page is hard to read or has no name, judged in the browser by the rules of WCAG 2."""

from tests.browser.chromium import Tab

_CONTRAST_MIN = 4.5
_TO_BE_PRESSED = {"button", "link", "textbox", "combobox", "checkbox", "searchbox", "spinbutton"}
_FAINT = """(() => {
  const numbers = text => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = element => {
    for (let each = element; each; each = each.parentElement) {
      const colour = numbers(getComputedStyle(each).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.99) return colour;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll('main *, header *')].filter(element => {
    const style = getComputedStyle(element);
    const says = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (!says || !element.offsetWidth || style.opacity !== '1' || element.closest('[disabled]')) return false;
    const [low, high] = [light(numbers(style.color)), light(ground(element))].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05) < LEAST;
  }).map(element => `${element.tagName} ${element.className} ${element.textContent.slice(0, 40)}`);
})()""".replace("LEAST", str(_CONTRAST_MIN))


def faint(tab: Tab) -> list[str]:
    """Texts that stand out too little from what is behind them."""
    return list(tab.do(_FAINT))


def nameless(tab: Tab) -> list[str]:
    """Roles of what can be pressed or filled in, and has no name for those who do not see it."""
    tab.call("Accessibility.enable")
    nodes = tab.call("Accessibility.getFullAXTree")["nodes"]
    tab.call("Accessibility.disable")
    pressed = [node for node in nodes if node.get("role", {}).get("value") in _TO_BE_PRESSED and not node["ignored"]]
    return [node["role"]["value"] for node in pressed if not node.get("name", {}).get("value", "").strip()]
