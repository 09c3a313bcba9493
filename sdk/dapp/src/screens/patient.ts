/** The patient: her images, who may have them read, and what was asked and read. */
import {
  type Aceso,
  BLOB_STATUS,
  type ImageRow,
  type JournalEntry,
  type SignedOrigin,
} from "@aceso/sdk";

import { modelNames } from "../controls.js";
import { choose, field, fileOf, fill, h, id, line, table, told, upper } from "../dom.js";
import { show } from "../picture.js";
import { sentences } from "../sentences.js";
import { contract, session } from "../session.js";
import { upload } from "../upload.js";
import { ruleTable, ruling } from "./consenting.js";

const NOTHING = "Nothing is granted: nobody can have your guarded images read.";
/** What models read in the open, by the end of a file's name, and most bytes of it (`Limits` in inference-host). */
const PICTURES = { png: "image/png", jpg: "image/jpeg", jpeg: "image/jpeg", dcm: "application/dicom" };
const PICTURE_MAX = 64 << 20;

export async function patient(main: HTMLElement): Promise<() => Promise<void>> {
  const aceso = await session();
  const images = h("div", { className: "tiles" });
  const grants = h("div", {});
  const journal = h("div", {});
  const revoked = line();
  const grantForm = await granting(aceso);
  fill(
    main,
    h("h1", {}, "Patient"),
    sentences.learns(),
    h("section", { "aria-labelledby": "images-h" }, h("h2", { id: "images-h" }, "My images"), images),
    h("section", { "aria-labelledby": "grant-h" }, h("h2", { id: "grant-h" }, "Let somebody read"), grantForm.form),
    h("section", { "aria-labelledby": "grants-h" }, h("h2", { id: "grants-h" }, "Grants"), grants, revoked),
    h(
      "section",
      { "aria-labelledby": "journal-h" },
      h("h2", { id: "journal-h" }, "Journal"),
      h("p", { className: "soft" }, "What was asked, answered and read. It stays whatever became of the transaction."),
      journal,
    ),
    h(
      "section",
      { "aria-labelledby": "add-h" },
      h("h2", { id: "add-h" }, "Add an image"),
      await adding(aceso, refresh),
    ),
  );

  let shown = "";
  async function refresh(): Promise<void> {
    const mine = await aceso.images(aceso.address);
    const cids = mine.map((image) => `${image.cid} ${image.blob?.status}`).join();
    if (cids !== shown || shown === "") {
      fill(
        images,
        ...(mine.length > 0
          ? mine.map(tile)
          : [h("p", { className: "soft" }, "No image is registered for your account yet.")]),
      );
      shown = cids;
    }
    grantForm.refresh(mine);
    const guards = [...new Set(mine.map((image) => image.guard).filter(Boolean))];
    const given = await Promise.all(
      guards.map(async (guard) => ({ guard, acts: aceso, given: await aceso.grants(guard, { patient: aceso.address }) })),
    );
    fill(grants, ruleTable(given, await modelNames(aceso), revoked, refresh, NOTHING));
    const entries = (await Promise.all(mine.map((image) => aceso.journal(image.cid)))).flat();
    fill(journal, journalTable(entries.sort((one, other) => other.height - one.height || other.tx - one.tx)));
  }
  await refresh();
  return refresh;
}

function tile(image: ImageRow): HTMLElement {
  const stated = [image.modality, image.bodyPart].filter(Boolean).join(" ");
  return h(
    "article",
    {},
    show(image.cid).element,
    h("p", {}, id(image.cid)),
    h(
      "p",
      { className: "soft" },
      [
        stated && `stated ${stated}`,
        image.guard ? "guarded" : "public: nobody has to ask",
        image.origin ? "origin signed by an institution" : "no origin",
        BLOB_STATUS[image.blob?.status ?? 0],
      ]
        .filter(Boolean)
        .join(" · "),
    ),
  );
}

