// /mine: searches in a worker while somebody looks on and the battery lasts, over a head that this browser has decided
// again, and sends what it finds as any other action.

import { mined, send } from "./act.js";
import { get } from "./api.js";
import { fromHex } from "./bytes.js";
import { byId, make } from "./dom.js";
import { T, words } from "./texts.js";
import { own } from "./wallet.js";
import { startWorker } from "./workers.js";

/** Below this the battery is kept for other things, unless it is being charged. */
const BATTERY_LOW = 0.3;

/** Longest that a server holds the question for a newer head, ms. */
const WAIT_MS = 10_000;

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class Miner {
  constructor(account) {
    this.account = account;
    this.tried = 0;
    this.earned = 0;
    this.lost = 0;
    this.say(T.mine.idle, "idle");
  }

  say(text, state) {
    const status = byId("mine-status");
    status.textContent = text;
    status.dataset.state = state;
  }

  log(text, kind) {
    const line = make("li", { textContent: text });
    line.dataset.kind = kind;
    byId("mine-log").prepend(line);
  }

  start(label) {
    this.label = label;
    this.run = Symbol(label);
    this.head = undefined;
    this.goal = undefined;
    byId("mine-start").disabled = true;
    byId("mine-where").disabled = true;
    byId("mine-stop").disabled = false;
    this.ticks = setInterval(() => this.tick(), 1000);
    this.last = { tried: this.tried, at: performance.now() };
    this.say(T.mine.checking, "checking");
    const run = this.run;
    this.follow(run).catch((error) => {
      if (this.run === run) this.stop(words(error), "failed");
    });
  }

  stop(text, state) {
    this.run = undefined;
    this.halt();
    clearInterval(this.ticks);
    byId("mine-start").disabled = false;
    byId("mine-where").disabled = false;
    byId("mine-stop").disabled = true;
    byId("mine-rate").textContent = "–";
    this.say(text, state);
  }

  /** Ends the search; what is wanted is kept. */
  halt() {
    this.worker?.terminate();
    this.worker = undefined;
  }

  tick() {
    const now = performance.now();
    const rate = ((this.tried - this.last.tried) * 1000) / (now - this.last.at);
    this.last = { tried: this.tried, at: now };
    byId("mine-rate").textContent = Math.round(rate).toLocaleString(document.documentElement.lang);
    byId("mine-tried").textContent = this.tried.toLocaleString(document.documentElement.lang);
  }

  /** Asks for the head, decides its block again, and searches what it leaves to be found, until the run is over. */
  async follow(run) {
    for (let pause = 500; this.run === run; ) {
      let view;
      try {
        const more = this.head === undefined ? "" : `?above=${this.head}&wait_ms=${WAIT_MS}`;
        view = await get(`/v1/kennels/${encodeURIComponent(this.label)}${more}`);
        pause = 500;
      } catch (error) {
        if (error.code !== "offline" && !(error.status >= 500)) throw error;
        this.say(T.away, "away");
        await wait(pause);
        pause = Math.min(pause * 2, 20_000);
        continue;
      }
      if (this.run !== run) return;
      if (view.published_height === this.head) continue;
      const why = await this.distrust(view);
      if (this.run !== run) return;
      if (why !== undefined) {
        this.log(T.mine.refused(view.published_height, why), "refused");
        this.stop(T.mine.refused(view.published_height, why), "refused");
        return;
      }
      this.head = view.published_height;
      this.aim(run, view);
    }
  }

  /** Decides the head's block again: why it isn't to be trusted, or nothing. */
  distrust({ id, published_height }) {
    this.checker ??= startWorker("check-worker.js");
    return new Promise((resolve, reject) => {
      this.checker.onmessage = ({ data }) => {
        if (data.code !== undefined) reject(Object.assign(new Error(data.message), { code: data.code }));
        else resolve(data.good ? undefined : T.check.whys[data.why] ?? data.why ?? data.differences.join("; "));
      };
      this.checker.onerror = () => {
        this.checker = undefined;
        reject(Object.assign(new Error("module"), { code: "module" }));
      };
      this.checker.postMessage({ kennel: id, height: published_height });
    });
  }

  /** Searches what there is to be found, unless it is searched already. */
  aim(run, view) {
    const { over, sealed, difficulty } = view.mining;
    if (sealed) {
      // Somebody found it while it was searched here.
      if (this.worker && this.goal?.over === over) this.miss(T.mine.faster);
      this.goal = undefined;
      this.halt();
      this.say(T.mine.found, "found");
      return;
    }
    if (this.goal?.over === over) return;
    this.halt();
    this.goal = { run, over, difficulty, kennel: view.id, reward: view.parameters.seal_reward, age: view.age };
    this.search();
  }

  miss(reason) {
    this.lost += 1;
    byId("mine-lost").textContent = String(this.lost);
    this.log(reason, "lost");
  }

  search() {
    if (!this.run || !this.goal || this.goal.isSent || this.worker) return;
    const why = document.hidden ? T.mine.hidden : this.isLow ? T.mine.low : undefined;
    if (why) {
      this.say(why, "paused");
      return;
    }
    const goal = this.goal;
    this.say(T.mine.searching(goal.age), "searching");
    const worker = startWorker("mine-worker.js");
    this.worker = worker;
    worker.onmessage = ({ data }) => {
      if (this.worker !== worker) return;
      if (data.code !== undefined) {
        this.stop(words(data), "failed");
        return;
      }
      this.tried += data.tried;
      if (data.proof !== undefined) {
        this.halt();
        this.post(goal, data.proof);
      }
    };
    worker.onerror = () => this.stop(T.errors.module, "failed");
    worker.postMessage({
      kennel: fromHex(goal.kennel),
      over: fromHex(goal.over),
      account: fromHex(this.account.account),
      difficulty: goal.difficulty,
    });
  }

  pause() {
    if (!this.worker) return;
    this.halt();
    this.say(document.hidden ? T.mine.hidden : T.mine.low, "paused");
  }

  async post(goal, proof) {
    goal.isSent = true;
    this.say(T.queued, "queued");
    try {
      const id = await send(this.account, goal.kennel, "seal", [fromHex(goal.over), proof]);
      const height = await mined(id, goal.kennel);
      this.earned += goal.reward;
      byId("mine-earned").textContent = String(this.earned);
      this.log(T.mine.won(goal.age, height, goal.reward), "won");
    } catch (error) {
      if (error.isReject) this.miss(T.mine.late(error.message));
      else this.log(words(error), "failed");
    }
    if (this.run === goal.run && this.goal === goal) this.say(T.mine.found, "found");
  }
}

/** Keeps an eye on the battery, where the browser tells of it. */
async function watchBattery(miner) {
  const battery = await navigator.getBattery?.().catch(() => undefined);
  if (!battery) return;
  const look = () => {
    miner.isLow = !battery.charging && battery.level <= BATTERY_LOW;
    if (miner.isLow) miner.pause();
    else miner.search();
  };
  battery.addEventListener("levelchange", look);
  battery.addEventListener("chargingchange", look);
  look();
}

export async function mine() {
  const account = await own();
  if (!account) return;
  byId("miner").hidden = false;
  const miner = new Miner(account);
  byId("mine").addEventListener("submit", (event) => {
    event.preventDefault();
    miner.start(byId("mine-where").value);
  });
  byId("mine-stop").addEventListener("click", () => miner.stop(T.mine.idle, "idle"));
  document.addEventListener("visibilitychange", () => (document.hidden ? miner.pause() : miner.search()));
  await watchBattery(miner);
}
