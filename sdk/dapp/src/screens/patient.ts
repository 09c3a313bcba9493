/** The patient: her images, who may have them read, and what was asked and read. */
import {
  type Aceso,
  BLOB_STATUS,
  type GrantState,
  type ImageRow,
  type JournalEntry,
  type SignedOrigin,
} from "@aceso/sdk";

import { accountInput, modelBoxes, modelNames, viaInput } from "../controls.js";
import {
  button,
  choose,
  field,
  fileOf,
  fill,
  form,
  h,
  id,
  line,
  options,
  table,
  told,
  upper,
  when,
} from "../dom.js";
import { show } from "../picture.js";
import { type Names, PURPOSES, sentences } from "../sentences.js";
import { contract, session } from "../session.js";
import { upload } from "../upload.js";

const DAY = 24 * 3600;
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
      guards.map(async (guard) => ({ guard, given: await aceso.grants(guard, { patient: aceso.address }) })),
    );
    fill(grants, grantTable(aceso, given, await modelNames(aceso), revoked, refresh));
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
  const reader = accountInput(aceso, "grant-reader");
  const models = await modelBoxes(aceso, "grant-models");
  const via = await viaInput("grant-via");
  const purpose = h("select", { id: "grant-purpose", required: true }, ...options(PURPOSES));
  const uses = h("input", { id: "grant-uses", type: "number", min: 1, max: 1000, value: "1", required: true });
  const days = h("input", { id: "grant-days", type: "number", min: 1, max: 3650, value: "30", required: true });
  let known: ImageRow[] = [];
  const made = form(
    "Grant",
    [
      h(
        "div",
        { className: "fields" },
        field("Image", image),
        field("Physician’s account", reader),
        field("Purpose", purpose),
        field("Reads", uses),
        field("Days", days),
        via.element,
      ),
      models.element,
    ],
    async () => {
      const guard = known.find((one) => one.cid === image.value)?.guard;
      if (!guard) throw new Error("This image has no guard: everybody may have it read already.");
      const ticked = models.chosen().map((one) => one.id);
      if (ticked.length === 0) throw new Error("Name at least one model.");
      const now = Math.floor(Date.now() / 1000);
      const grant = await aceso.grant(guard, [image.value], {
        decision: { permit: { max_uses: Number(uses.value) } },
        actors: [reader.value.trim()],
        via: via.chosen(),
        purposes: [purpose.value],
        models: ticked,
        not_before: now - 60,
        not_after: now + Number(days.value) * DAY,
      });
      return `Grant ${grant} holds from the next transaction on.`;
    },
  );
  const refresh = (images: ImageRow[]) => {
    known = images;
    choose(
      image,
      images.filter((one) => one.guard).map((one) => [one.cid, `${one.cid.slice(0, 12)}…${one.cid.slice(-6)}`]),
    );
  };
  return { form: made, refresh };
}

function grantTable(
  aceso: Aceso,
  given: { guard: string; given: GrantState[] }[],
  models: Names,
  says: HTMLElement,
  refresh: () => Promise<void>,
): HTMLElement {
  const rows = given.flatMap(({ guard, given }) =>
    given.map(({ grant, uses }) => {
      const { rule } = grant;
      const most = "permit" in rule.decision ? rule.decision.permit.max_uses : 0;
      const over = grant.revoked_at !== null || rule.not_after * 1000 < Date.now() || (most > 0 && uses >= most);
      const state =
        grant.revoked_at !== null ? `revoked ${when(grant.revoked_at)}` : over ? "used up or over" : "holds";
      const revoke = button(
        "Revoke",
        says,
        async () => {
          await aceso.revoke(guard, grant.id);
          await refresh();
          return `Grant ${grant.id} is revoked from the next transaction on. Reads already made stay made.`;
        },
        { id: `revoke-${grant.id}`, "aria-label": `Revoke grant ${grant.id}` },
      );
      return [
        grant.id,
        state,
        grant.revoked_at === null ? revoke : null,
        h("span", {}, ...rule.actors.map(id)),
        sentences.rule(rule, models),
        rule.purposes.join(", "),
        most > 0 ? `${uses} of ${most}` : "–",
        when(rule.not_after),
      ];
    }),
  );
  return table(
    ["Grant", "State", "", "Who", "What", "Purpose", "Used", "Until"],
    rows,
    "Nothing is granted: nobody can have your guarded images read.",
  );
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
    const signed = origin.files?.length ? originOf(new TextDecoder().decode(await fileOf(origin))) : undefined;
    await aceso.registerImage({ cid, size, guard: guard.value.trim(), origin: signed, ...stated });
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
