"""Small compressed pictures for tests/image/files, and the identities that others' decoders give them.

Run with Python 3.11, numpy, pillow 13.0.0, pydicom 3.0.2, pylibjpeg 2.1.0 with -libjpeg 2.5.0, -openjpeg 2.6.0 and -rle 2.2.0, and opj_compress
of OpenJPEG 2.5.0 in the path:

    python tools/images.py tests/image/files            # writes the files and golden.txt
    python tools/images.py --real FOLDER                # prints the identities of DICOM files

Nothing in the pictures comes from a patient: they are gradients with a little noise. golden.txt has a line for each file: name,
kind, columns, rows, samples, bits stored, sign, photometric interpretation, and the pixel digest of IMAGE.md, computed here over
what libjpeg, OpenJPEG and NumPy make of it. The decoders under test have no part in it.
"""
import hashlib
import io
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np


def digest(values):
    """The pixel digest of IMAGE.md; `values` are [rows, columns] or [rows, columns, 3]."""
    values = np.asarray(values, np.int64)
    if values.ndim == 3 and (values == values[..., :1]).all():
        values = values[..., 0]
    samples = 1 if values.ndim == 2 else values.shape[2]
    if (values >= 0).all() and (values % 257 == 0).all():
        values = values // 257
    kind, ty = (2, ">i2") if values.min() < 0 else (1, ">u2") if values.max() > 255 else (0, "u1")
    head = struct.pack(">IIBB", values.shape[1], values.shape[0], samples, kind)
    framed = b"aceso/pixels/v1\0"
    for part in (head, values.astype(ty).tobytes()):
        framed += struct.pack(">Q", len(part)) + part
    return hashlib.sha3_256(framed).hexdigest()


