/** Results on their way out of the page, open and sealed alike: FHIR, and a DICOM structured report. */
import { type Report, dicomSr, fhir } from "@aceso/sdk";

import { button, download } from "./dom.js";

/** Buttons that save a result, which is made, and opened where it is sealed, when it is asked for. */
export function exporting(read: number, says: HTMLElement, report: () => Promise<Report>): HTMLElement[] {
  const save = (label: string, end: string, write: (report: Report) => Uint8Array | string) =>
    button(
      label,
      says,
      async () => {
        download(`read-${read}.${end}`, write(await report()));
        return "Saved as preliminary and unverified, with the model and what it rests on: no physician has seen it yet.";
      },
      { id: `${end.replace(".", "-")}-${read}` },
    );
  return [save("Save as FHIR", "fhir.json", fhir), save("Save as DICOM SR", "sr.dcm", dicomSr)];
}
