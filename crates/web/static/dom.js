// Small helpers for pages. Every text is set as text: no script of PitPet writes HTML.

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
