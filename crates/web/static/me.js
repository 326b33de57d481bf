// /me: the account of this device. What needs the keys themselves asks for the password again: the browser doesn't give
// them out, to this page neither.

import { accountOf, keyFile, openKeyFile, openVault, readKeyring, setPassword } from "./act.js";
import { toHex } from "./bytes.js";
import { byId, make, path } from "./dom.js";
import { belongings } from "./own.js";
import { load, taken } from "./pages.js";
import { T, words } from "./texts.js";
import { keep, own, signOut } from "./wallet.js";

/** How long the page waits for all of its parts, ms. */
const PATIENCE_MS = 3_000;

async function holdings(account) {
  const list = byId("holdings");
  const known = (await accountOf(account)) ?? { kennels: [] };
  const living = known.kennels.filter((holding) => holding.pet).length;
  for (const holding of known.kennels) list.append(make("li", {}, T.treats(holding.granted, holding.free)));
  // Name, photo and life as the pet's own page has them.
  await Promise.all(known.kennels.filter((holding) => holding.pet).map(async ({ pet }) => {
    const place = make("div", { className: "own-pet" });
    byId("own-pets").append(place);
    const link = make("a", { className: "name", href: path(`/pet/${pet}`), textContent: T.living });
    place.append(link);
    const page = await load(path(`/pet/${pet}`));
    const [photo, life] = [page.querySelector(".frame > .photo"), page.querySelector(".frame .life")];
    link.textContent = page.querySelector("h1").textContent;
    place.replaceChildren(...taken(photo ? [photo] : []), make("div", {}, make("h2", {}, link), ...taken(life ? [life] : [])));
  }));
  if (living === 0) {
    const line = known.kennels[0] && `in=${encodeURIComponent(known.kennels[0].label)}`;
    list.append(make("li", {}, `${T.noPet} `, make("a", { href: path("/join", line), textContent: T.newStory })));
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
  let account = await own();
  if (!account) {
    byId("signed-out").hidden = false;
    return;
  }
  // What it shows comes from several places: it is seen once all of it is there, or after a while.
  const see = () => byId("signed-in").removeAttribute("data-off");
  const patience = setTimeout(see, PATIENCE_MS);
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
    const file = await keyFile(value("new-file-other") || value("new-file-password"), keyring);
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
  onSubmit(byId("renew"), byId("renew-problem"), async () => {
    if (value("renew-password") !== value("renew-password-again")) throw new Error(T.mismatch);
    const keyring = await openKeyFile(byId("renew-file").files[0], value("renew-file-password"));
    const read = await readKeyring(keyring);
    if (toHex(read.account) !== account.account) throw new Error(T.otherAccount);
    account = await keep({ ...read, name: account.name });
    await setPassword(account, account.name, value("renew-password"), keyring);
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
  clearTimeout(patience);
  see();
  document.documentElement.dataset.shown = "true";
}
