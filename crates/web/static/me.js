// /me: the account of this device. What needs the keys themselves asks for the password again: the browser doesn't give
// them out, to this page neither.

import { keyFile, openVault, setPassword } from "./act.js";
import { get } from "./api.js";
import { byId, make, path } from "./dom.js";
import { belongings } from "./own.js";
import { T, words } from "./texts.js";
import { own, signOut } from "./wallet.js";

async function holdings(account) {
  const list = byId("holdings");
  const known = await get(`/v1/accounts/${account.account}`).catch((error) => {
    if (error.status === 404) return { kennels: [] };
    throw error;
  });
  let living = 0;
  for (const holding of known.kennels) {
    const item = make("li");
    if (holding.pet) {
      living += 1;
      item.append(make("a", { href: path(`/pet/${holding.pet}`), textContent: T.living }), ": ");
    }
    item.append(T.treats(holding.granted, holding.free));
    list.append(item);
  }
  if (living === 0) {
    list.append(make("li", {}, `${T.noPet} `, make("a", { href: path("/join"), textContent: T.newStory })));
  }
}

function onSubmit(form, problem, action) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const submit = form.querySelector("button[type=submit]");
    submit.disabled = true;
    problem.textContent = T.signingIn;
    try {
      problem.textContent = await action();
      form.reset();
    } catch (error) {
      problem.textContent = words(error);
    }
    submit.disabled = false;
  });
}

export async function me(use) {
  const account = await own();
  byId(account ? "signed-in" : "signed-out").hidden = false;
  if (!account) return;
  byId("me-name").textContent = account.name;
  byId("me-id").textContent = account.account;
  byId("me-page").href = path(`/account/${account.account}`);
  byId("sign-out").addEventListener("click", async () => {
    await signOut();
    location.assign(path("/"));
  });
  const value = (id) => byId(id).value;
  onSubmit(byId("new-file"), byId("new-file-problem"), async () => {
    const keyring = await openVault(account.name, value("new-file-password"));
    const file = await keyFile(value("new-file-password"), keyring);
    keyring.fill(0);
    const link = byId("new-file-link");
    link.href = URL.createObjectURL(file);
    link.download = `${account.name}.age`;
    link.hidden = false;
    link.focus();
    return "";
  });
  onSubmit(byId("new-password"), byId("new-password-problem"), async () => {
    if (value("password-new") !== value("password-new-again")) throw new Error(T.mismatch);
    const keyring = await openVault(account.name, value("password-old"));
    await setPassword(account, account.name, value("password-new"), keyring);
    keyring.fill(0);
    return T.changed;
  });
  const shown = belongings(account, use);
  try {
    await holdings(account);
  } catch (error) {
    byId("holdings").append(make("li", { textContent: words(error) }));
  }
  await shown;
  document.documentElement.dataset.shown = "true";
}
