//! A sealed read checked without the chain: how large its receipt is, and how long a check takes, natively and in the
//! wasm that browsers load. Least times, since what else the machine does only adds.

use std::{fs, path::Path, process::Command, time::Instant};

use aceso_verify::{Roots, verify_compact};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// Most bytes of a receipt of three or four members.
const BYTES_MUST: f64 = 700.0;
/// Milliseconds of a check, natively and in wasm.
const NATIVE_MUST: f64 = 3.0;
const WASM_MUST: f64 = 40.0;

/// What node.js does with the wasm: the least time of a call, which reads the roots file too.
const SCRIPT: &str = r#"
import { readFileSync } from "node:fs";
const [wasm, compact, roots, rounds] = process.argv.slice(2);
const code = (await WebAssembly.instantiate(readFileSync(wasm))).instance.exports;
const put = (bytes) => {
  const at = code.aceso_alloc(bytes.length);
  new Uint8Array(code.memory.buffer, at, bytes.length).set(bytes);
  return at;
};
const [file, trust] = [put(Buffer.from(compact, "hex")), put(readFileSync(roots))];
const times = [];
for (let round = 0; round < Number(rounds); round++) {
  const start = performance.now();
  const answer = code.aceso_verify_compact(file, trust, 0);
  times.push(performance.now() - start);
  const said = Buffer.from(code.memory.buffer, answer, code.aceso_len(answer)).subarray(4).toString();
  if (!said.startsWith('{"ok"')) throw new Error(said);
  code.aceso_free(answer);
}
console.log(Math.min(...times));
"#;

/// Runs the cases. `root` is the clone; `wasm` is the verifier as browsers load it.
pub(crate) fn run(root: &Path, wasm: Option<&Path>, quick: bool, emit: impl Fn(Value)) -> Result<()> {
    let path = root.join("sdk/verify/tests/vectors/compact.json");
    let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let vectors: Value = serde_json::from_slice(&text)?;
    let all = Roots::decode(&serde_json::to_vec(&vectors["roots"])?)?;
    let rounds = if quick { 50 } else { 200 };
    // What a browser would hold of a network of four.
    let few = tempfile::NamedTempFile::new()?;
    fs::write(few.path(), Roots::trust(all.get(0).context("no root")?.clone())?.encode())?;

    for vector in vectors["believed"].as_array().context("no vectors")? {
        let name = vector["name"].as_str().unwrap_or_default();
        let text = vector["compact"].as_str().context("no receipt")?;
        let file = hex::decode(text)?;
        let members = vector["members"].as_array().map_or(0, Vec::len);
        if (3..=4).contains(&members) {
            emit(row(&format!("compact receipt, {name}"), file.len() as f64, BYTES_MUST, "bytes"));
        }
        let mut times = Vec::with_capacity(rounds);
        for _ in 0..rounds {
            let start = Instant::now();
            let verified = verify_compact(&file, &all);
            times.push(start.elapsed().as_secs_f64() * 1e3);
            ensure!(verified.is_ok(), "{name}: {verified:?}");
        }
        emit(row(&format!("verify natively, {name}"), least(&times), NATIVE_MUST, "ms"));
        if let Some(wasm) = wasm.filter(|_| name == "three of four") {
            emit(row(&format!("verify in wasm, {name}"), in_wasm(wasm, text, few.path(), rounds)?, WASM_MUST, "ms"));
        }
    }
    Ok(())
}

fn in_wasm(wasm: &Path, compact: &str, roots: &Path, rounds: usize) -> Result<f64> {
    let script = tempfile::Builder::new().suffix(".mjs").tempfile()?;
    fs::write(script.path(), SCRIPT)?;
    let mut node = Command::new("node");
    node.arg(script.path()).arg(wasm).arg(compact).arg(roots).arg(rounds.to_string());
    let answer = node.output().context("cannot start node, which runs the wasm")?;
    ensure!(answer.status.success(), "node: {}", String::from_utf8_lossy(&answer.stderr));
    Ok(String::from_utf8_lossy(&answer.stdout).trim().parse()?)
}

fn least(times: &[f64]) -> f64 {
    times.iter().copied().fold(f64::INFINITY, f64::min)
}

fn row(case: &str, ours: f64, must: f64, unit: &str) -> Value {
    let ratio = must / ours;
    json!({"bench": "reads", "case": case, "ours": ours, "peer": must, "peer_name": "target", "unit": unit, "ratio": ratio})
}
