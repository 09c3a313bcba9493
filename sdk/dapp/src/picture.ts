/** Pictures, drawn from what the verifier decodes; the browser's own decoders see no file of a stranger. */
import type { ImageFacts, Preview } from "@aceso/sdk";

import { h } from "./dom.js";
import { session } from "./session.js";

/** Draws a picture file. */
export async function draw(file: Uint8Array): Promise<{ canvas: HTMLCanvasElement; facts: Preview }> {
  const facts = (await session()).verifier.preview(file);
  const { width, height } = facts.shown;
  const canvas = h("canvas", { width, height, role: "img", "aria-label": describe(facts) });
  const picture = new ImageData(width, height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      picture.data[pixel * 4 + channel] = facts.data[facts.samples === 3 ? pixel * 3 + channel : pixel] ?? 0;
    }
    picture.data[pixel * 4 + 3] = 255;
  }
  canvas.getContext("2d")?.putImageData(picture, 0, 0);
  return { canvas, facts };
}

export function describe(facts: ImageFacts): string {
  const what = [facts.modality, facts.body_part].filter(Boolean).join(" ") || "picture";
  return `${what}, ${facts.width} × ${facts.height}, ${facts.bits} bit, ${facts.format.toUpperCase()}`;
}

/** A place where an image of the chain is shown, or the sentence why it is not. */
export function show(cid: string): HTMLElement {
  const place = h("div", {}, h("p", { className: "soft" }, "Fetching the picture …"));
  void (async () => {
    const { canvas, facts } = await draw(await (await session()).getBlob(cid, true));
    place.replaceChildren(canvas, h("p", { className: "soft" }, describe(facts)));
  })().catch((error: unknown) => {
    place.replaceChildren(h("p", { className: "soft" }, error instanceof Error ? error.message : String(error)));
  });
  return place;
}
