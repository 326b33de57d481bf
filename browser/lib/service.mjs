// `pitpet serve` on a data folder of its own.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const target = process.env.CARGO_TARGET_DIR ?? join(dirname(fileURLToPath(import.meta.url)), "../../target");
const PITPET = join(target, "release/pitpet");

export class Service {
  /** Starts on a fresh folder and a free port, with more of the command's options. */
  static async start(...options) {
    const service = new Service();
    service.options = options;
    service.folder = await mkdtemp(join(tmpdir(), "pitpet-browser-"));
    service.listen = "127.0.0.1:0";
    await service.up();
    return service;
  }

  /** Starts, or starts again at the same address. */
  async up() {
    this.child = spawn(PITPET, ["serve", "--listen", this.listen, "--data-dir", join(this.folder, "data"), ...this.options], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    for await (const chunk of this.child.stdout) {
      said += chunk;
      const found = /http:\/\/([0-9.:]+)/.exec(said);
      if (found) {
        this.listen = found[1];
        this.url = `http://${found[1]}`;
        return;
      }
    }
    throw new Error(`pitpet serve ended: ${said}`);
  }

  /** Ends it at once, as a power cut would. */
  async kill() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await ended;
  }

  async stop() {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Runs an operator's command on it; gives what it printed. */
  admin(...args) {
    const place = ["--url", this.url, "--data-dir", join(this.folder, "data")];
    return execFileSync(PITPET, ["admin", ...args, ...place], { encoding: "utf8" });
  }

  /** Runs a player's command against it; gives what it printed. */
  run(...args) {
    const home = { ...process.env, HOME: this.folder };
    return execFileSync(PITPET, [...args, "--url", this.url], { encoding: "utf8", cwd: this.folder, env: home });
  }

  /** The same for a player with key files in a folder, under a passphrase. */
  act(keys, passphrase, ...args) {
    const place = ["--url", this.url, "--keys", keys, "--passphrase-fd", "0", "--scrypt-log-n", "1"];
    return execFileSync(PITPET, [...place, ...args], { encoding: "utf8", cwd: this.folder, input: `${passphrase}\n` });
  }

  async get(path) {
    const response = await fetch(this.url + path);
    if (!response.ok) throw new Error(`${response.status} ${path}: ${await response.text()}`);
    return response.json();
  }
}
