// What pages do beyond being read. Each part is loaded by the page that needs it.

import { showAccount, showOwner } from "./dom.js";
import { own } from "./wallet.js";

const page = document.body.dataset.page;

async function start() {
  const account = await own();
  document.documentElement.classList.add("js");
  showAccount(account);
  const list = account && (await import("./list.js").then(({ read }) => read(account)).catch(() => undefined));
  /** Makes of a part of the page what scripts make of it. */
  const use = async (root) => {
    showOwner(root, account);
    if (root.querySelector("[data-actions]")) await (await import("./buttons.js")).enable(root, account, use);
    for (const place of root.querySelectorAll("[data-wishes]")) (await import("./moderation.js")).wishes(place, account);
    if (list) (await import("./belongings.js")).belong(root, account, list, page);
  };
  await use(document);
  const verdicts = document.querySelectorAll("[data-verdicts]");
  if (verdicts.length > 0) await (await import("./moderation.js")).verdicts(verdicts, account);
  for (const place of document.querySelectorAll("[data-endless]")) (await import("./endless.js")).endless(place, use);
  for (const place of document.querySelectorAll("[data-live]")) (await import("./live.js")).announce(place, use);
  for (const button of document.querySelectorAll("[data-check]")) (await import("./check.js")).badge(button);
  if (page === "join") (await import("./join.js")).join();
  if (page === "signin") (await import("./signin.js")).signin();
  if (page === "mine") (await import("./mine.js")).mine();
  if (page === "me") (await import("./me.js")).me(use);
  document.documentElement.dataset.ready = "true";
  // What can wait until the page can be used.
  import("./workers.js").then(({ keepOffline }) => keepOffline()).catch(() => {});
  if (account && page !== "me") (await import("./notices.js")).badge(account).catch(() => {});
}

start();
