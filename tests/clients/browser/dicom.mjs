// A synthetic picture as a de-identified digital X-ray: a drawing, nobody's lungs.

const EXPLICIT = "1.2.840.10008.1.2.1";
const DX = "1.2.840.10008.5.1.4.1.1.1.1";

/** A trunk with two darker lungs and a bright patch, whose place is the variant's; 8-bit grey, rows from the top. */
export function drawing(variant = 0, side = 224) {
  const pixels = Buffer.alloc(side * side);
  const inside = (x, y, cx, cy, rx, ry) => ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const [u, v] = [x / side, y / side];
      let level = inside(u, v, 0.5, 0.62, 0.46, 0.58) ? 165 : 60;
      const lung = inside(u, v, 0.3, 0.5, 0.14, 0.32) || inside(u, v, 0.7, 0.5, 0.14, 0.32);
      if (lung) level = 70 + 25 * (Math.floor(v * 16) % 2);
      if (inside(u, v, 0.5, 0.55, 0.05, 0.5)) level = 225;
      if (inside(u, v, 0.58, 0.66, 0.13, 0.14)) level = 205;
      if (inside(u, v, 0.28 + 0.42 * variant, 0.62 - 0.2 * variant, 0.09, 0.1)) level = 190;
      pixels[y * side + x] = level + ((x * 7 + y * 13) % 5);
    }
  }
  return { side, pixels };
}

function element(group, number, vr, value) {
  const text = typeof value === "string";
  let bytes = text ? Buffer.from(value, "latin1") : value;
  if (bytes.length % 2 === 1) bytes = Buffer.concat([bytes, Buffer.from(vr === "UI" || !text ? [0] : " ")]);
  const long = vr === "OB" || vr === "OW";
  const head = Buffer.alloc(long ? 12 : 8);
  head.writeUInt16LE(group, 0);
  head.writeUInt16LE(number, 2);
  head.write(vr, 4, "latin1");
  if (long) head.writeUInt32LE(bytes.length, 8);
  else head.writeUInt16LE(bytes.length, 6);
  return Buffer.concat([head, bytes]);
}

function short(number) {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(number);
  return bytes;
}

/** The drawing as a DICOM file (PS3.10), explicit VR little endian; of 8 bits, or of 16, little endian. */
export function dicom({ side, pixels, bits = 8 }) {
  const meta = Buffer.concat([
    element(2, 0x01, "OB", Buffer.from([0, 1])),
    element(2, 0x02, "UI", DX),
    element(2, 0x03, "UI", "2.25.4711"),
    element(2, 0x10, "UI", EXPLICIT),
    element(2, 0x12, "UI", "2.25.4712"),
  ]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(meta.length);
  const body = [
    element(0x08, 0x16, "UI", DX),
    element(0x08, 0x18, "UI", "2.25.4711"),
    element(0x08, 0x60, "CS", "DX"),
    element(0x12, 0x62, "CS", "YES"),
    element(0x12, 0x63, "LO", "pixels only"),
    element(0x18, 0x15, "CS", "CHEST"),
    element(0x20, 0x0d, "UI", "2.25.4713"),
    element(0x20, 0x0e, "UI", "2.25.4714"),
    element(0x28, 0x02, "US", short(1)),
    element(0x28, 0x04, "CS", "MONOCHROME2"),
    element(0x28, 0x10, "US", short(side)),
    element(0x28, 0x11, "US", short(side)),
    element(0x28, 0x100, "US", short(bits)),
    element(0x28, 0x101, "US", short(bits)),
    element(0x28, 0x102, "US", short(bits - 1)),
    element(0x28, 0x103, "US", short(0)),
    element(0x7fe0, 0x10, bits > 8 ? "OW" : "OB", pixels),
  ];
  return Buffer.concat([Buffer.alloc(128), Buffer.from("DICM"), element(2, 0, "UL", length), meta, ...body]);
}
