/**
 * The form by which files come to the page: chosen, looked at, spoken for, handed over. Open images and sealed records share
 * it. All that is chosen is looked at before any of it is used, one file in memory at a time; a browser reads no file that was
 * changed on the disk since it was chosen.
 */
import { type Child, field, fill, form, h, line, say, sentenceOf } from "./dom.js";
import { describe, draw } from "./picture.js";
import { session } from "./session.js";

/** Files of a study that are drawn before they are sent. */
const DRAWN = 4;

/** A file that was chosen and can be used. */
export interface Chosen {
  name: string;
  media: string;
  /** Its bytes, which are the caller's to wipe. */
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
}

/** What its owner says of a file that does not say it itself. */
export interface Stated {
  modality: string;
  bodyPart: string;
}

export interface Upload {
  /** Before the ids of its controls. */
  name: string;
  button: string;
  label: string;
  /** Behind what is stated. */
  hint: string;
  /** What may be chosen, by the end of a file's name. */
  media: Record<string, string>;
  /** Most files at once. */
  files: number;
  /** Most bytes of a file, and why. */
  bytes: number;
  why: string;
  /** More controls, reset with the form. */
  more: Child[];
}

/** The form; `job` gets what was chosen, and tells how far it is. */
export function upload(
  of: Upload,
  job: (chosen: Chosen[], stated: Stated, tell: (text: string) => void) => Promise<string>,
): HTMLFormElement {
  const accept = Object.keys(of.media)
    .map((end) => `.${end}`)
    .join(",");
  const file = h("input", { type: "file", id: `${of.name}-file`, required: true, accept, multiple: of.files > 1 });
  const modality = h("input", { id: `${of.name}-modality`, maxLength: 16, autocomplete: "off", placeholder: "DX" });
  const part = h("input", { id: `${of.name}-part`, maxLength: 16, autocomplete: "off", placeholder: "CHEST" });
  const [looks, says] = [h("div", { className: "tiles" }), line()];
  const spoken = (itself: { modality: boolean; part: boolean }) => {
    modality.disabled = itself.modality;
    part.disabled = itself.part;
  };
  const clear = () => {
    fill(looks);
    spoken({ modality: false, part: false });
    say(says, "");
  };
  // What was chosen last, once all of it was looked at: only that is drawn, and used.
  let latest: Promise<Chosen[]> | undefined;
  file.addEventListener("change", () => {
    clear();
    const mine = (latest = look());
    mine.catch((error: unknown) => {
      if (mine !== latest) return;
      clear();
      say(says, `This file cannot be used: ${sentenceOf(error)}`, "bad");
    });
    async function look(): Promise<Chosen[]> {
      const chosen = choices(of, file);
      const itself = { modality: true, part: true };
      const drawn: HTMLElement[] = [];
      for (const [at, one] of chosen.entries()) {
        const { canvas, text, modality, part } = await looked(one, chosen.length > 1, at < DRAWN);
        if (mine !== latest) return chosen;
        itself.modality &&= modality;
        itself.part &&= part;
        if (at < DRAWN) drawn.push(h("div", {}, canvas ?? null, h("p", { className: "soft" }, text)));
        else say(says, `Looked at ${at + 1} of ${chosen.length} files …`);
      }
      if (chosen.length > DRAWN) drawn.push(h("p", { className: "soft" }, `and ${chosen.length - DRAWN} more files.`));
      say(says, "");
      spoken(itself);
      fill(looks, ...drawn);
      return chosen;
    }
  });
  const made = form(
    of.button,
    [
      h(
        "div",
        { className: "fields" },
        field(of.label, file, of.files > 1 ? "several are one study: one key, one grant for all" : ""),
        field("Modality", modality, of.hint),
        field("Body part", part, of.hint),
        ...of.more,
      ),
      says,
      looks,
    ],
    async () => {
      if (!latest) throw new Error("Choose a file first.");
      const chosen = await latest;
      const stated = (control: HTMLInputElement) => (control.disabled ? "" : control.value.trim());
      const about = { modality: stated(modality), bodyPart: stated(part) };
      const said = await job(chosen, about, (text) => say(says, text)).finally(() => say(says, ""));
      made.reset();
      latest = undefined;
      clear();
      return said;
    },
  );
  return made;
}

/** What was chosen, in the order of names, with numbers in them counted. */
function choices(of: Upload, input: HTMLInputElement): Chosen[] {
  const files = [...(input.files ?? [])];
  if (files.length === 0) throw new Error("Choose a file first.");
  if (files.length > of.files) throw new Error(`These are ${files.length} files, and one record has at most ${of.files}.`);
  files.sort((one, other) => one.name.localeCompare(other.name, "en", { numeric: true }));
  return files.map((file) => {
    const end = /\.([a-z]+)$/i.exec(file.name)?.[1]?.toLowerCase() ?? "";
    const media = of.media[end];
    const which = files.length > 1 ? `“${file.name}”: ` : "";
    if (!media)
      throw new Error(
        `${which}a file that ends with “.${end}” is none of those that can be used here: ${Object.keys(of.media).join(", ")}.`,
      );
    if (file.size > of.bytes)
      throw new Error(`${which}it has ${(file.size / 2 ** 20).toFixed(1)} MiB, and ${of.why} at most ${of.bytes >> 20} MiB.`);
    return { name: file.name, media, bytes: async () => new Uint8Array(await file.arrayBuffer()) };
  });
}

/** Whether files of a media type are pictures that models may read. */
export function isPicture(media: string): boolean {
  return ["image/png", "image/jpeg", "application/dicom"].includes(media);
}

interface Looked {
  canvas?: HTMLCanvasElement;
  text: string;
  /** Whether the file says these itself. */
  modality: boolean;
  part: boolean;
}

/** What a file is, drawn if asked; throws where it is not what it says, with its name where it is one of several. */
async function looked(one: Chosen, named: boolean, drawn: boolean): Promise<Looked> {
  const bytes = await one.bytes();
  try {
    if (!isPicture(one.media))
      return { text: `${one.media}, ${bytes.length} bytes.`, modality: false, part: false };
    const { canvas, facts } = drawn ? await draw(bytes) : { facts: (await session()).verifier.image(bytes) };
    const itself = { modality: facts.modality !== null, part: facts.body_part !== null };
    return { ...(canvas && { canvas }), text: describe(facts), ...itself };
  } catch (error) {
    throw named ? new Error(`“${one.name}”: ${error instanceof Error ? error.message : String(error)}`) : error;
  } finally {
    bytes.fill(0);
  }
}
