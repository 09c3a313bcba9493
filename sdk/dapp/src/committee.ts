/** A sealed read's result with its badge: what its committee has signed, and on whom that rests. */
import {
  type CompactVerified,
  NotProven,
  type OpenedOutcome,
  type OutputFile,
  type Receipt,
  type ReceiptRow,
  hex,
  reportOf,
} from "@aceso/sdk";

import { disputing } from "./disputing.js";
import { button, download, field, fileOf, form, h, id, line, say, sentenceOf } from "./dom.js";
import { exporting } from "./exporting.js";
import { type Stored, bringResult, keptBy, resultFile, sealedFile, withPoint } from "./opening.js";
import { modelOf, outcome } from "./receipt.js";
import { sentences } from "./sentences.js";
import { type PinnedRoots, pinnedRoots, session } from "./session.js";

/** The card of a sealed read. What it says is shown as a result only once its committee's signature is checked here. */
export function sealedCard(row: ReceiptRow, receipt: Receipt): HTMLElement {
  const mark = h("span", { className: "badge checking", role: "status" }, "checking …");
  const heading = h("h3", { id: `read-${receipt.read}`, tabIndex: -1 }, `Result of sealed read ${receipt.read} `, mark);
  const body = h(
    "div",
    {},
    h("p", { className: "soft" }, "What the committee signed is being checked in this browser."),
  );
  const made = h("article", { className: "result", "data-read": receipt.read }, heading, body);
  void (async () => {
    const { compacts } = (await session()).verifier;
    const pinned = await pinnedRoots();
    const compact = compacts.of(row.receipt);
    const verified = compacts.verify(compact, pinned.roots);
    mark.className = "badge verified";
    mark.textContent = "✓ signed by its committee";
    made.classList.add("verified");
    body.replaceChildren(...proven(row, receipt, compact, verified, pinned));
  })().catch((error: unknown) => {
    const forged = error instanceof NotProven;
    mark.className = `badge ${forged ? "forged" : "unproven"}`;
    mark.textContent = forged ? "✗ forged" : "? not proven";
    made.classList.add(forged ? "forged" : "unproven");
    const what = forged
      ? "This receipt is forged. Do not rely on it."
      : "This receipt could not be checked. Do not rely on it.";
    body.replaceChildren(h("p", { className: "finding" }, what), h("p", {}, sentenceOf(error)));
  });
  return made;
}

/** On whom it rests, in numbers. */
export function restsOn({ members, signed, total }: CompactVerified, pinned: PinnedRoots): string {
  const signers = members.filter((one) => one.signed).length;
  const share = total > 0 ? ((100 * signed) / total).toFixed(1).replace(/\.0$/, "") : "0";
  const alone = members.length === 1 ? " A committee of one is as good as its one member." : "";
  return (
    `It rests on ${signers} of ${members.length} ${members.length === 1 ? "member" : "members"} of its committee, who have signed with ${share} % of all validators’ power, ` +
    `and on the root of keys that this browser trusts since ${new Date(pinned.since).toLocaleString()}.${alone}`
  );
}

