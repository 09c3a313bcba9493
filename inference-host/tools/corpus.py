#!/usr/bin/env python3
"""Writes fuzz/corpus: what fuzzers and tests/fuzz.rs begin with, beside the models of tests/vectors.

Run from inference-host: `python3 tools/corpus.py`. Needs nothing but Python; a second run writes the same bytes. Files whose
names begin with `found-` were found by a fuzzer and stay.
"""
import json
import struct
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "fuzz" / "corpus"


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(colour, depth, interlaced=False, more=b"", samples=1, side=4):
    """A square of `side` pixels whose bytes count upwards, every row with another filter."""
    row = (side * depth * samples + 7) // 8
    pixels = b"".join(bytes([y % 5]) + bytes((17 * y + 5 * x) % 256 for x in range(row)) for y in range(side))
    if interlaced:
        # Adam7: seven pictures, one after another.
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
        pixels = b""
        for x, y, dx, dy in passes:
            wide, high = len(range(x, side, dx)), len(range(y, side, dy))
            if wide and high:
                pixels += (b"\0" + bytes(range((wide * depth * samples + 7) // 8))) * high
    header = struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, int(interlaced))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + more + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def element(group, number, vr, value, explicit=True):
    value += (b"\0" if vr == b"UI" else b" ") * (len(value) % 2)
    tag = struct.pack("<HH", group, number)
    if not explicit and group != 2:
        return tag + struct.pack("<I", len(value)) + value
    if vr in (b"OB", b"OW", b"SQ", b"UN"):
        return tag + vr + b"\0\0" + struct.pack("<I", len(value)) + value
    return tag + vr + struct.pack("<H", len(value)) + value


def dicom(syntax=b"1.2.840.10008.1.2.1", bits=8, photometric=b"MONOCHROME2", signed=0, more=(), samples=1):
    explicit = syntax != b"1.2.840.10008.1.2"
    short = lambda n: struct.pack("<H", n)
    allocated = 8 if bits <= 8 else 16
    meta = element(2, 0x10, b"UI", syntax)
    data = bytes(range(4 * 3 * samples * allocated // 8))
    elements = [
        (8, 0x60, b"CS", b"DX"),
        (0x18, 0x15, b"CS", b"CHEST"),
        (0x28, 2, b"US", short(samples)),
        (0x28, 4, b"CS", photometric),
        *([(0x28, 6, b"US", short(0))] if samples > 1 else []),
        (0x28, 0x10, b"US", short(3)),
        (0x28, 0x11, b"US", short(4)),
        (0x28, 0x100, b"US", short(allocated)),
        (0x28, 0x101, b"US", short(bits)),
        (0x28, 0x102, b"US", short(bits - 1)),
        (0x28, 0x103, b"US", short(signed)),
        *more,
        (0x7FE0, 0x10, b"OW", data),
    ]
    body = b"".join(element(*one, explicit=explicit) for one in sorted(elements, key=lambda one: one[:2]))
    return b"\0" * 128 + b"DICM" + element(2, 0, b"UL", struct.pack("<I", len(meta))) + meta + body


def images():
    yield from ((f"grey{depth}.png", png(0, depth)) for depth in (1, 2, 4, 8, 16))
    yield from ((f"colour{depth}.png", png(2, depth, samples=3)) for depth in (8, 16))
    palette = chunk(b"PLTE", bytes(range(48)))
    yield "palette.png", png(3, 4, more=palette)
    yield "palette-transparent.png", png(3, 4, more=palette + chunk(b"tRNS", b"\xff\xff\0"))
    yield "grey-alpha.png", png(4, 8, samples=2)
    yield "colour-alpha.png", png(6, 8, samples=4)
    yield "interlaced.png", png(0, 8, interlaced=True, side=9)
    yield "animated.png", png(0, 8, more=chunk(b"acTL", struct.pack(">II", 2, 0)))
    yield "text.png", png(0, 8, more=chunk(b"zTXt", b"a\0\0" + zlib.compress(b"text" * 50)))
    yield "profile.png", png(0, 8, more=chunk(b"iCCP", b"a\0\0" + zlib.compress(b"text" * 50)))
    yield "explicit.dcm", dicom()
    yield "implicit.dcm", dicom(b"1.2.840.10008.1.2", bits=12)
    yield "signed.dcm", dicom(bits=16, signed=1, more=[(0x28, 0x1052, b"DS", b"-1024"), (0x28, 0x1053, b"DS", b"1.5")])
    yield "inverse.dcm", dicom(photometric=b"MONOCHROME1", more=[(0x28, 0x1050, b"DS", b"4"), (0x28, 0x1051, b"DS", b"9")])
    yield "colour.dcm", dicom(photometric=b"RGB", samples=3)
    yield "frames.dcm", dicom(more=[(0x28, 8, b"IS", b"2")])
    for name, uid in [("rle", b"1.2.840.10008.1.2.5"), ("jpeg", b"1.2.840.10008.1.2.4.50"), ("lossless", b"1.2.840.10008.1.2.4.70")]:
        yield f"{name}.dcm", dicom(uid)
    yield "row.csv", b"age,size\n61,2.50\n"
    yield "line-ends.csv", b"age,size\r\n-61.000000001,999999999\r\n"
    yield "quotes.csv", b'"age",size\n1e3,\n'


def manifests():
    image = json.loads((ROOT / "../models/pneumonia/manifest.json").read_text())
    yield "image.json", image
    yield "table.json", json.loads((ROOT / "../models/wdbc/manifest.json").read_text())
    fixed = json.loads(json.dumps(image))
    fixed["pipeline"]["window"] = {"fixed": {"center": -600, "width": 1500}}
    fixed["pipeline"]["layout"], fixed["pipeline"]["normalise"] = "nhwc", None
    yield "fixed.json", fixed
    many = json.loads(json.dumps(fixed))
    many["output"]["labels"] = [dict(many["output"]["labels"][0], name=f"label {at}") for at in range(3)]
    many["output"]["findings"].append({"id": "other", "label": 2, "at_least": 255})
    yield "labels.json", many
    wrong = json.loads(json.dumps(image))
    wrong["output"]["labels"][0]["probability"].reverse()
    yield "falling.json", wrong


def write(folder, name, data):
    path = CORPUS / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def main():
    for name, data in images():
        write("image", name, data)
    for name, manifest in manifests():
        write("manifest", name, json.dumps(manifest, separators=(",", ":")).encode())


if __name__ == "__main__":
    main()
