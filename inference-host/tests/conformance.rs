//! ONNX's own node tests, as `tools/conformance.py` writes them: each passes bit for bit or is refused with a reason, and
//! CONFORMANCE.md says which.
//!
//! `cargo xtask test --only conformance` writes the cases with a pinned release of ONNX and runs this;
//! with `UPDATE_EXPECT=1` the table is written anew.

#![allow(clippy::disallowed_methods, reason = "the environment names the folder of cases")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use aceso_inference::{Kernels, admit_with};
use aceso_types::{ElementType, Tensor};

/// A tensor as a case has it: integers, or floats that integers stand for.
struct Data {
    ty: String,
    dims: Vec<u32>,
    bytes: Vec<u8>,
}

impl Data {
    fn read(line: &str) -> Self {
        let words: Vec<&str> = line.split(' ').collect();
        let dims = words[1].split('x').filter(|dim| *dim != "-").map(|dim| dim.parse().unwrap()).collect();
        let digits = words[2].as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        let bytes = digits.map(|digits| u8::from_str_radix(digits, 16).unwrap()).collect();
        Self { ty: words[0].into(), dims, bytes }
    }

    fn tensor(&self) -> Tensor {
        let ty = [ElementType::U8, ElementType::I8, ElementType::I32, ElementType::I64];
        let ty = ty.into_iter().find(|ty| ty.to_string() == self.ty).unwrap();
        Tensor::new(ty, self.dims.clone(), self.bytes.clone()).unwrap()
    }
}

#[derive(Default)]
struct Table {
    passed: Vec<[String; 3]>,
    /// Names by what they are of, operator and reason.
    refused: BTreeMap<[String; 3], Vec<String>>,
}

#[test]
#[ignore = "cargo xtask test --only conformance writes its cases"]
fn every_case_passes_or_is_refused() {
    let folder = std::env::var_os("ACESO_CONFORMANCE").expect("ACESO_CONFORMANCE names the folder of cases");
    let mut cases: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    let mut table = Table::default();
    for case in cases {
        check(&case, &mut table);
    }
    expect_test::expect_file!["../CONFORMANCE.md"].assert_eq(&table.page());
}

fn check(path: &Path, table: &mut Table) {
    let name = path.file_name().unwrap().to_str().unwrap();
    let (onnx, text) = (fs::read(path.join("model.onnx")).unwrap(), fs::read_to_string(path.join("case.txt")).unwrap());
    let mut lines = text.lines();
    let op = lines.next().unwrap().strip_prefix("op ").unwrap().to_owned();
    let done = lines.next().unwrap().strip_prefix("as ").unwrap().to_owned();
    let of = lines.next().unwrap().strip_prefix("of ").unwrap().to_owned();
    let sides = lines.next().unwrap().strip_prefix("image ").unwrap().split_once(' ').unwrap();
    let [height, width] = [sides.0, sides.1].map(|side| side.parse::<u32>().unwrap());
    let data: Vec<Data> = lines.map(Data::read).collect();
    let manifest = common::manifest(&onnx, [1, height, width], 1);
    for set in Kernels::available() {
        let model = match admit_with(&onnx, &manifest, Kernels::new(set).unwrap()) {
            Ok(model) => model,
            Err(refusal) => {
                let names = table.refused.entry([of, op, refusal.to_string()]).or_default();
                names.push(name.into());
                return;
            }
        };
        assert!(data.len() > 1, "{name} is admitted, and has no data to be compared with");
        let outputs = model.run(&[data[0].tensor()]).unwrap();
        assert_eq!(outputs.len(), data.len(), "{name}");
        for ((got, want), meaning) in outputs.iter().zip(&data).zip(model.quantisations()).skip(1) {
            match meaning {
                // DequantizeLinear was dropped: what the integers stand for is compared.
                Some(meaning) => {
                    let signed = got.ty() == ElementType::I8;
                    let number = |&b: &u8| if signed { i32::from(b.cast_signed()) } else { i32::from(b) };
                    let real = |b: &u8| meaning.scale * (number(b) - meaning.zero_point) as f32;
                    let reals: Vec<u8> = got.data().iter().flat_map(|b| real(b).to_le_bytes()).collect();
                    assert_eq!((want.ty.as_str(), &want.dims[..], &want.bytes), ("f32", got.dims(), &reals), "{name}");
                }
                None => assert_eq!(got, &want.tensor(), "{name}: {set}"),
            }
        }
    }
    table.passed.push([op, name.into(), done]);
}

impl Table {
    fn page(mut self) -> String {
        self.passed.sort();
        let refused: usize = self.refused.values().map(Vec::len).sum();
        let mut page = format!(
            "# ONNX's node tests\n\n\
             Written by `cargo xtask test --only conformance`; `UPDATE_EXPECT=1` writes it anew. The cases are those of `onnx` 1.23.0\n\
             (`onnx.backend.test.case`) with one node of an operator that [SPEC.md](SPEC.md) names: {} pass bit for bit with every set\n\
             of kernels, {refused} are refused.\n\n\
             A node test has inputs for everything; a model here has one image. So the first input comes as an image, reshaped, and the\n\
             others become *parameters as constants*. Operators that move numbers or compare them take float data as *ranks*: each\n\
             number's place in the order of all of the case, in uint8; of more than 256 numbers neighbours share one (*coarse ranks*).\n\
             QuantizeLinear takes its *data as a constant*. Where a case ends in DequantizeLinear, what the integers stand for is\n\
             compared. *set A as B*: the case imports operator set A, of which nothing was looked into; it is run as B, and what must\n\
             come out is the same.\n\n\
             ## Passed\n\n| operator | case | how |\n|---|---|---|\n",
            self.passed.len()
        );
        for [op, name, done] in &self.passed {
            writeln!(page, "| {op} | {name} | {done} |").unwrap();
        }
        page += "\n## Refused\n\nIn the engine's own words; `data` is the step that turns the image into the case's shape.\n";
        for (of, title) in [
            ("bytes", "in the engine's domain: 8 bits, or any numbers that are only moved or compared"),
            ("others", "of integers that have other lengths"),
            ("floats", "that compute with floats"),
        ] {
            let rows = || self.refused.iter().filter(|([is, ..], _)| is == of);
            let count: usize = rows().map(|(_, names)| names.len()).sum();
            writeln!(page, "\n### {count} {title}\n\n| operator | reason | cases |\n|---|---|---|").unwrap();
            for ([_, op, reason], names) in rows() {
                let reason = reason.replace('|', "\\|");
                writeln!(page, "| {op} | {reason} | {} |", names.join(", ")).unwrap();
            }
        }
        page
    }
}