/** The form of a grant: one rule for one image. */
async function granting(aceso: Aceso): Promise<{ form: HTMLElement; refresh: (images: ImageRow[]) => void }> {
  const image = h("select", { id: "grant-image", required: true });
  let known: ImageRow[] = [];
  const made = await ruling(aceso, "grant", [field("Image", image)], async (rule) => {
    const guard = known.find((one) => one.cid === image.value)?.guard;
    if (!guard) throw new Error("This image has no guard: everybody may have it read already.");
    return aceso.grant(guard, [image.value], rule);
  });
  const refresh = (images: ImageRow[]) => {
    known = images;
    choose(
      image,
      images.filter((one) => one.guard).map((one) => [one.cid, `${one.cid.slice(0, 12)}…${one.cid.slice(-6)}`]),
    );
  };
  return { form: made, refresh };
}

function journalTable(entries: JournalEntry[]): HTMLElement {
  const rows = entries.map(({ height, image, caller, event }) => {
    let what: string;
    let who: string | undefined;
    if ("permitted" in event) {
      what = `permitted for ${event.permitted.purpose} by grant ${event.permitted.grant}`;
      who = event.permitted.actor;
    } else if ("refused" in event) {
      what = `refused: ${told(event.refused.reason)}`;
      who = event.refused.actor;
    } else if ("requested" in event) {
      const { job, purpose, granter, grant, use } = event.requested;
      what = `asked of a committee for ${purpose}: ${job > 0 ? `job ${job}` : "known already"}, use ${use} of grant ${granter}/${grant}`;
      who = event.requested.actor;
    } else {
      what = event.read.use > 0 ? `read: use ${event.read.use} of grant ${event.read.grant}` : "read as a public image";
    }
    return [height, id(image), upper(what), who ? id(who) : "", id(caller)];
  });
  return table(["Block", "Image", "What happened", "For", "Through"], rows, "Nobody has asked for your images yet.");
}

async function adding(aceso: Aceso, refresh: () => Promise<void>): Promise<HTMLElement> {
  const guard = h("input", {
    id: "add-guard",
    defaultValue: await contract("consent"),
    autocomplete: "off",
    spellcheck: false,
  });
  const origin = h("input", { type: "file", id: "add-origin", accept: ".json,application/json" });
  const about = {
    name: "add",
    button: "Upload and register",
    label: "Picture file (DICOM, PNG or JPEG)",
    hint: "where the file does not say",
    media: PICTURES,
    files: 1,
    bytes: PICTURE_MAX,
    why: "images for open reads have",
    more: [
      field("Guard (consent contract)", guard, "empty: a public image"),
      field("The hospital’s word for it (origin.json)", origin, "needed where a policy asks for one"),
    ],
  };
  const made = upload(about, async ([picture], stated) => {
    const bytes = (await picture?.bytes()) ?? new Uint8Array();
    const { cid, size } = await aceso.putBlob(bytes);
    const effort = aceso.verifier.effort(bytes);
    const signed = origin.files?.length ? originOf(new TextDecoder().decode(await fileOf(origin))) : undefined;
    await aceso.registerImage({ cid, size, guard: guard.value.trim(), origin: signed, effort, ...stated });
    await refresh();
    return `Image ${cid} is registered, and the validators hold it.`;
  });
  const bare = h(
    "p",
    { className: "note" },
    "An image for open reads goes unsealed to every validator. Register de-identified images only; a DICOM file may carry a name.",
  );
  return h("div", {}, bare, made);
}

/** A signed origin as a file: each field in hexadecimal but for the institution's address. */
function originOf(text: string): SignedOrigin {
  const json = JSON.parse(text) as Record<string, string>;
  const bytes = (name: string, length: number) => {
    const hex = json[name] ?? "";
    if (!new RegExp(`^[0-9a-f]{${length * 2}}$`).test(hex))
      throw new Error(`The origin file’s ${name} is not ${length} bytes in hexadecimal.`);
    return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  };
  return {
    institution: json["institution"] ?? "",
    pixels: bytes("pixels", 32),
    study: bytes("study", 32),
    subject: bytes("subject", 32),
    publicKey: bytes("public_key", 33),
    signature: bytes("signature", 64),
  };
}
