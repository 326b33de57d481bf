// Small helpers for pages. Every text is set as text: no script of PitPet writes HTML.

/** A path of this site, in the language that a link chose; no cookie keeps it. */
export function path(to) {
  const lang = new URLSearchParams(location.search).get("lang");
  return lang ? `${to}?lang=${encodeURIComponent(lang)}` : to;
}

/** Shows what is for whoever is signed in, or for whoever isn't. */
export function showAccount(account) {
  for (const element of document.querySelectorAll("[data-signed-in]")) element.hidden = !account;
  for (const element of document.querySelectorAll("[data-signed-out]")) element.hidden = Boolean(account);
  for (const element of document.querySelectorAll("[data-owner-only]")) element.hidden = element.dataset.ownerOnly !== account?.account;
  for (const element of document.querySelectorAll("[data-own-name]")) element.textContent = account?.name ?? "";
}

export const byId = (id) => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

let last = 0;
export const newId = () => `s${(last += 1)}`;

/** A labelled field. */
export function labelled(label, control) {
  control.id ||= newId();
  return make("p", { className: "field" }, make("label", { htmlFor: control.id, textContent: label }), control);
}
