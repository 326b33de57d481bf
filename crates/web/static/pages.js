// Parts of this site's other pages. The browser itself reads a page as a document, in which nothing runs or loads; its
// nodes are then taken over. So there is one place where lists are made, and no script makes markup of a text.

import { Refusal } from "./modules.js";

/** A page of this site as a document. */
export function load(href) {
  return new Promise((resolve, reject) => {
    const fetching = new XMLHttpRequest();
    fetching.open("GET", href);
    fetching.responseType = "document";
    fetching.onload = () =>
      fetching.status === 200 && fetching.response
        ? resolve(fetching.response)
        : reject(new Refusal(String(fetching.status), fetching.statusText));
    fetching.onerror = () => reject(new Refusal("offline", "offline"));
    fetching.send();
  });
}

/** The list of a page that goes on, and the link to where it does. */
export const listOf = (page) => page.querySelector("[data-endless] > :is(ul, ol)");
export const nextOf = (page) => page.querySelector("[data-endless] > p > a[rel=next]");

/** Nodes of another document, for this one. */
export const taken = (nodes) => Array.from(nodes, (node) => document.importNode(node, true));
