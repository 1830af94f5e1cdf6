// common/theme.js - light, dark, or as the system has it.
import {el} from "./dom.js?v=%TAG%";

const NAMES = {auto: "Theme: system", light: "Theme: light", dark: "Theme: dark"};

function apply(name) {
  if (name === "auto") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.dataset.theme = name;
}

export function themeButton() {
  const order = Object.keys(NAMES);
  let name = localStorage.getItem("theme");
  if (!order.includes(name)) name = "auto";
  const button = el("button", {type: "button"}, NAMES[name]);
  apply(name);
  button.addEventListener("click", () => {
    name = order[(order.indexOf(name) + 1) % order.length];
    localStorage.setItem("theme", name);
    button.textContent = NAMES[name];
    apply(name);
  });
  return button;
}
