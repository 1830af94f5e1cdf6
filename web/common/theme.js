// common/theme.js - light, dark, high contrast, or as the system has it.
import {field, select} from "./dom.js?v=%TAG%";

const NAMES = [["auto", "As the system"], ["light", "Light"], ["dark", "Dark"], ["high", "High contrast"]];

export function applyTheme(name) {
  if (name === "auto") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.dataset.theme = name;
}

// Where storage is forbidden, the choice lasts as long as the page.
function stored() {
  try {
    const name = localStorage.getItem("theme");
    return NAMES.some(([key]) => key === name) ? name : "auto";
  } catch {
    return "auto";
  }
}

function store(name) {
  try {
    localStorage.setItem("theme", name);
  } catch { /* see above */ }
}

// A labelled choice; `changed` is told of it. kept: what the account keeps; a browser's own choice comes first.
export function themeChoice(kept, changed = () => {}) {
  const known = NAMES.some(([key]) => key === kept), own = stored();
  const node = select(NAMES, own === "auto" && known ? kept : own);
  applyTheme(node.value);
  node.addEventListener("change", () => {
    store(node.value);
    applyTheme(node.value);
    changed(node.value);
  });
  return field("Theme", node);
}
