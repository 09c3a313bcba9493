"""What the repository keeps of a model, written as its tests read it."""

import base64
import hashlib
import json

RED = "A red line forks the chain. Record anew only together with a new model id."


def sha3(domain, part):
    return hashlib.sha3_256(domain.encode() + b"\0" + len(part).to_bytes(8, "big") + part).hexdigest()


def cid(block):
    """CIDv1, raw, sha2-256, in base32: what one leaf of a blob is named."""
    return "b" + base64.b32encode(b"\x01\x55\x12\x20" + hashlib.sha256(block).digest()).decode().lower().rstrip("=")


def onnx_of(bytes_):
    """The manifest's `onnx`."""
    return {"blob": cid(bytes_), "digest": sha3("aceso/onnx/v1", bytes_), "size": len(bytes_)}


def golden(path, header, lines):
    with open(path, "w") as file:
        file.write("".join(f"# {line}\n" for line in header) + "".join(f"{line}\n" for line in lines))


def manifest(path, written):
    """JSON for people: every label's 256 probabilities in rows of sixteen, a table's columns in a line each."""
    labels = written["output"]["labels"]
    held = [label["probability"] for label in labels]
    for i, label in enumerate(labels):
        label["probability"] = f"PROBABILITY {i}"
    columns = written["pipeline"].get("table")
    if columns:
        written["pipeline"]["table"] = "TABLE"
    text = json.dumps(written, indent=2, ensure_ascii=False)
    if columns:
        text = text.replace('"table": "TABLE"', '"table": [\n' + ",\n".join("      " + json.dumps(column) for column in columns) + "\n    ]")
    for i, table in enumerate(held):
        rows = ",\n".join("            " + ", ".join(map(str, table[at : at + 16])) for at in range(0, 256, 16))
        text = text.replace(f'"PROBABILITY {i}"', f"[\n{rows}\n          ]")
    with open(path, "w") as file:
        file.write(text + "\n")


def picture_pipeline(modalities, body_part, side, mean, deviation):
    """Grey pictures by their own window, the middle square, exact area means."""
    return {
        "modalities": modalities,
        "body_parts": [body_part],
        "channels": "grey",
        "window": "image",
        "crop": "center",
        "width": side,
        "height": side,
        "resize": "area",
        "layout": "nchw",
        "normalise": [{"mean": round(mean * 1e6), "deviation": round(deviation * 1e6)}],
    }
