// Small helpers for pages. Every text is set as text: no script of PitPet writes HTML.

/** A path of this site, in the language that a link chose; no cookie keeps it. */
export function path(to, parameters) {
  const lang = new URLSearchParams(location.search).get("lang");
  const all = [parameters, lang && `lang=${encodeURIComponent(lang)}`].filter(Boolean).join("&");
  return all ? `${to}?${all}` : to;
}

/** Shows what is for whoever is signed in, or for whoever isn't. */
export function showAccount(account) {
  for (const element of document.querySelectorAll("[data-signed-in]")) element.hidden = !account;
  for (const element of document.querySelectorAll("[data-signed-out]")) element.hidden = Boolean(account);
  showOwner(document, account);
  for (const element of document.querySelectorAll("[data-own-name]")) element.textContent = account?.name ?? "";
}

/** Shows in a part of the page what is for a pet's owner. */
export function showOwner(root, account) {
  for (const element of root.querySelectorAll("[data-owner-only]")) element.hidden = element.dataset.ownerOnly !== account?.account;
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
