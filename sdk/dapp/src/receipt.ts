/** A result with its badge: what a receipt says, and whether it is proven. */
import {
  type Model,
  NodeError,
  NotProven,
  type Receipt,
  type ReceiptRow,
  type Verified,
  inWords,
  reportOf,
} from "@aceso/sdk";

import { button, download, h, id, line, sentenceOf, upper } from "./dom.js";
import { exporting } from "./exporting.js";
import { sentences } from "./sentences.js";
import { pinned, session } from "./session.js";

type Verdict = "checking" | "verified" | "forged" | "unproven";

/** A badge that checks the receipt of a read by itself, and tells what came of it. */
export function badge(
  read: number,
  told: (verdict: Verdict, reason: string, proof?: { verified: Verified; evidence: Uint8Array }) => void = () => {},
): HTMLElement {
  const mark = h("span", { className: "badge checking", role: "status" }, "checking …");
  const put = (verdict: Verdict, text: string, reason: string) => {
    mark.className = `badge ${verdict}`;
    mark.textContent = text;
    mark.title = reason;
  };
  void (async () => {
    const proof = await (await session()).proven(read, (await pinned()).trust);
    put("verified", "✓ verified", "The trusted validators signed the block that commits this receipt.");
    told("verified", "", proof);
  })().catch((error: unknown) => {
    if (error instanceof NotProven) put("forged", "✗ forged", sentenceOf(error));
    else put("unproven", "? not proven", sentenceOf(error));
    told(error instanceof NotProven ? "forged" : "unproven", sentenceOf(error));
  });
  return mark;
}

/** The card of a receipt. What it says is shown as a result only once it is proven. */
export function card(row: ReceiptRow): HTMLElement {
  const read = Number(row.read);
  const heading = h("h3", { id: `read-${read}`, tabIndex: -1 }, `Result of read ${read} `);
  const body = h("div", {}, h("p", { className: "soft" }, "The receipt is being checked in this browser."));
  const made = h("article", { className: "result", "data-read": read }, heading, body);
  heading.append(
    badge(read, (verdict, reason, proof) => {
      made.classList.add(verdict);
      if (proof) body.replaceChildren(...proven(proof.verified, proof.evidence, row));
      else body.replaceChildren(...refused(verdict, reason, row));
    }),
  );
  return made;
}

function proven({ receipt, height, time, power }: Verified, evidence: Uint8Array, row: ReceiptRow): HTMLElement[] {
  const says = line();
  const again = button("Recompute here", says, () => recompute(receipt, row.receipt), {
    id: `recompute-${receipt.read}`,
  });
  const save = button("Save the receipt file", says, async () => {
    download(`read-${receipt.read}.receipt`, evidence);
    return "Anybody can check it offline: aceso read verify FILE --trust TRUST.";
  });
  const report = async () => {
    const { manifest } = await modelOf(receipt);
    const rests = `More than two thirds of power ${power} have signed block ${height}, which commits to the receipt.`;
    const file = { name: `read-${receipt.read}.receipt`, bytes: evidence };
    return reportOf(receipt, manifest, { ...receipt.outcome, issued: new Date(time), rests, receipt: file });
  };
  return [
    ...outcome(receipt),
    h("div", { className: "row" }, again, save, ...exporting(receipt.read, says, report)),
    says,
    details(receipt, height, time, power),
    sentences.clinical(),
  ];
}

/** Why it is not believed; what the node sent is there for whoever wants to look, but not as a result. */
function refused(verdict: Verdict, reason: string, row: ReceiptRow): HTMLElement[] {
  const what =
    verdict === "forged"
      ? "This receipt is forged. Do not rely on it."
      : "This receipt could not be checked. Do not rely on it.";
  const sent = h(
    "pre",
    { className: "id" },
    [...row.receipt].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
  );
  return [
    h("p", { className: "finding" }, what),
    h("p", {}, reason),
    h("details", {}, h("summary", {}, `The ${row.receipt.length} bytes that the node sent`), sent),
  ];
}

/** What a read came to; of masks and maps what they are. */
export function outcome(receipt: Pick<Receipt, "outcome">): HTMLElement[] {
  const findings = receipt.outcome.findings.map(({ id, present }) =>
    h("p", { className: "finding" }, `${upper(id)}: ${present ? "present" : "not present"}`),
  );
  const scores = receipt.outcome.scores.map(({ label, value, probability }) => {
    const percent = (probability / 10_000).toFixed(2);
    const meter = h(
      "meter",
      { min: 0, max: 1_000_000, value: probability, "aria-label": `probability of ${label}` },
      `${percent} %`,
    );
    return h(
      "p",
      {},
      `${label} `,
      meter,
      ` ${percent} % `,
      h("span", { className: "soft" }, `(quantised output ${value})`),
    );
  });
  const readings = (receipt.outcome.readings ?? []).map((reading) => {
    const { name, text } = inWords(reading);
    return h("p", {}, `${upper(name)}: ${text}`);
  });
  return [...findings, ...scores, ...readings];
}

function details(receipt: Receipt, height: number, time: string, power: number): HTMLElement {
  const rows: [string, Node | string][] = [
    ["Chain", receipt.chain_id],
    ["Read in block", String(receipt.height)],
    ["Committed by block", `${height}, ${time}, signed by more than two thirds of power ${power}`],
    ["Image", id(receipt.image)],
    ["Frame", String(receipt.frame ?? 1)],
    ["Pixels", id(receipt.pixels ?? "not disclosed")],
    ["Model", id(receipt.model)],
    ["Read through", id(receipt.reader)],
    [
      "Consent",
      receipt.consent
        ? `grant ${receipt.consent.grant}, use ${receipt.consent.use}, ${receipt.consent.purpose}`
        : "none needed: a public image",
    ],
    ["Outcome", id(receipt.outcome.digest)],
  ];
  const list = h("dl", {}, ...rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
  return h("details", {}, h("summary", {}, "What is proven"), list);
}

/** The model that a receipt names. */
export async function modelOf(receipt: Receipt): Promise<Model> {
  const model = await (await session()).model(receipt.model);
  if (!model) throw new NodeError(`The chain does not know model ${receipt.model}.`);
  return model;
}

/** Runs the model in this browser on the image that the receipt names. */
async function recompute(receipt: Receipt, bytes: Uint8Array): Promise<string> {
  const [aceso, model] = await Promise.all([session(), modelOf(receipt)]);
  const [onnx, image] = await Promise.all([
    aceso.getBlob(model.manifest.onnx.blob),
    aceso.getBlob(receipt.image, true),
  ]);
  const start = performance.now();
  const got = aceso.verifier.recompute(bytes, model.encoded, onnx, image);
  return `Computed in this browser in ${Math.round(performance.now() - start)} ms: the same bits, outcome ${got.digest.slice(0, 16)}…`;
}
