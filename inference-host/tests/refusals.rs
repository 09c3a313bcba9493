//! One graph per way of being wrong, each refused with a sentence that names the place and the reason; and bytes that
//! are no graph at all.
//!
//! The graphs lie in `tests/vectors/refused`, written by `tools/cross_check.py`. A changed sentence is a change that
//! authors of models see.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and these see to it that a refusal is quick"
)]

mod common;

use std::{collections::BTreeMap, fmt::Write, fs, sync::LazyLock, time::Instant};

use aceso_inference::{InferError, ModelRefused, admit, answers};
use aceso_types::{ElementType, Tensor};
use expect_test::expect;
use proptest::prelude::*;

#[test]
fn every_wrong_graph_is_refused_with_its_reason() {
    let mut sentences = String::new();
    for path in common::vectors("refused") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let onnx = fs::read(path.join("model.onnx")).unwrap();
        let image = match name {
            "multiplications" => [1, 400, 400],
            _ => [3, 8, 8],
        };
        let begin = Instant::now();
        match admit(&onnx, &common::manifest(&onnx, image, 4)) {
            Err(refusal) => {
                assert!(!refusal.hint().is_empty());
                writeln!(sentences, "{name}: {refusal}").unwrap();
            }
            Ok(_) => panic!("{name} was admitted"),
        }
        assert!(begin.elapsed().as_secs() < 1, "{name}");
    }
    expect![[r#"
        accumulator: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): sums of 27 products could reach 2148015872, beyond 32 bits
        add_ratio: node "QLinearAdd_5" (op QLinearAdd, domain com.microsoft): the ratio of scales B/C is 0.0001, and must be at least 0.00024414063 and at most 128.0
        add_shapes: node "QLinearAdd_10" (op QLinearAdd, domain com.microsoft): both sides must have the same shape or repeat along it, and one has: [1, 2, 8, 8]
        annotation: the model uses quantisation annotations, which is not admitted
        approximate_gelu: node "Gelu_5" (op Gelu, domain ai.onnx): attribute "approximate": must be none
        archive: the file is not ONNX: a field has number 0
        attribute_of_other_type: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): attribute "strides": must be at most 64 integers
        attribute_twice: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): attribute "kernel_shape": is given twice
        bias_of_other_length: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): operand bias: must have one element per output channel
        bias_scale: node "Conv_13" (op Conv, domain ai.onnx): the bias has scale 1.9038333e-5, and the products have 1.7307575e-5
        cast_to_double: node "Cast_1" (op Cast, domain ai.onnx): attribute "to": must be float, uint8, int8, int32 or int64
        chain_divided_by_zero: node "Div_5" (op Div, domain ai.onnx): operand B: must not be 0 or next to it
        chain_too_far: node "Mul_5" (op Mul, domain ai.onnx): operand B: makes results larger than 2^120
        chain_without_end: output "v5": it is computed in float: no QuantizeLinear follows
        channels_last: node "QLinearGlobalAveragePool_14" (op QLinearGlobalAveragePool, domain com.microsoft): attribute "channels_last": must be 0
        clip_between_steps: node "GlobalAveragePool_8" (op GlobalAveragePool, domain ai.onnx): operand X: is clipped between two steps of its scale; quantise it
        concat_of_other_axis: node "Concat_1" (op Concat, domain ai.onnx): attribute "axis": must be one of the tensor's dimensions
        constant_out_of_range: constant "c2": an element does not fit its type
        constant_twice: two values of the graph have the name "c1"
        constant_with_text: node "Constant_1" (op Constant, domain ai.onnx): attribute "value": is left out; other forms are not read
        cut_off: the file is not ONNX: a field is longer than the message around it
        cycle: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): it reads "v14", which is computed only afterwards: the graph has a cycle or is not sorted
        denormal_scale: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): scale of the weights is 1e-42, and must be at least 5.421011e-20 and at most 1.8446744e19
        depth_to_parts: node "DepthToSpace_1" (op DepthToSpace, domain ai.onnx): the channels are not whole blocks: [1, 3, 8, 8]
        div_of_integers: node "Div_1" (op Div, domain ai.onnx): operand B: must be a constant without 0
        double_scale: constant "c1": element type 11 of ONNX is not read; float, uint8, int8, int32 and int64 are
        dynamic_batch: input "image": its shape is not fixed
        dynamic_scales: node "DynamicQuantizeLinear_1" (op DynamicQuantizeLinear, domain ai.onnx): it works scales out while it runs, in float
        empty: manifest field onnx.size: must be 1 to 134217728 bytes
        escapes_in_names: node "�[2Jconv�" (op �[31mConv�, domain ai.onnx): this operator does not run here
        evil_conv: node "QLinearConv_9" (op Conv, domain evil): no operator of this domain runs here
        expand_to_other: node "Expand_2" (op Expand, domain ai.onnx): both sides must have the same shape or repeat along it, and one has: [1, 2, 8, 8]
        external_data: constant "c3": its data are not in the file
        external_path: constant "c3": its data are not in the file
        float_between: node "GlobalAveragePool_6" (op GlobalAveragePool, domain ai.onnx): operand X: is a float result; QuantizeLinear and DequantizeLinear must lie between
        float_bias: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): it computes in float, which differs between machines
        float_constant_bias: node "Conv_14" (op Conv, domain ai.onnx): it computes in float, which differs between machines
        float_conv: node "Conv_2" (op Conv, domain ai.onnx): it computes in float, which differs between machines
        float_image: node "Relu_1" (op Relu, domain ai.onnx): it computes in float, which differs between machines
        float_softmax: output "v5": it is computed in float: no QuantizeLinear follows
        float_tail: output "v5": it is computed in float: no QuantizeLinear follows
        float_weights: node "Conv_6" (op Conv, domain ai.onnx): it computes in float, which differs between machines
        function: the model uses functions, which is not admitted
        functions_of_channels: node "Erf_14" (op Erf, domain ai.onnx): it makes 147456 values of functions to compute, and at most 131987 are admitted
        gather_outside: node "Gather_2" (op Gather, domain ai.onnx): operand indices: must lie in the dimension
        group_zero: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): weights do not fit the input's channels and the groups: [4, 3, 3, 3]
        groups: the file is not ONNX: a field has a wire type that ONNX does not use
        half_float_constant: constant "c1": element type 10 of ONNX is not read; float, uint8, int8, int32 and int64 are
        hidden_dims: constant "c1": dimensions [0, 1099511627776, 1099511627776] are negative or too many
        huge_constant: constant "c1": dimensions [1073741824, 1073741824, 1073741824] are negative or too many
        huge_dims: input "image": shape [1099511627776, 1099511627776, 1099511627776, 1099511627776] is not [1, 3, 8, 8], which the manifest's pipeline makes
        huge_pads: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): attribute "pads": must be small and not negative, strides and kernels not zero
        image_of_half_floats: input "image": element type 10 of ONNX is not float, uint8 or int8
        image_of_int64: input "image": element type 7 of ONNX is not float, uint8 or int8
        infinite_scale: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): y_scale is inf, and must be at least 5.421011e-20 and at most 1.8446744e19
        infinite_slope: node "LeakyRelu_5" (op LeakyRelu, domain ai.onnx): attribute "alpha": must be finite
        kernel_of_other_shape: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): attribute "kernel_shape": must be the weights'
        large_multiplier: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): the multiplier is 510384.28, and must be at least 5.421011e-20 and at most 256.0
        large_result: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): its result or its working memory takes 403441280 bytes, and at most 67108864 are admitted
        long_constant: constant "c3": dimensions take 108 bytes and there are 109
        long_names: node "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn" (op QLinearConv, domain ai.onnx): it reads "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww", which is no input, no constant and no node's output
        matrix_depth: node "QLinearMatMul_8" (op QLinearMatMul, domain ai.onnx): the left side's rows are not as long as the right side's columns: [1, 3, 8, 8]
        missing_constant: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): it reads "c3", which is no input, no constant and no node's output
        moved_again_and_again: node "Transpose_70" (op Transpose, domain ai.onnx): it moves a float result that was moved 64 times already
        multiplications: output "v38": a tensor of shape [1, 128, 400, 400] is larger than 8388608 bytes
        name_of_the_image: two values of the graph have the name "image"
        name_twice: two values of the graph have the name "v9"
        nameless_output: node "QLinearGlobalAveragePool_14" (op QLinearGlobalAveragePool, domain com.microsoft): it reads "v9", which is no input, no constant and no node's output
        nan_scale: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): scale of the weights is NaN, and must be at least 5.421011e-20 and at most 1.8446744e19
        negative_constant_dims: constant "c3": dimensions [-4, 3, 3, 3] are negative or too many
        negative_pads: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): attribute "pads": must be small and not negative, strides and kernels not zero
        negative_scale: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): x_scale is -0.1, and must be at least 5.421011e-20 and at most 1.8446744e19
        new_opset: operator set ai.onnx has version 22, and versions 10 to 21 are admitted
        no_graph: the file is not ONNX: there is no graph
        no_input: input "": a model has one input beside its constants, not 0
        no_output: output "": a model has at least one output
        old_opset: operator set ai.onnx has version 9, and versions 10 to 21 are admitted
        opset_missing: node "QLinearGlobalAveragePool_14" (op QLinearGlobalAveragePool, domain com.microsoft): the model does not import the operator set of this domain
        opset_twice: operator set ai.onnx has version 0, and versions 10 to 21 are admitted
        other_power: node "Pow_6" (op Pow, domain ai.onnx): operand Y: must be 2, 3 or 0.5
        output_missing: output "nowhere": no node computes it
        output_twice: two values of the graph have the name "v14"
        overload: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): it names the overload "other"
        pad_reflect: node "Pad_2" (op Pad, domain ai.onnx): operand pads: must be smaller than what is reflected
        page: the file is not ONNX: a field has a wire type that ONNX does not use
        pointer: the file is not ONNX: a field has a wire type that ONNX does not use
        pool_ceil: node "QLinearAveragePool_5" (op QLinearAveragePool, domain com.microsoft): attribute "ceil_mode": must be 0 with count_include_pad, where the strides do not divide the input
        pool_of_sums: node "MaxPool_3" (op MaxPool, domain ai.onnx): operand X: must be of 8 bits; integers of 32 and 64 bits are moved, cast, compared and handed out
        pool_padding: node "MaxPool_1" (op MaxPool, domain ai.onnx): attribute "pads": must be smaller than the kernel and leave some input to every window
        positions: node "Slice_9" (op Slice, domain ai.onnx): these are too many positions to pick from: [1, 384000]
        product_accumulator: node "QLinearMatMul_9" (op QLinearMatMul, domain ai.onnx): sums of 38400 products could reach 2496960000, beyond 32 bits
        product_depth: node "QLinearMatMul_5" (op QLinearMatMul, domain ai.onnx): the left side's rows are not as long as the right side's columns: [1, 3, 8, 8]
        rank_of_nine: node "Reshape_2" (op Reshape, domain ai.onnx): a shape has up to eight dimensions, none of them 0: [1, 1, 1, 1, 1, 1, 1, 1, 192]
        relu_u8: node "Relu_1" (op Relu, domain ai.onnx): operand X: must be int8 or dequantised
        reshape_computed: node "Reshape_1" (op Reshape, domain ai.onnx): operand shape: must be a constant
        reshape_other_count: node "Reshape_2" (op Reshape, domain ai.onnx): the shape has another number of elements: [1, 7]
        resize_cubic: node "Resize_2" (op Resize, domain ai.onnx): attribute "mode": must be nearest or linear
        resize_to_nothing: node "Resize_2" (op Resize, domain ai.onnx): operand scales: must have a sensible number for each dimension
        root_of_negatives: node "Sqrt_5" (op Sqrt, domain ai.onnx): operand X: has values for which this is no number
        scale_computed: node "first" (op Relu, domain ai.onnx): it computes in float, which differs between machines
        scale_in_a_matrix: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): operand scale of the weights: must be a number or a list of numbers
        scale_in_integers: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): operand x_scale: must be float
        scale_of_one_channel: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): scale of the weights is 0.0, and must be at least 5.421011e-20 and at most 1.8446744e19
        scales_of_other_length: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): operand w_scale: must have one element, or one per output channel
        self_reading: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): it reads "v9", which is computed only afterwards: the graph has a cycle or is not sorted
        short_constant: constant "c3": dimensions take 108 bytes and there are 1
        signal_with_four_pads: node "QLinearConv_11" (op QLinearConv, domain ai.onnx): attribute "pads": must have two elements
        signal_with_planes_of_weights: node "QLinearConv_11" (op QLinearConv, domain ai.onnx): the weights' dimensions must be as many as the input's: [2, 8, 3, 1]
        signal_with_two_strides: node "QLinearConv_11" (op QLinearConv, domain ai.onnx): attribute "strides": must have one element
        sine: node "Sin_5" (op Sin, domain ai.onnx): it computes in float, which differs between machines
        slice_of_nothing: node "Slice_4" (op Slice, domain ai.onnx): the slice takes nothing, or its step is 0: [1, 3, 8, 8]
        sparse_constant: the model uses sparse constants, which is not admitted
        split_unevenly: node "Split_1" (op Split, domain ai.onnx): operand split: must divide the dimension among the outputs
        subgraph: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): attribute "body": must be numbers, text or a tensor, not a graph
        sums_too_deep: node "MatMulInteger_6" (op MatMulInteger, domain ai.onnx): sums of 34560 products could reach 2247264000, beyond 32 bits
        three_dimensions: node "QLinearConv_11" (op QLinearConv, domain ai.onnx): weights must be [o, c, h, w], or [o, c, l]: [2, 3, 1, 1, 1]
        tiny_scale: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): y_scale is 1e-30, and must be at least 5.421011e-20 and at most 1.8446744e19
        too_many_inputs: node "QLinearGlobalAveragePool_14" (op QLinearGlobalAveragePool, domain com.microsoft): operand inputs: are more than this operator has
        training: the model uses training information, which is not admitted
        training_mode: node "BatchNormalization_9" (op BatchNormalization, domain ai.onnx): attribute "training_mode": must be 0
        transpose_twice: node "Transpose_1" (op Transpose, domain ai.onnx): attribute "perm": must name each dimension once
        two_inputs: input "": a model has one input beside its constants, not 2
        two_outputs: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): it has 2 outputs, and one is computed here
        unknown_attribute: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): attribute "fast": is not known for this operator
        unknown_op: node "QLinearConv_9" (op QLinearTanh, domain ai.onnx): this operator does not run here
        unsorted: node "QLinearGlobalAveragePool_14" (op QLinearGlobalAveragePool, domain com.microsoft): it reads "v9", which is computed only afterwards: the graph has a cycle or is not sorted
        weights_computed: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): operand weights: must be a constant
        window_too_large: node "MaxPool_1" (op MaxPool, domain ai.onnx): the window is larger than the padded input: [1, 3, 8, 8]
        wrong_channels: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): weights do not fit the input's channels and the groups: [4, 2, 3, 3]
        wrong_shape: input "image": shape [1, 3, 8, 9] is not [1, 3, 8, 8], which the manifest's pipeline makes
        zero_of_other_type: node "ConvInteger_3" (op ConvInteger, domain ai.onnx): operand x_zero_point: must have its tensor's type
        zero_point_left_out: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): operand x_zero_point: is left out
        zero_point_of_other_type: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): operand x_zero_point: must have its tensor's type
        zero_scale: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): x_scale is 0.0, and must be at least 5.421011e-20 and at most 1.8446744e19
        zero_stride: node "QLinearConv_9" (op QLinearConv, domain ai.onnx): attribute "strides": must be small and not negative, strides and kernels not zero
    "#]].assert_eq(&sentences);
}

