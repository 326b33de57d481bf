// /signin: by name and password, or by a key file.

import { openKeyFile, openVault, readKeyring } from "./act.js";
import { byId, path } from "./dom.js";
import { T, words } from "./texts.js";
import { keep } from "./wallet.js";

function onSubmit(form, problem, open) {
  form.removeAttribute("data-off");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const submit = form.querySelector("button[type=submit]");
    submit.disabled = true;
    problem.textContent = T.signingIn;
    try {
      const keyring = await open();
      await keep(await readKeyring(keyring));
      keyring.fill(0);
      form.reset();
      location.assign(path("/me"));
    } catch (error) {
      problem.textContent = words(error);
      submit.disabled = false;
    }
  });
}

export function signin() {
  const value = (id) => byId(id).value;
  onSubmit(byId("by-password"), byId("password-problem"), () =>
    openVault(value("signin-user").trim().toLowerCase(), value("signin-password")),
  );
  onSubmit(byId("by-file"), byId("file-problem"), () => openKeyFile(byId("signin-file").files[0], value("file-password")));
}
