// What pages do beyond being read. Each part is loaded by the page that needs it.

import { own } from "./wallet.js";

const page = document.body.dataset.page;

async function start() {
  const account = await own();
  document.documentElement.classList.add("js");
  for (const element of document.querySelectorAll("[data-signed-in]")) element.hidden = !account;
  for (const element of document.querySelectorAll("[data-signed-out]")) element.hidden = Boolean(account);
  for (const element of document.querySelectorAll("[data-own-name]")) element.textContent = account?.name ?? "";
  if (document.querySelector("[data-actions]")) (await import("./actions.js")).enable(document, account);
  for (const place of document.querySelectorAll("[data-live]")) (await import("./live.js")).announce(place);
  for (const button of document.querySelectorAll("[data-check]")) (await import("./check.js")).badge(button);
  if (page === "join") (await import("./join.js")).join();
  if (page === "signin") (await import("./signin.js")).signin();
  if (page === "me") (await import("./me.js")).me();
  document.documentElement.dataset.ready = "true";
}

start();
