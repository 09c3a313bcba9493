/** Elements, and what buttons do: run, wait, say what came of it beside the control. */
import { NodeError } from "@aceso/sdk";

export type Child = Node | string | number | null | undefined | false;

/** Makes an element. Properties are set as such; `aria-…`, `for` and `data-…` as attributes. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Record<string, unknown> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (name.includes("-") || name === "for" || name === "role" || name === "list")
      element.setAttribute(name, String(value));
    else Object.assign(element, { [name]: value });
  }
  element.append(
    ...children
      .filter((child) => child !== null && child !== undefined && child !== false)
      .map((child) => (child instanceof Node ? child : String(child))),
  );
  return element;
}

/** A labelled control. */
export const field = (label: string, control: HTMLElement, hint?: string): HTMLLabelElement =>
  h("label", {}, label, control, hint && h("span", { className: "soft" }, hint));

/** A line that screen readers speak when it changes. */
export const line = (): HTMLParagraphElement => h("p", { className: "says", role: "status", "aria-live": "polite" });

export function say(where: HTMLElement, text: string, kind: "" | "good" | "bad" = ""): void {
  where.className = `says ${kind}`;
  where.textContent = text;
}

/** An error as a full sentence. */
export function sentenceOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const sentence = `${upper(told(text.replace(/\.$/, "")))}.`;
  if (!(error instanceof NodeError) || error.codespace === "") return sentence;
  return `${sentence} (Refused by the chain: ${error.codespace} ${error.code}${error.height ? `, block ${error.height}` : ""}.)`;
}

/** Contracts tell times in Unix seconds; people are told them by their own clock. */
export const told = (text: string): string =>
  text.replace(
    /\b(at|before|is) (1\d{9})\b/g,
    (_, word, seconds) => `${word === "at" ? "on" : word} ${when(Number(seconds))}`,
  );

export const upper = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Runs a job for a control: the control is disabled meanwhile, and an error is said beside it. */
export async function run(
  control: HTMLButtonElement,
  where: HTMLElement,
  job: () => Promise<string | void>,
): Promise<void> {
  const had = document.activeElement === control;
  control.disabled = true;
  say(where, "One moment …");
  try {
    const said = await job();
    say(where, said ?? "", "good");
  } catch (error) {
    say(where, sentenceOf(error), "bad");
  } finally {
    control.disabled = false;
    if (had && document.activeElement === document.body) control.focus();
  }
}

/** A form that runs a job when it is sent, by Enter or by its button. */
export function form(
  button: string,
  parts: Child[],
  job: () => Promise<string | void>,
  properties: Record<string, unknown> = {},
): HTMLFormElement {
  const send = h("button", { className: "main", type: "submit" }, button);
  const says = line();
  const made = h("form", properties, ...parts, h("div", { className: "row" }, send), says);
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    void run(send, says, job);
  });
  return made;
}

/** A button that runs a job. */
export function button(
  label: string,
  where: HTMLElement,
  job: () => Promise<string | void>,
  properties: Record<string, unknown> = {},
): HTMLButtonElement {
  const made = h("button", { type: "button", ...properties }, label);
  made.addEventListener("click", () => void run(made, where, job));
  return made;
}

/** Puts new children in; what had the focus keeps it if it comes again under its id. */
export function fill(where: HTMLElement, ...children: Child[]): void {
  const focused = where.contains(document.activeElement) ? document.activeElement?.id : undefined;
  where.replaceChildren(...(children.filter(Boolean) as (Node | string)[]));
  if (focused) document.getElementById(focused)?.focus();
}

export const options = (choices: [value: string, label: string][]): HTMLOptionElement[] =>
  choices.map(([value, label]) => h("option", { value }, label));

/** Puts choices into a list without losing what is chosen. */
export function choose(select: HTMLSelectElement, choices: [value: string, label: string][]): void {
  const before = select.value;
  select.replaceChildren(...options(choices));
  if (choices.some(([value]) => value === before)) select.value = before;
}

export function table(headings: string[], rows: Child[][], empty: string): HTMLElement {
  if (rows.length === 0) return h("p", { className: "soft" }, empty);
  const head = h("tr", {}, ...headings.map((text) => h("th", { scope: "col" }, text)));
  const body = rows.map((cells) => h("tr", {}, ...cells.map((cell) => h("td", {}, cell))));
  return h("div", { className: "scroll" }, h("table", {}, h("thead", {}, head), h("tbody", {}, ...body)));
}

/** An identifier, shortened for the eye, whole for whoever asks. */
export function id(text: string): HTMLElement {
  const short = text.length > 20 ? `${text.slice(0, 10)}…${text.slice(-6)}` : text;
  return h("span", { className: "id", title: text }, short);
}

export const when = (seconds: number): string => new Date(seconds * 1000).toLocaleString();

export function download(name: string, bytes: Uint8Array | string): void {
  const url = URL.createObjectURL(new Blob([typeof bytes === "string" ? bytes : bytes.slice()]));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

export async function fileOf(input: HTMLInputElement): Promise<Uint8Array<ArrayBuffer>> {
  const [file] = input.files ?? [];
  if (!file) throw new Error("Choose a file first.");
  return new Uint8Array(await file.arrayBuffer());
}
