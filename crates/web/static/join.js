// /join: an account with a name, a password and a key file, and its pet. Whoever is signed in begins a new story.

import { accountOf, keyFile, mined, request, send, setPassword } from "./act.js";
import { get, post } from "./api.js";
import { random } from "./bytes.js";
import { byId, make, path, showAccount } from "./dom.js";
import { keys } from "./keys.js";
import { prepare } from "./photo.js";
import { strength } from "./strength.js";
import { T, words } from "./texts.js";
import { upload } from "./upload.js";
import { keep, own, signOut } from "./wallet.js";

/** The kennel for a birth: one with room, of the line that the address asks for. */
function placeFor(account) {
  const asked = new URLSearchParams({ account });
  const line = new URLSearchParams(location.search).get("in");
  if (line) asked.set("line", line);
  return get(`/v1/birthplace?${asked}`);
}

/** The pet that an account has living where a birth would go; nothing if there is none. */
async function livingPet(own) {
  const [{ id }, account] = await Promise.all([placeFor(own.account), accountOf(own)]);
  return account?.kennels.find((holding) => holding.kennel === id)?.pet;
}

/** The steps of joining, each with its state. */
function stepList(list, names) {
  const rows = new Map();
  list.replaceChildren();
  for (const name of names) {
    const state = make("span", { textContent: T.stepWaits });
    list.append(make("li", {}, `${T.steps[name]}: `, state));
    rows.set(name, state);
  }
  list.hidden = false;
  return async (name, action) => {
    const state = rows.get(name);
    const say = (text) => (state.textContent = text);
    say(T.preparing);
    try {
      const result = await action(say);
      say(T.stepDone);
      return result;
    } catch (error) {
      say(T.stepFailed);
      throw error;
    }
  };
}

export async function join() {
  const form = byId("join");
  const problem = byId("join-problem");
  const preview = byId("preview");
  let account = await own();
  let photo;
  // What is done stays done if a later step fails and the form is sent again.
  let done = { name: false, password: false, sha256: undefined };
  let ring;

  byId("account-part").hidden = byId("account-part").disabled = Boolean(account);
  byId("again").hidden = !account;
  // Where a pet of theirs lives, another one can't be born: better told before a photo is chosen.
  const home = account && (await livingPet(account).catch(() => undefined));
  if (home) {
    byId("has-pet-link").href = path(`/pet/${home}`);
    byId("has-pet").hidden = false;
    form.hidden = true;
  }
  form.removeAttribute("data-off");

  byId("photo").addEventListener("change", async ({ target }) => {
    problem.textContent = "";
    photo = done.sha256 = undefined;
    preview.hidden = true;
    if (!target.files[0]) return;
    try {
      photo = await prepare(target.files[0]);
      URL.revokeObjectURL(preview.src);
      preview.src = URL.createObjectURL(photo);
      preview.hidden = false;
    } catch (error) {
      problem.textContent = words(error);
    }
  });

  const hint = () => {
    const level = strength(byId("password").value, byId("user").value);
    byId("strength").value = level;
    byId("strength-words").textContent = byId("password").value ? T.strengths[level] : "";
  };
  byId("password").addEventListener("input", hint);
  byId("user").addEventListener("input", hint);

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.textContent = "";
    const value = (id) => byId(id).value;
    if (!photo) return void (problem.textContent = T.noPhoto);
    if (!account && value("password") !== value("password-again")) return void (problem.textContent = T.mismatch);
    const submit = form.querySelector("button[type=submit]");
    submit.disabled = true;
    const isNew = !account || ring;
    const step = stepList(byId("steps"), isNew ? ["name", "password", "photo", "pet"] : ["photo", "pet"]);
    try {
      if (isNew) {
        const name = value("user");
        await step("name", async () => {
          if (done.name === name) return;
          const [, id, key, seed, keyring] = await keys("account_new", random(32), name);
          account = await keep({ name, account: id, keys: [{ key, seed }] });
          await post("/v1/accounts", { request: await request(account, "name", name) });
          ring = keyring;
          done = { ...done, name, password: false };
        });
        await step("password", async (say) => {
          if (done.password) return;
          say(T.stretching);
          const password = value("password");
          await setPassword(account, name, password, ring);
          const file = await keyFile(password, ring);
          byId("key-file").href = URL.createObjectURL(file);
          byId("key-file").download = `${name}.age`;
          done.password = true;
        });
      }
      done.sha256 ??= await step("photo", (say) => upload(account, photo, (part) => say(T.uploading(part))));
      const [id] = await step("pet", async (say) => {
        const { id: kennel } = await placeFor(account.account);
        const sent = await send(account, kennel, "birth", [done.sha256, value("pet-name"), value("story")], (part) =>
          say(T.working(part)),
        );
        say(T.queued);
        await mined(sent, kennel, () => say(T.queued));
        return [sent];
      });
      ring?.fill(0);
      byId("password").value = byId("password-again").value = "";
      form.hidden = true;
      showAccount(account);
      byId("born").hidden = false;
      byId("key-file-part").hidden = !isNew;
      byId("to-pet").href = path(`/pet/${id}`);
      byId("born").focus();
    } catch (error) {
      if (!done.name && isNew) {
        await signOut();
        account = undefined;
      }
      problem.textContent = words(error);
      submit.disabled = false;
      if (error.code === "name-taken" || error.code === "name") byId("user").focus();
    }
  });
}