#[test]
fn a_hint_says_how_to_mend_it() {
    let mut hints = BTreeMap::<&str, String>::new();
    for path in common::vectors("refused") {
        let onnx = fs::read(path.join("model.onnx")).unwrap();
        let hint = admit(&onnx, &common::manifest(&onnx, [3, 8, 8], 4)).unwrap_err().hint();
        let names = hints.entry(hint).or_default();
        write!(names, " {}", path.file_name().unwrap().to_str().unwrap()).unwrap();
    }
    expect![[r#"
        SPEC.md lists the operators; fold the others away before quantising (onnxsim, quant_pre_process): escapes_in_names evil_conv unknown_op
        SPEC.md says what this operator takes; where the exporter writes it otherwise, let onnxsim or quant_pre_process rewrite it before quantising: approximate_gelu attribute_of_other_type attribute_twice bias_of_other_length cast_to_double chain_divided_by_zero chain_too_far channels_last concat_of_other_axis constant_with_text div_of_integers gather_outside huge_pads infinite_slope kernel_of_other_shape negative_pads other_power pad_reflect pool_ceil pool_of_sums pool_padding resize_cubic resize_to_nothing root_of_negatives scale_in_a_matrix scale_in_integers scales_of_other_length signal_with_four_pads signal_with_two_strides split_unevenly subgraph too_many_inputs training_mode transpose_twice two_outputs unknown_attribute zero_of_other_type zero_point_left_out zero_point_of_other_type zero_stride
        add the domain to the model's opset_import, com.microsoft with version 1: opset_missing
        calibrate again with data that reach this node: add_ratio denormal_scale infinite_scale large_multiplier nan_scale negative_scale scale_of_one_channel tiny_scale zero_scale
        end the graph with QuantizeLinear; leave softmax or sigmoid to the manifest's probability table: chain_without_end float_softmax float_tail
        export for an operator set between 10 and 21 (onnx.version_converter converts): new_opset old_opset opset_twice
        export the model again (onnx.checker finds such graphs): cycle long_names missing_constant nameless_output self_reading unsorted
        export the model again, as a binary ONNX file: archive cut_off groups no_graph page pointer
        export the plain inference graph, all in one file: annotation function sparse_constant training
        export the plain inference graph, without functions: overload
        export with fixed shapes and check the graph with onnx.checker: add_shapes depth_to_parts expand_to_other group_zero matrix_depth product_depth rank_of_nine reshape_other_count signal_with_planes_of_weights slice_of_nothing three_dimensions window_too_large wrong_channels
        fix the shape, the batch to 1 (onnxruntime.tools.make_dynamic_shape_fixed): dynamic_batch
        fold batch normalisation into the layer before, so that one function serves all channels: functions_of_channels
        give every value its own name (onnx.checker finds such graphs): constant_twice name_of_the_image name_twice output_twice
        let DequantizeLinear and QuantizeLinear stand around every operator: quantise the whole graph, leave no node out: clip_between_steps float_between relu_u8
        let constants be folded into the file (onnxsim, quant_pre_process): reshape_computed weights_computed
        let the graph take the manifest's image: float or uint8, one tensor: huge_dims image_of_half_floats image_of_int64 multiplications no_input two_inputs wrong_shape
        make the manifest anew for this file: empty
        name a tensor that a node computes as the graph's output (onnx.checker finds such graphs): no_output output_missing
        pick from smaller dimensions: let Slice, Split, Gather or Resize come before the tensor is flattened: positions
        quantise it before it is moved, or join the moves (onnxsim): moved_again_and_again
        quantise it with its neighbours (DequantizeLinear before, QuantizeLinear after); leave a final softmax or sigmoid out, the manifest's probability table does that: float_bias float_constant_bias float_conv float_image float_weights scale_computed sine
        quantise statically, with data to calibrate on (onnxruntime.quantization.quantize_static): dynamic_scales
        quantise the bias to int32 with the input's scale times the weight's: bias_scale
        split the layer, so that fewer products are summed: accumulator product_accumulator sums_too_deep
        store weights inside the file as float, uint8, int8, int32 or int64: constant_out_of_range double_scale external_data external_path half_float_constant hidden_dims huge_constant long_constant negative_constant_dims short_constant
        take a smaller input or a smaller model: large_result
    "#]]
    .assert_eq(&hints.iter().map(|(hint, names)| format!("{hint}:{names}\n")).collect::<String>());
}

#[test]
fn manifest_and_file_must_belong_together() {
    let case = case("conv_u8");
    let refused = |change: fn(&mut aceso_types::Manifest)| {
        let mut manifest = case.manifest.clone();
        change(&mut manifest);
        admit(&case.onnx, &manifest).unwrap_err().to_string()
    };
    let sentences = [
        refused(|m| m.onnx.size += 1),
        refused(|m| m.onnx.digest.0[0] ^= 1),
        refused(|m| m.output.labels.truncate(1)),
        refused(|m| m.output.findings[0].at_least = -1),
        refused(|m| m.pipeline.width = 8),
        refused(|m| m.pipeline.channels = aceso_types::manifest::Channels::Grey),
        refused(|m| m.pipeline.layout = aceso_types::manifest::Layout::Nhwc),
        refused(|m| m.pipeline.normalise = Some(vec![aceso_types::manifest::Normalise { mean: 0, deviation: 1 }; 3])),
        refused(|m| m.licence.clear()),
    ];
    expect![[r#"
        the ONNX file has 605 bytes, and the manifest says 606
        the ONNX file has digest b6b44886bfd3ede96019452497e6cc0407afe42eb1e65cf281fe4e4938be8d2c, and the manifest says b7b44886bfd3ede96019452497e6cc0407afe42eb1e65cf281fe4e4938be8d2c
        output "v12": it has 5 elements, and the manifest has 1 labels
        output "v12": finding "finding" asks for -1, which is no u8
        input "image": shape [1, 3, 9, 7] is not [1, 3, 9, 8], which the manifest's pipeline makes
        input "image": shape [1, 3, 9, 7] is not [1, 1, 9, 7], which the manifest's pipeline makes
        input "image": shape [1, 3, 9, 7] is not [1, 9, 7, 3], which the manifest's pipeline makes
        input "image": it takes integers, and the manifest normalises
        manifest field licence: must have 1 to 128 bytes"#]].assert_eq(&sentences.join("\n"));
}

#[test]
fn inputs_and_outputs_must_be_as_promised() {
    let case = case("conv_u8");
    let model = admit(&case.onnx, &case.manifest).unwrap();
    let tensor = |ty, dims: &[u32]| Tensor::zeros(ty, dims.to_vec()).unwrap();
    let right = tensor(ElementType::U8, &[1, 3, 9, 7]);
    assert!(model.run(std::slice::from_ref(&right)).is_ok());
    assert_eq!(model.run(&[]), Err(InferError::Count { want: 1, got: 0 }));
    assert_eq!(model.run(&[right.clone(), right]), Err(InferError::Count { want: 1, got: 2 }));
    assert!(matches!(model.run(&[tensor(ElementType::I8, &[1, 3, 9, 7])]), Err(InferError::Type { .. })));
    assert!(matches!(model.run(&[tensor(ElementType::U8, &[1, 3, 7, 9])]), Err(InferError::Shape { .. })));
    for output in [tensor(ElementType::I32, &[5]), tensor(ElementType::U8, &[4])] {
        assert!(matches!(answers(&case.manifest, &[output]), Err(InferError::Output { index: 0, .. })));
    }
}

/// Every prefix, and thousands of flipped bytes: a refusal or a model, never a panic, and never slow.
#[test]
fn damaged_files_do_no_harm() {
    let mut refused = 0;
    for name in ["conv_grouped", "qdq_mobile", "moves", "concat_scales"] {
        let case = case(name);
        let mut manifest = case.manifest;
        let mut attempt = |onnx: &[u8]| {
            manifest.onnx = aceso_types::manifest::Onnx::of(manifest.onnx.blob, onnx);
            match admit(onnx, &manifest) {
                Err(_) => refused += 1,
                // What is admitted also runs.
                Ok(model) => drop(model.run(&case.runs[0][..1]).unwrap()),
            }
        };
        (0..case.onnx.len()).step_by(7).for_each(|len| attempt(&case.onnx[..len]));
        let mut seed = 1u64;
        for _ in 0..2000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut onnx = case.onnx.clone();
            let at = usize::try_from(seed >> 33).unwrap() % onnx.len();
            onnx[at] ^= 1 << (seed >> 29 & 7);
            attempt(&onnx);
        }
    }
    expect!["6450"].assert_eq(&refused.to_string());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(5),
        ..ProptestConfig::default()
    })]

    /// Runs of bytes replaced, cut out or put in, in every graph that is admitted: a refusal with words, or a model
    /// that runs.
    #[test]
    fn spoiled_files_are_answered(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, prop::collection::vec(any::<u8>(), 0..12)), 1..4),
    ) {
        let case = which.get(&CASES);
        let (mut onnx, mut manifest) = (case.onnx.clone(), case.manifest.clone());
        for (at, cut, put) in edits {
            let at = at.index(onnx.len() + 1);
            let end = (at + cut).min(onnx.len());
            onnx.splice(at..end, put);
        }
        manifest.onnx = aceso_types::manifest::Onnx::of(manifest.onnx.blob, &onnx);
        match admit(&onnx, &manifest) {
            Err(refusal) => prop_assert!(!refusal.to_string().is_empty() && !refusal.hint().is_empty()),
            Ok(model) => drop(model.run(&case.runs[0][..1]).unwrap()),
        }
    }
}

/// A file of two-byte messages, which would decode to gigabytes.
#[test]
fn a_bomb_is_refused_before_it_is_decoded() {
    let mut onnx = vec![0x3a, 0x80, 0x80, 0x80, 0x08];
    onnx.extend([0x0a, 0x00].repeat(8 << 20));
    let begin = Instant::now();
    let refusal = admit(&onnx, &common::manifest(&onnx, [1, 8, 8], 4)).unwrap_err();
    assert!(matches!(refusal, ModelRefused::Bound { .. }), "{refusal}");
    assert!(begin.elapsed().as_secs() < 2);
}

static CASES: LazyLock<Vec<common::Case>> = LazyLock::new(common::cases);

fn case(name: &str) -> common::Case {
    common::cases().into_iter().find(|case| case.name == name).unwrap()
}
