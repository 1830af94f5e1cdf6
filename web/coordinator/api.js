// coordinator/api.js - requests to the coordinator. Failures are thrown as an Error with the API's code.

const state = {csrf: ""};
export const setCsrf = (token) => { state.csrf = token; };

async function ask(method, path, body) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET") headers["X-CSRF-Token"] = state.csrf;
  const reply = await fetch(`../v1/${path}`, {
    method, headers, cache: "no-store", body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (reply.status === 401) {
    location.assign("login");
    return new Promise(() => {});
  }
  const answer = reply.status === 204 ? {} : await reply.json().catch(() => ({}));
  if (reply.ok) return answer;
  throw Object.assign(new Error(answer.message ?? `the coordinator answered with status ${reply.status}`), {code: answer.code ?? "internal"});
}

const query = (parameters) => {
  const text = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value)).toString();
  return text ? `?${text}` : "";
};

export const get = (path, parameters = {}) => ask("GET", path + query(parameters));
export const post = (path, body = {}) => ask("POST", path, body);
export const remove = (path) => ask("DELETE", path);

// Events of a spend, from the first on; the browser comes back by itself after the last one that it got.
export function follow(id, event) {
  const source = new EventSource(`../v1/spends/${id}/events`);
  source.addEventListener("message", ({data}) => event(JSON.parse(data)));
  return source;
}

// A request's own name: asked for twice, it is one payment.
export function requestId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `ui-${[...bytes].map((b) => b.toString(16).padStart(2, "0")).join("")}`;
}
