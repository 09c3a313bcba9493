// Browsers of people: each her own, every request looked at.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

const CHROMIUM = process.env.ACESO_CHROMIUM ?? "/usr/bin/chromium";
const QUIET =
  "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";
const shots = fileURLToPath(new URL("screenshots/", import.meta.url));
const PATIENCE = 20_000;

export const shoot = (page, name) => page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });

/** The button of this name. */
export const button = (where, name) => where.getByRole("button", { name, exact: true });

/** Goes to a control by the Tab key alone. */
export async function tabTo(page, selector) {
  for (let presses = 0; presses < 80; presses++) {
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted) ?? false, selector)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`${selector} is not reached by Tab`);
}

/** Goes to a screen by its link. */
export async function go(page, screen) {
  await page.getByRole("link", { name: screen, exact: true }).click();
  await page.getByRole("heading", { level: 1, name: screen, exact: true }).waitFor();
}

/** Ticks just these of a form's models. */
export async function tickModels(page, fieldset, ...ids) {
  for (const box of await page.locator(`${fieldset} input`).all()) await box.setChecked(ids.includes(await box.getAttribute("value")));
}

/** What lets a click save a file, at a path. */
export async function saved(page, control, path) {
  const [download] = await Promise.all([page.waitForEvent("download"), control.click()]);
  await download.saveAs(path);
  return path;
}

/** Every control of the screen has a name, and nothing is wider than the window. */
export async function checkScreen(page, screen) {
  const nameless = await page.evaluate(() =>
    [...document.querySelectorAll("main input, main select, main textarea, main button")]
      .filter(
        (control) =>
          !(control.labels?.[0]?.textContent || control.getAttribute("aria-label") || control.textContent)?.trim(),
      )
      .map((control) => control.outerHTML),
  );
  assert.deepEqual(nameless, [], screen);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  assert.equal(wide, false, `${screen} does not scroll sideways`);
}

/** Resident bytes of a process; none of one that has ended. */
function resident(process) {
  try {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${process}/status`, "utf8")) ?? [];
    return Number(kilobytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}

export class People {
  /** Requests that left this machine, and what the pages complained of. */
  outside = [];
  complaints = [];
  #browser;
  #stage;

  static async gather(stage) {
    mkdirSync(shots, { recursive: true });
    const people = new People();
    people.#stage = stage;
    people.#browser = await chromium.launch({ executablePath: CHROMIUM, args: QUIET.split(" ") });
    return people;
  }

  /** A browser of its own for somebody: nothing shared. */
  async open(url, options = {}) {
    const context = await this.#browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
    context.setDefaultTimeout(PATIENCE);
    context.on("request", (request) => {
      const { protocol, hostname } = new URL(request.url());
      if (!["blob:", "data:"].includes(protocol) && hostname !== "127.0.0.1") this.outside.push(request.url());
    });
    const page = await context.newPage();
    page.on("websocket", (socket) => new URL(socket.url()).hostname === "127.0.0.1" || this.outside.push(socket.url()));
    page.on("pageerror", (error) => this.complaints.push(`${error}`));
    page.on("console", (message) => {
      if (/content security policy/i.test(message.text())) this.complaints.push(message.text());
    });
    await page.goto(url);
    return page;
  }

  /** Somebody pastes her words and goes to her screen. */
  async enter(name, screen, url = this.#stage.node.rest, options = {}) {
    const page = await this.open(`${url}/#key`, options);
    await page.getByLabel("Your 24 words").fill(this.#stage.words[name]);
    await page.getByRole("button", { name: "Use this key", exact: true }).click();
    await page.getByText(this.#stage.parties[name].address).first().waitFor();
    await go(page, screen);
    return page;
  }

  /** Bytes that Chromium has in memory now: its largest page, and all of its processes together. */
  async memory() {
    const session = await this.#browser.newBrowserCDPSession();
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    await session.detach();
    const each = processInfo.map(({ type, id }) => ({ type, bytes: resident(id) }));
    const pages = each.filter(({ type }) => type === "renderer").map(({ bytes }) => bytes);
    return { page: Math.max(0, ...pages), all: each.reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  /** Has a page give back what it does not use any more. */
  async collect(page) {
    const session = await page.context().newCDPSession(page);
    await session.send("HeapProfiler.collectGarbage");
    await session.detach();
  }

  close() {
    return this.#browser.close();
  }
}
