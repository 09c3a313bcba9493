/** Pictures, drawn from what the verifier decodes; the browser's own decoders see no file of a stranger. */
import type { ImageFacts, Preview } from "@aceso/sdk";

import { h } from "./dom.js";
import { session } from "./session.js";

/** Draws a frame of a picture file. */
export async function draw(file: Uint8Array, frame = 1): Promise<{ canvas: HTMLCanvasElement; facts: Preview }> {
  const facts = (await session()).verifier.preview(file, frame);
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

/** A place where an image of the chain is shown, first its first frame, or the sentence why it is not. */
export function show(cid: string): { element: HTMLElement; turn(frame: number): void } {
  const says = (text: string) => h("p", { className: "soft" }, text);
  const element = h("div", {}, says("Fetching the picture …"));
  let file: Promise<Uint8Array> | undefined;
  let wanted = 0;
  function turn(frame: number): void {
    const mine = ++wanted;
    const put = (...nodes: HTMLElement[]) => mine === wanted && element.replaceChildren(...nodes);
    file ??= session().then((aceso) => aceso.getBlob(cid, true));
    file
      .then((bytes) => draw(bytes, frame))
      .then(({ canvas, facts }) => put(canvas, says(frame === 1 ? describe(facts) : `${describe(facts)}, frame ${frame}`)))
      .catch((error: unknown) => put(says(error instanceof Error ? error.message : String(error))));
  }
  turn(1);
  return { element, turn };
}