def picture(width, height, bits, samples=1, seed=1, signed=False):
    """A gradient, a step and noise over the whole range of `bits`."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    planes = []
    for channel in range(samples):
        noise = ((x * 7919 + y * 104729 + (channel + seed) * 1299709) * 2654435761 >> 7) % 97
        wave = (x * (3 + channel) + y * 5) % (width + height)
        level = wave * ((1 << bits) - 1) // (width + height) + np.where(x > width // 2, noise << max(bits - 9, 0), 0)
        planes.append(np.clip(level, 0, (1 << bits) - 1))
    values = planes[0] if samples == 1 else np.stack(planes, axis=-1)
    return values - (1 << (bits - 1)) if signed else values


def lossless_jpeg(values, bits, predictor, restart=0):
    """ITU-T T.81 annex H, all components in one scan, one code of fixed lengths for the 17 categories."""
    values = values.reshape(values.shape[0], values.shape[1], -1).astype(np.int64)
    height, width, count = values.shape
    codes = {category: (category, 4) for category in range(15)} | {15: (0b11110, 5), 16: (0b111110, 6)}
    counts = [0, 0, 0, 15, 1, 1] + [0] * 10
    segment = lambda marker, body: struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
    out = b"\xff\xd8" + segment(0xC3, struct.pack(">BHHB", bits, height, width, count)
                               + b"".join(bytes([c + 1, 0x11, 0]) for c in range(count)))
    out += segment(0xC4, bytes([0, *counts, *range(17)]))
    if restart:
        out += segment(0xDD, struct.pack(">H", restart * width))
    out += segment(0xDA, bytes([count]) + b"".join(bytes([c + 1, 0]) for c in range(count)) + bytes([predictor, 0, 0]))
    stream, intervals = [], []

    def close():
        bits_ = "".join(stream)
        bits_ += "1" * (-len(bits_) % 8)
        packed = bytes(int(bits_[i:i + 8], 2) for i in range(0, len(bits_), 8))
        intervals.append(packed.replace(b"\xff", b"\xff\x00"))
        stream.clear()

    for y in range(height):
        first = y == 0
        if restart and y and y % restart == 0:
            close()
            first = True
        for x in range(width):
            for c in range(count):
                if first:
                    told = 1 << (bits - 1) if x == 0 else values[y, x - 1, c]
                elif x == 0:
                    told = values[y - 1, 0, c]
                else:
                    a, b, d = values[y, x - 1, c], values[y - 1, x, c], values[y - 1, x - 1, c]
                    told = [None, a, b, d, a + b - d, a + ((b - d) >> 1), b + ((a - d) >> 1), (a + b) >> 1][predictor]
                difference = (int(values[y, x, c]) - int(told)) & 0xFFFF
                difference -= 0x10000 if difference > 0x8000 else 0
                category = abs(difference).bit_length()
                code, length = codes[category]
                stream.append(format(code, f"0{length}b"))
                if 0 < category < 16:
                    low = difference if difference > 0 else difference + (1 << category) - 1
                    stream.append(format(low, f"0{category}b"))
    close()
    for number, packed in enumerate(intervals):
        out += packed + (bytes([0xFF, 0xD0 + number % 8]) if number + 1 < len(intervals) else b"")
    return out + b"\xff\xd9"


def files():
    """Name, kind, bits, sign, photometric interpretation, bytes, and the values that another decoder sees."""
    from openjpeg.utils import decode as openjpeg, encode_array
    from libjpeg import decode as libjpeg
    from PIL import Image
    from rle.utils import encode_pixel_data

    def saved(values, fmt, **options):
        out = io.BytesIO()
        Image.fromarray(values.astype(np.uint8 if values.max() < 256 else np.uint16)).save(out, fmt, **options)
        return out.getvalue()

    def seen(data):
        return np.asarray(Image.open(io.BytesIO(data)))

    grey, colour = picture(37, 29, 8), picture(45, 35, 8, 3)
    for name, values, options in [
        ("grey", grey, {}),
        ("grey_optimised", grey, {"optimize": True, "quality": 40}),
        ("grey_restarts", grey, {"restart_marker_blocks": 3}),
        ("colour_444", colour, {"subsampling": "4:4:4", "quality": 90}),
        ("colour_422", colour, {"subsampling": "4:2:2"}),
        ("colour_420", colour, {"subsampling": "4:2:0"}),
        ("colour_420_restarts", colour, {"subsampling": "4:2:0", "restart_marker_rows": 1, "quality": 100}),
        ("colour_rgb", colour, {"keep_rgb": True}),
    ]:
        data = saved(values, "JPEG", **options)
        model = "MONOCHROME2" if values.ndim == 2 else "RGB" if "keep_rgb" in options else "YBR_FULL_422"
        yield f"{name}.jpg", "jpeg", 8, False, model, data, seen(data)

    for name, bits, predictor, options in [
        *[(f"predictor_{p}", 12, p, {}) for p in range(1, 8)],
        ("bits_8", 8, 1, {}), ("bits_16", 16, 4, {}), ("restarts", 12, 7, {"restart": 4}),
        ("signed", 16, 1, {"signed": True}), ("colour", 8, 6, {"samples": 3}),
    ]:
        signed, restart = options.pop("signed", False), options.pop("restart", 0)
        values = picture(23, 17, bits, signed=signed, **options)
        data = lossless_jpeg(values & ((1 << bits) - 1), bits, predictor, restart)
        other = libjpeg(data).reshape(values.shape)
        assert (other == values & ((1 << bits) - 1)).all(), name
        yield f"{name}.ljp", "lossless", bits, signed, "MONOCHROME2" if values.ndim == 2 else "RGB", data, values

    for name, bits, samples, signed, options in [
        ("bits_8", 8, 1, False, {}), ("bits_12", 12, 1, False, {}), ("bits_16", 16, 1, False, {}),
        ("signed_12", 12, 1, True, {}), ("signed_16", 16, 1, True, {}),
        ("rct", 8, 3, False, {"use_mct": True}), ("rgb", 8, 3, False, {"use_mct": False}),
    ]:
        values = picture(45, 35, bits, samples, signed=signed)
        narrow = values.astype({(False, 8): np.uint8, (False, 16): np.uint16, (True, 16): np.int16}[signed, 8 if bits == 8 else 16])
        kind = 1 if samples == 3 else 2
        data = bytes(encode_array(narrow, bits_stored=bits, photometric_interpretation=kind, codec_format=0, **options))
        other = openjpeg(data)
        assert (other == values).all(), name
        model = "MONOCHROME2" if samples == 1 else "YBR_RCT" if options["use_mct"] else "RGB"
        yield f"{name}.j2k", "jpeg2000", bits, signed, model, data, values
    large = picture(150, 131, 8)
    for name, values, options in [
        ("tiles", large, {"tile_size": (64, 48)}),
        ("tiles_rct", picture(90, 70, 8, 3), {"tile_size": (33, 41), "mct": 1, "progression": "RPCL"}),
        *[(f"order_{order.lower()}", large, {"progression": order, "precinct_size": (32, 32), "codeblock_size": (16, 16)})
          for order in ("LRCP", "RLCP", "RPCL", "PCRL", "CPRL")],
        ("order_tiles_pcrl", picture(90, 70, 8, 3), {"progression": "PCRL", "precinct_size": (32, 32), "tile_size": (50, 37),
                                                    "codeblock_size": (8, 8)}),
        ("layers", large, {"quality_layers": (20, 5, 0), "progression": "RLCP"}),
        ("one_resolution", grey, {"num_resolutions": 1}),
        ("lengths", large, {"plt": True, "num_resolutions": 3, "codeblock_size": (4, 256)}),
        ("narrow", picture(3, 40, 8), {"num_resolutions": 2}),
        ("flat", np.full((33, 40), 128), {}),
    ]:
        data = saved(values, "JPEG2000", no_jp2=True, irreversible=False, **options)
        assert (seen(data) == values).all(), name
        model = "MONOCHROME2" if values.ndim == 2 else "YBR_RCT" if options.get("mct") else "RGB"
        yield f"{name}.j2k", "jpeg2000", 8, False, model, data, values

    # The modes in which code blocks are coded, which only OpenJPEG's own program can ask for.
    deep = picture(61, 53, 16)
    for name, options in [
        ("mode_bypass", ["-M", "1"]), ("mode_reset", ["-M", "2"]), ("mode_terminate", ["-M", "4"]),
        ("mode_causal", ["-M", "8"]), ("mode_symbols", ["-M", "32"]), ("mode_bypass_terminate", ["-M", "5"]),
        ("mode_all", ["-M", "63", "-b", "16,16"]), ("mode_bypass_layers", ["-M", "1", "-r", "8,4,2,1"]),
        ("marked", ["-SOP", "-EPH", "-c", "[32,32]", "-n", "3"]),
        ("tile_parts", ["-t", "32,32", "-TP", "R", "-p", "RLCP", "-n", "3"]),
    ]:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "source.pgm", Path(folder) / "target.j2k"
            source.write_bytes(b"P5\n61 53\n65535\n" + deep.astype(">u2").tobytes())
            subprocess.run(["opj_compress", "-i", source, "-o", target, *options], check=True, stdout=subprocess.DEVNULL)
            data = target.read_bytes()
        assert (openjpeg(data) == deep).all(), name
        yield f"{name}.j2k", "jpeg2000", 16, False, "MONOCHROME2", data, deep

    for name, bits, samples in [("bits_8", 8, 1), ("bits_12", 12, 1), ("colour", 8, 3)]:
        values = picture(37, 29, bits, samples)
        values[10:20] = values[10, 0]
        raw = values.astype("<u1" if bits == 8 else "<u2").tobytes()
        data = encode_pixel_data(raw, rows=29, columns=37, samples_per_pixel=samples, bits_allocated=8 if bits == 8 else 16,
                                 number_of_frames=1, pixel_representation=0, photometric_interpretation="RGB", byteorder="<",
                                 transfer_syntax_uid="1.2.840.10008.1.2.5")
        yield f"{name}.rle", "rle", bits, False, "MONOCHROME2" if samples == 1 else "RGB", bytes(data), values


def write(folder):
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, kind, bits, signed, model, data, values in files():
        (folder / name).write_bytes(data)
        samples = 1 if values.ndim == 2 else 3
        lines.append(f"{name} {kind} {values.shape[1]} {values.shape[0]} {samples} {bits} {int(signed)} {model} {digest(values)}\n")
    (folder / "golden.txt").write_text("".join(lines))


def real(folder):
    import pydicom
    from pydicom.pixels import apply_color_lut, pixel_array
    for path in sorted(folder.glob("*.dcm")):
        try:
            dataset = pydicom.dcmread(path)
            values = pixel_array(dataset, index=0)
            if dataset.PhotometricInterpretation == "PALETTE COLOR":
                values = apply_color_lut(values, dataset)
            print(path.name, dataset.file_meta.TransferSyntaxUID.name, dataset.PhotometricInterpretation, digest(values))
        except Exception as error:
            print(path.name, "refused:", error)


if __name__ == "__main__":
    if sys.argv[1] == "--real":
        real(Path(sys.argv[2]))
    else:
        write(Path(sys.argv[1]))
