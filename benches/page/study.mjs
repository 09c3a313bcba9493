// What does a study of 500 slices cost in the page: looked at, sealed, uploaded, registered as one record, granted by one
// proof, one slice of it opened? And does the browser's memory grow with the study, of which a tenth goes first?
//
// `cargo xtask bench study [--json] [--quick]`. Slices are synthetic, 512 × 512 of 16 bits with noise that compresses as that of
// a CT does, half a MiB each. Memory is resident, above what there is before a file is chosen: of the page's own process and of all
// of Chromium's together at their peak, and of the page once it has collected its garbage, which is what the study keeps.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { dicom } from "../../tests/clients/browser/dicom.mjs";
import { People, tickModels } from "../../tests/clients/browser/people.mjs";
import { setStage } from "../../tests/clients/browser/stage.mjs";

const SIDE = 512;
/** Most megabytes that a page may keep of a study, however many files it has. */
const KEPT_MAX = 64;
const PATIENCE = { timeout: 900_000 };
const PHRASE = "a lamp, two rivers, and a heron";
const quick = process.argv.includes("--quick");
const json = process.argv.includes("--json");
const FILES = quick ? 100 : 500;

function row(name, ours, unit, peer = null) {
  const made = { bench: "study", case: name, ours, unit, peer, peer_name: peer && "target", ratio: peer && peer / ours };
  const beside = peer === null ? "" : `target ${peer.toFixed(3)} (ratio ${(peer / ours).toFixed(3)})`;
  console.log(json ? JSON.stringify(made) : `${name.padEnd(48)} ${ours.toFixed(3).padStart(14)} ${unit.padEnd(8)} ${beside}`);
}

/** A slice: a disc whose size is the slice's, under twelve bits of tissue and noise. */
function slice(number) {
  let state = 0x9e3779b9 ^ (number + 1);
  const pixels = Buffer.alloc(SIDE * SIDE * 2);
  const radius = 0.2 + (0.25 * (number % 100)) / 100;
  for (let at = 0; at < SIDE * SIDE; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const [x, y] = [(at % SIDE) / SIDE - 0.5, Math.floor(at / SIDE) / SIDE - 0.5];
    const tissue = Math.hypot(x, y) < radius ? 1040 : 24;
    pixels.writeUInt16LE(tissue + (state & 31), 2 * at);
  }
  return dicom({ side: SIDE, pixels, bits: 16 });
}

/** Runs a study of so many files in a browser of its own, and answers with what it took. */
async function study(stage, folder, count) {
  const people = await People.gather(stage);
  const took = {};
  const timed = async (name, job) => {
    const begun = performance.now();
    await job();
    took[name] = (performance.now() - begun) / 1000;
  };
  try {
    const page = await people.enter("patient", "Key");
    await page.getByLabel("A pass phrase").fill(PHRASE);
    await page.locator("#store-again").fill(PHRASE);
    await page.getByRole("button", { name: "Make a key store" }).click();
    await page.locator("#store-facts").waitFor();
    await page.getByRole("link", { name: "Sealed records", exact: true }).click();
    const before = (await stage.parties.patient.records(stage.parties.patient.address)).length;
    const number = before + 1;
    await page.locator("#seal-file").waitFor();
    await people.collect(page);
    const peak = await people.memory();
    const idle = { ...peak };
    let watching = true;
    const watched = (async () => {
      while (watching) {
        const now = await people.memory();
        for (const kind of Object.keys(peak)) peak[kind] = Math.max(peak[kind], now[kind]);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    })();
    const names = Array.from({ length: count }, (_, at) => join(folder, `slice-${at}.dcm`));
    await timed("chosen", async () => {
      await page.locator("#seal-file").setInputFiles(names);
      await page.getByText(`and ${count - 4} more files.`).waitFor(PATIENCE);
    });
    await timed("sealed", async () => {
      await page.getByRole("button", { name: "Seal and upload", exact: true }).click();
      const said = page.locator("form .says.good, form .says.bad", { hasText: /\S/ }).first();
      await said.waitFor(PATIENCE);
      const words = await said.innerText();
      if (!words.includes(`registered as record ${number}.`)) throw new Error(words);
    });
    await timed("granted", async () => {
      await page.locator("#give-record").selectOption(String(number));
      await page.locator("#give-accounts").fill(stage.parties.physician.address);
      await tickModels(page, "#give-models", stage.model);
      await page.locator("#give").getByRole("button", { name: "Grant", exact: true }).click();
      await page.getByText(`Grant ${number} holds from the next transaction on.`).waitFor(PATIENCE);
    });
    await timed("opened", async () => {
      const card = page.locator(`#record-${number}`);
      await card.getByLabel(`File, of ${count} in this study`).fill(String(count));
      await card.getByRole("button", { name: "Open it here" }).click();
      await card.locator("canvas").waitFor(PATIENCE);
    });
    watching = false;
    await watched;
    await people.collect(page);
    [peak.kept, idle.kept] = [(await people.memory()).page, idle.page];
    const grown = Object.fromEntries(Object.keys(peak).map((kind) => [kind, (peak[kind] - idle[kind]) / 1e6]));
    return { took, grown };
  } finally {
    await people.close();
  }
}

const folder = mkdtempSync(join(tmpdir(), "aceso-study-"));
let stage;
try {
  stage = await setStage(folder, true);
  for (let at = 0; at < FILES; at++) writeFileSync(join(folder, `slice-${at}.dcm`), slice(at));
  const bytes = FILES * readFileSync(join(folder, "slice-0.dcm")).length;
  const tenth = await study(stage, folder, FILES / 10);
  const { took, grown } = await study(stage, folder, FILES);
  row(`${FILES} files chosen, each looked at`, took.chosen, "s");
  row("sealed, uploaded, registered as one record", took.sealed, "s");
  row("of the study's bytes", bytes / 1e6 / took.sealed, "MB/s");
  row("granted to a committee, one proof", took.granted, "s");
  row("the last file opened and drawn", took.opened, "s");
  const kinds = [["kept", "what the page keeps"], ["page", "the page's memory at its peak"], ["all", "all of Chromium's memory at its peak"]];
  for (const [kind, about] of kinds) {
    row(`${about}, ${FILES / 10} files`, tenth.grown[kind], "MB");
    row(`${about}, ${FILES} files`, grown[kind], "MB", kind === "kept" ? KEPT_MAX : null);
  }
} finally {
  await stage?.node.stop();
  rmSync(folder, { recursive: true, force: true });
}