function proven(
  row: ReceiptRow,
  receipt: Receipt,
  compact: Uint8Array,
  verified: CompactVerified,
  pinned: PinnedRoots,
): HTMLElement[] {
  const says = line();
  const opened = h("div", {});
  const result = verified.compact.outcome;
  const isKept = "sealed" in result || "stored" in result;
  const long = "stored" in result ? longResult(receipt.read, result.stored, says) : undefined;
  const of = { receipt, row };
  const here = button(
    "Verify here",
    says,
    async () => {
      const start = performance.now();
      const got = await recompute(of);
      opened.replaceChildren(...told(receipt.read, got));
      return `Opened and computed in this browser in ${Math.round(performance.now() - start)} ms: the same bits, outcome ${got.digest.slice(0, 16)}…`;
    },
    { id: `here-${receipt.read}` },
  );
  const show = button(
    "Open the outcome",
    says,
    async () => {
      const got = await outputs(of);
      opened.replaceChildren(...told(receipt.read, got));
      return "Opened in this browser, and compared with what the committee committed to.";
    },
    { id: `outcome-${receipt.read}` },
  );
  const save = button("Save the compact receipt", says, async () => {
    download(`read-${receipt.read}.compact`, compact);
    return `${compact.length} bytes. Anybody can check it offline: aceso read verify FILE --trust ROOTS.`;
  });
  const roots = button("Save the roots", says, async () => download("roots.json", pinned.roots));
  const report = async () => {
    const known = { files: [], ...receipt.outcome };
    const [told, { manifest }] = await Promise.all([isKept ? outputs(of) : known, modelOf(receipt)]);
    const file = { name: `read-${receipt.read}.compact`, bytes: compact };
    const { findings, scores, readings = [], files } = told;
    const rests = restsOn(verified, pinned);
    return reportOf(receipt, manifest, { findings, scores, readings, files, issued: new Date(), rests, receipt: file });
  };
  const exports = "failed" in result ? [] : exporting(receipt.read, says, report);
  const failed =
    "failed" in result
      ? [h("p", { className: "finding" }, `It could not be read: ${sentences.failure(result.failed)}.`)]
      : [];
  const kept = isKept ? [h("p", {}, "The outcome is sealed for who holds the record’s key.")] : [];
  return [
    ...failed,
    ...kept,
    ...outcome(receipt),
    opened,
    h("p", {}, restsOn(verified, pinned)),
    h("p", { className: "soft" }, sentences.discloses(receipt.disclosure)),
    ...(long ? [long.keepers] : []),
    h("div", { className: "row" }, ...(isKept ? [show] : []), here, ...(long ? [long.save] : []), save, roots, ...exports),
    says,
    ...(long ? [long.bring] : []),
    disputing(receipt),
    details(receipt, verified, pinned),
    sentences.clinical(),
  ];
}

/** A result that is too long for its outcome: who keeps its file, that file as it is, and the file brought back. */
function longResult(read: number, stored: Stored, says: HTMLElement): Record<"keepers" | "save" | "bring", HTMLElement> {
  const keepers = h("p", { className: "soft" });
  void (async () => (keepers.textContent = await keptBy(await session(), stored)))().catch(() => {});
  const save = button("Save the result file", says, async () => {
    download(`read-${read}.result`, await resultFile(await session(), stored));
    return "It is sealed, and opens with the record’s key when nobody keeps it any more: bring it here, or aceso sealed result --file FILE.";
  });
  const file = h("input", { type: "file", id: `bring-result-${read}`, required: true });
  const made = form("Bring it", [field("A result file that you have saved", file)], async () => {
    await bringResult(stored, await fileOf(file));
    return "It is in this browser now.";
  });
  return { keepers, save, bring: h("details", {}, h("summary", {}, "Bring the result file"), made) };
}

/** What the model said, and all that it computed as files. */
const told = (read: number, got: OpenedOutcome): HTMLElement[] => [
  ...outcome({ outcome: got }),
  ...elements(read, got.files),
];

function elements(read: number, files: readonly OutputFile[]): HTMLElement[] {
  if (files.length === 0) return [];
  const says = line();
  const rows = files.map(({ output, ty, dims, npy }) => {
    const save = button(`Save output ${output + 1}`, says, async () => {
      download(`read-${read}-output-${output + 1}.npy`, npy);
      return "Saved in NumPy’s format, with type and shape, just as it was computed.";
    });
    return h("li", {}, `${dims.join(" × ")} elements of ${ty} `, save);
  });
  const list = h("ol", {}, ...rows);
  return [h("details", {}, h("summary", {}, files.length === 1 ? "The output" : `The ${files.length} outputs`), list, says)];
}

