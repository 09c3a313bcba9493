"""Large pictures in every coding that is read, for the bench `pictures`: what decoding them takes beside what a read pays.

    python tools/large.py FOLDER        # numpy, pydicom 3.0.2, imagecodecs 2026.3.6

Nothing in them comes from a patient. `noise` is as dear as a coding can be made by its values alone, `body` looks like an X-ray:
a dark surround, smooth shapes and the noise of a detector.
"""
import sys
from pathlib import Path

import imagecodecs
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

SIDE = 4096
rng = np.random.default_rng(1)


def body(side, bits):
    y, x = np.mgrid[-1:1:side * 1j, -1:1:side * 1j]
    level = np.exp(-2 * (x * x + y * y)) + 0.2 * np.sin(9 * x) * np.cos(7 * y)
    level = np.where(x * x + 0.6 * y * y < 0.7, level, 0)
    noise = np.where(level != 0, rng.normal(0, 0.004, level.shape), 0)
    return (np.clip((level + noise) / 1.3, 0, 1) * ((1 << bits) - 1)).astype(np.uint16 if bits > 8 else np.uint8)


def noise(side, bits):
    return rng.integers(0, 1 << bits, (side, side)).astype(np.uint16 if bits > 8 else np.uint8)


def dicom(path, values, bits, syntax, frame):
    allocated = 8 * values.dtype.itemsize
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = UID(syntax)
    data.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.1.1")
    data.file_meta.MediaStorageSOPInstanceUID = UID("2.25.1")
    data.Modality = "DX"
    data.Rows, data.Columns = values.shape[:2]
    data.SamplesPerPixel = 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit = allocated, bits, bits - 1
    data.PixelRepresentation = 0
    data.PixelData = values.tobytes() if frame is None else encapsulate([frame])
    data["PixelData"].VR = "OW" if frame is None and allocated == 16 else "OB"
    data["PixelData"].is_undefined_length = frame is not None
    data.save_as(path, enforce_file_format=True)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in (("noise", noise), ("body", body)):
        for bits in (8, 12, 16):
            for side in (1024, SIDE):
                values = make(side, bits)
                stem = f"{name}-{bits}-{side}"
                j2k = imagecodecs.jpeg2k_encode(values, codecformat="j2k", reversible=True, bitspersample=bits, level=0)
                dicom(folder / f"{stem}.j2k.dcm", values, bits, "1.2.840.10008.1.2.4.90", j2k)
                if side < SIDE:
                    continue
                dicom(folder / f"{stem}.native.dcm", values, bits, "1.2.840.10008.1.2.1", None)
                lossless = imagecodecs.ljpeg_encode(values, bitspersample=bits)
                dicom(folder / f"{stem}.ljp.dcm", values, bits, "1.2.840.10008.1.2.4.70", lossless)
                if bits == 8:
                    (folder / f"{stem}.jpg").write_bytes(imagecodecs.jpeg8_encode(values, level=95))
                if bits != 12:
                    (folder / f"{stem}.png").write_bytes(imagecodecs.png_encode(values))


main(Path(sys.argv[1]))
