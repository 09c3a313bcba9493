//! What is said about models: of the bundled one word for word, of all that it adds up.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fmt::Write;

use aceso_inference::{Explanation, admit, explain};
use aceso_types::Manifest;
use expect_test::expect;

fn words(explanation: &Explanation) -> String {
    let mut text = String::new();
    for one in &explanation.operations {
        let ty = one.ty;
        let (macs, ops, weights, bytes, gas) = (one.macs, one.element_ops, one.weight_bytes, one.bytes, one.gas);
        let (node, op) = (&one.site.node, &one.site.op);
        writeln!(text, "{node} {op}: {} {ty}{:?} {macs} {ops} {weights} {bytes} {gas}", one.kind, one.dims).unwrap();
    }
    writeln!(text, "{:?}", explanation.fused).unwrap();
    explanation.warnings.iter().for_each(|warning| writeln!(text, "{warning}").unwrap());
    text
}

fn case(name: &str) -> Explanation {
    let case = common::cases().into_iter().find(|case| case.name == name).unwrap();
    explain(&case.onnx, &case.manifest).unwrap()
}

#[test]
fn the_bundled_model_is_explained() {
    let manifest: Manifest =
        serde_json::from_slice(&std::fs::read("../models/pneumonia/manifest.json").unwrap()).unwrap();
    let explanation = explain(&std::fs::read("../models/pneumonia/model.onnx").unwrap(), &manifest).unwrap();
    expect![[r#"
        quantise QuantizeLinear: table u8[1, 1, 28, 28] 0 784 0 784 341120
        conv0 QLinearConv: convolution 3×3 u8[1, 16, 28, 28] 112896 13444 512 15880 3131952
        conv1 QLinearConv: convolution 3×3 /2 u8[1, 24, 14, 14] 677376 18160 6912 37760 9942272
        conv2 QLinearConv: convolution 3×3 u8[1, 32, 14, 14] 1354752 12416 14336 27776 18080064
        conv3 QLinearConv: convolution 3×3 /2 u8[1, 48, 7, 7] 677376 9552 27648 29040 10010432
        conv4 QLinearConv: convolution 3×3 u8[1, 48, 7, 7] 1016064 6240 41472 27024 14359808
        conv5 QLinearConv: convolution 3×3 u8[1, 64, 7, 7] 1354752 7024 55296 28832 19001984
        mean QLinearGlobalAveragePool: mean of 49 u8[1, 64, 1, 1] 0 3136 0 320 513600
        gemm QGemm: matrix 64→1 u8[1, 1] 64 1 128 2113 214584
        {}
    "#]]
    .assert_eq(&words(&explanation));
}

#[test]
fn operations_add_up_to_what_the_model_costs() {
    for case in common::cases() {
        let explanation = explain(&case.onnx, &case.manifest).unwrap();
        let facts = admit(&case.onnx, &case.manifest).unwrap().facts();
        assert_eq!(explanation.facts, facts, "{}", case.name);
        let operations = &explanation.operations;
        assert_eq!(operations.len(), facts.nodes as usize, "{}", case.name);
        assert_eq!(operations.iter().map(|one| one.macs).sum::<u64>(), facts.macs, "{}", case.name);
        assert_eq!(operations.iter().map(|one| one.element_ops).sum::<u64>(), facts.element_ops, "{}", case.name);
    }
}

#[test]
fn what_is_seldom_meant_is_named() {
    let names = ["qdq_mobile", "squeeze_and_excite", "conv_saturating", "conv_u8_weights_u8", "qdq_clip", "moves"];
    expect![[r#"
        qdq_mobile
        QuantizeLinear_3 QuantizeLinear: table u8[1, 1, 14, 14] 0 196 0 196 235280
        Conv_13 Conv: convolution 3×3 /2 u8[1, 8, 6, 6] 2592 457 256 1650 284764
        Conv_29 Conv: depthwise 3×3 u8[1, 8, 6, 6] 2592 800 256 1440 374144
        AveragePool_35 AveragePool: average 3×3 /3 u8[1, 8, 2, 2] 0 288 0 64 347840
        MatMul_46 MatMul: matrix 32→3 u8[1, 3] 96 3 192 1219 212072
        {"AveragePool": 1, "Clip": 2, "Conv": 2, "MatMul": 1, "Reshape": 1}
        squeeze_and_excite
        QuantizeLinear_3 QuantizeLinear: 3 tables u8[1, 3, 8, 8] 0 192 0 192 234560
        Conv_15 Conv: convolution 3×3 u8[1, 8, 8, 8] 13824 812 512 2648 463248
        GlobalAveragePool_20 GlobalAveragePool: mean of 64 u8[1, 8, 1, 1] 0 512 0 40 251200
        Conv_33 Conv: convolution 1×1 u8[1, 4, 1, 1] 32 12 128 788 206208
        Conv_47 Conv: convolution 1×1 u8[1, 8, 1, 1] 32 12 256 1040 210544
        QuantizeLinear_53 QuantizeLinear: table u8[1, 8, 1, 1] 0 8 0 8 201280
        Mul_57 Mul: pick u8[1, 8, 8, 8] 0 512 0 512 251200
        Mul_57 Mul: product u8[1, 8, 8, 8] 0 512 0 512 328000
        QLinearGlobalAveragePool_61 QLinearGlobalAveragePool: mean of 64 u8[1, 8, 1, 1] 0 512 0 40 251200
        {"Conv": 3, "GlobalAveragePool": 1, "Mul": 1, "Relu": 1, "Sigmoid": 1}
        the manifest describes the first output; 1 more with 512 bytes are computed and handed out with every read
        conv_saturating
        QLinearConv_9 QLinearConv: convolution 3×3 u8[1, 5, 8, 8] 8640 620 320 2264 433488
        QLinearGlobalAveragePool_12 QLinearGlobalAveragePool: mean of 64 u8[1, 5, 1, 1] 0 320 0 25 232000
        {}
        node "QLinearConv_9" (op QLinearConv, domain ai.onnx): in 5 of 5 channels sums can reach over 256 times what the result holds; calibrate with data that reach further, or take a larger scale
        the manifest describes the first output; 1 more with 320 bytes are computed and handed out with every read
        conv_u8_weights_u8
        QLinearConv_9 QLinearConv: convolution 3×3 u8[1, 5, 8, 8] 8640 620 320 2264 433488
        QLinearGlobalAveragePool_12 QLinearGlobalAveragePool: mean of 64 u8[1, 5, 1, 1] 0 320 0 25 232000
        {}
        node "QLinearConv_9" (op QLinearConv, domain ai.onnx): weights with zero point 121 may not fit 8 bits once centred, which makes them slow on processors with VNNI; quantise weights symmetrically
        the manifest describes the first output; 1 more with 320 bytes are computed and handed out with every read
        qdq_clip
        QuantizeLinear_3 QuantizeLinear: 3 tables u8[1, 3, 8, 8] 0 192 0 192 234560
        QuantizeLinear_8 QuantizeLinear: table u8[1, 3, 8, 8] 0 192 0 192 230720
        QuantizeLinear_14 QuantizeLinear: table u8[1, 3, 8, 8] 0 192 0 192 230720
        QLinearGlobalAveragePool_19 QLinearGlobalAveragePool: mean of 64 u8[1, 3, 1, 1] 0 192 0 15 219200
        {"Clip": 1, "Relu": 1}
        the manifest describes the first output; 2 more with 384 bytes are computed and handed out with every read
        moves
        Transpose_1 Transpose: transposition u8[1, 4, 5, 3] 0 60 0 60 230000
        Concat_2 Concat: join of 2 u8[1, 4, 5, 6] 0 120 0 120 208400
        Pad_5 Pad: margin u8[1, 5, 8, 9] 0 360 0 360 225200
        Clip_11 Clip: table u8[120, 3] 0 360 0 360 257600
        Pad_15 Pad: margin u8[1, 62] 0 62 0 62 204340
        MaxPool_16 MaxPool: maximum 4×5 u8[1, 3, 1, 1] 0 60 0 3 205760
        {}
        the manifest describes the first output; 2 more with 422 bytes are computed and handed out with every read
    "#]].assert_eq(&names.map(|name| format!("{name}\n{}", words(&case(name)))).concat());
}

#[test]
fn what_is_refused_is_not_explained() {
    for path in common::vectors("refused") {
        let onnx = std::fs::read(path.join("model.onnx")).unwrap();
        let manifest = common::manifest(&onnx, [3, 8, 8], 4);
        let [said, refused] = [explain(&onnx, &manifest).err(), admit(&onnx, &manifest).err()];
        assert_eq!(said.unwrap().to_string(), refused.unwrap().to_string());
    }
}