function details(
  receipt: Receipt,
  { compact, committee, members, signed, power, total }: CompactVerified,
  pinned: PinnedRoots,
): HTMLElement {
  const { statement } = compact;
  const input = "failed" in compact.outcome ? undefined : Object.values(compact.outcome)[0]?.input;
  const rows: [string, Node | string][] = [
    ["Chain", statement.chain_id],
    ["Asked for in block", String(statement.requested)],
    ["Read in block", String(receipt.height)],
    ["File", id(statement.image)],
    ["Frame", String(statement.frame ?? 1)],
    ["Patient", id(statement.owner)],
    ["Asked by", id(statement.requester)],
    ["Model", id(statement.model)],
    [
      "Consent",
      receipt.consent
        ? `${receipt.consent.purpose}, use ${receipt.consent.use} of grant ${receipt.consent.grant}`
        : "none",
    ],
    [
      "Members",
      members
        .map((one) => `number ${one.number} with power ${one.power}${one.signed ? "" : ", who has not signed"}`)
        .join("; "),
    ],
    ["Power that signed", `${signed} of the committee’s ${power}, of all validators’ ${total}`],
    ["Committee", id(committee)],
    ["Trusted root", h("code", {}, pinned.trusted)],
    ["Keys of root", String(compact.root)],
    [
      "Input",
      input
        ? `claim ${input.claim.slice(0, 16)}…${input.vouched ? ", vouched for by an institution" : ""}`
        : "none was read",
    ],
  ];
  const list = h("dl", {}, ...rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
  return h("details", {}, h("summary", {}, "What is proven"), list);
}

interface Of {
  receipt: Receipt;
  row: ReceiptRow;
}

async function sources({ receipt }: Of) {
  const aceso = await session();
  const owner = receipt.sealed?.owner ?? "";
  const [model, record] = await Promise.all([modelOf(receipt), aceso.recordOf(owner, receipt.image)]);
  if (!record) throw new Error("The record has ended, so nobody opens it any more.");
  return { aceso, model, record };
}

/** The outcome as whoever holds the key reads it. */
async function outputs(of: Of): Promise<OpenedOutcome> {
  const { aceso, model, record } = await sources(of);
  const result = of.receipt.sealed?.outcome;
  const file = result && "stored" in result ? await resultFile(aceso, result.stored) : undefined;
  return withPoint(aceso, record, (point) => aceso.verifier.outputs(of.row.receipt, model.encoded, point, file));
}

/** The whole of it again, from the sealed file: opened with her key, run by the model, compared to the bit. */
async function recompute(of: Of): Promise<OpenedOutcome> {
  const { aceso, model, record } = await sources(of);
  const registered = record.files.find((file) => file.cid === of.receipt.image);
  const about = {
    owner: record.owner,
    commitment: hex(record.commitment),
    modality: registered?.modality ?? "",
    body_part: registered?.bodyPart ?? "",
    effort: Number(registered?.effort ?? 0n),
    vouched: record.origin ? hex(record.origin.pixels) : null,
  };
  return withPoint(aceso, record, async (point) => {
    const [file, onnx] = await Promise.all([
      sealedFile(aceso, of.receipt.image),
      aceso.getBlob(model.manifest.onnx.blob),
    ]);
    return aceso.verifier.recomputeSealed(of.row.receipt, model.encoded, onnx, point, about, file);
  });
}

/** Results of sealed reads of a file, each drawn once; the newest first. */
export function results(): { element: HTMLElement; has(read: bigint): boolean; take(rows: ReceiptRow[]): Promise<void> } {
  const element = h("div", {});
  const known = new Map<bigint, HTMLElement>();
  const take = async (rows: ReceiptRow[]) => {
    const { verifier } = await session();
    for (const row of rows) {
      if (known.has(row.read)) continue;
      try {
        known.set(row.read, sealedCard(row, verifier.receipt(row.receipt)));
      } catch (error) {
        const says = line();
        say(says, sentenceOf(error), "bad");
        known.set(row.read, says);
      }
    }
    const cards = [...known.entries()].sort(([one], [other]) => Number(other - one)).map(([, card]) => card);
    if (cards.length !== element.childElementCount) element.replaceChildren(...cards);
  };
  return { element, has: (read) => known.has(read), take };
}
