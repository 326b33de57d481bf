// What pages do beyond being read. Each part is loaded by the page that needs it.

import { showAccount } from "./dom.js";
import { own } from "./wallet.js";

const page = document.body.dataset.page;

async function start() {
  const account = await own();
  document.documentElement.classList.add("js");
  showAccount(account);
  if (document.querySelector("[data-actions]")) (await import("./actions.js")).enable(document, account);
  for (const place of document.querySelectorAll("[data-wishes]")) (await import("./moderation.js")).wishes(place, account);
  const verdicts = document.querySelectorAll("[data-verdicts]");
  if (verdicts.length > 0) await (await import("./moderation.js")).verdicts(verdicts, account);
  for (const place of document.querySelectorAll("[data-live]")) (await import("./live.js")).announce(place);
  for (const button of document.querySelectorAll("[data-check]")) (await import("./check.js")).badge(button);
  if (page === "join") (await import("./join.js")).join();
  if (page === "signin") (await import("./signin.js")).signin();
  if (page === "mine") (await import("./mine.js")).mine();
  if (page === "me") (await import("./me.js")).me();
  document.documentElement.dataset.ready = "true";
}

start();
