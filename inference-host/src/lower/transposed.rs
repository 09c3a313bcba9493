//! ConvTranspose as a convolution: each output is a sum over the taps that reach it, and which these are depends on its
//! place modulo the stride. So one convolution computes all of these phases as channels of their own, with the weights
//! of a phase side by side, and its results are put between each other. Where the stride does not divide the kernel, taps
//! are filled up with weights that stand for zero. A signal, `[n, c, l]`, is a plane of one row.

use std::sync::Arc;

use super::{
    builder::{Builder, check_places},
    compute::{Compute, shape},
    node::Node,
    qdq::pending,
    value::{Value, Weights},
};
use crate::{
    error::{NodeFault, Site},
    formula,
    ir::Window,
    onnx::constant::{Constant, Data},
};

/// Largest stride, kernel or padding along one side.
const SIDE_MAX: i64 = 64;

/// ConvTranspose(X, W, B?), with weights `[c, o / groups, kh, kw]` or `[c, o / groups, k]`.
pub(super) fn conv_transpose(node: &Node<'_>, builder: &mut Builder, site: Site) -> Result<Value, NodeFault> {
    node.at_most(3)?;
    let x = node.operand(builder, 0, "X")?;
    let weights = node.real_weights(1, 1)?;
    let bias = node.real_bias(2, x.scale, &weights)?;
    let groups = node.attributes.int("group")?.unwrap_or(1);
    let (batch, input, inputs, outputs, kernel, channels) = match (builder.dims(x.id), &weights.source.dims[..]) {
        (&[batch, channels, height, width], &[inputs, outputs, kh, kw]) => {
            (batch, [height, width], inputs, outputs, [kh, kw], channels)
        }
        (&[batch, channels, length], &[inputs, outputs, k]) => (batch, [1, length], inputs, outputs, [1, k], channels),
        _ => return Err(shape("convolutions are of planes or signals", &weights.source.dims)),
    };
    let signal = weights.source.dims.len() == 3;
    let groups = usize::try_from(groups).ok().filter(|&groups| groups > 0 && inputs % groups == 0);
    let Some(groups) = groups.filter(|_| inputs == channels && outputs > 0) else {
        return Err(shape("weights do not fit the input's channels and the groups", &weights.source.dims));
    };
    let [stride, before, size] = geometry(node, signal, kernel, input)?;
    let taps = [0, 1].map(|d| kernel[d].div_ceil(stride[d]));
    let rows = groups * stride[0] * stride[1] * outputs;
    // Weights, and scale, zero point and bias of each row.
    builder.hold((rows * ((inputs / groups) * taps[0] * taps[1] + 12)) as u64)?;
    let phases = phases(&weights, groups, kernel, stride, taps)?;

    // Per output channel of the file, `[groups, outputs]`; of the convolution, `[groups, phases, outputs]`.
    let each = |row: usize| row / (stride[0] * stride[1] * outputs) * outputs + row % outputs;
    let spread = |len: usize| len > 1;
    let scales = if spread(weights.scales.len()) && weights.scales.len() == outputs {
        (0..rows).map(|row| weights.scales[row % outputs]).collect()
    } else {
        weights.scales.clone()
    };
    let zeros = if spread(weights.zeros.len()) {
        (0..rows).map(|row| weights.zeros[row % outputs]).collect()
    } else {
        weights.zeros.clone()
    };
    check_places(&[batch, groups * outputs, size[0], size[1]])?;
    let bias = match bias.len() {
        0 => Vec::new(),
        len if len == groups * outputs => (0..rows).map(|row| bias[each(row)]).collect(),
        _ => return Err(NodeFault::Operand { operand: "bias", reason: "must have one element per output channel" }),
    };
    let reach = [0, 1].map(|d| input[d] + taps[d] - 1);
    let window =
        Window { kernel: taps, stride: [1; 2], dilation: [1; 2], pad: taps.map(|t| t - 1), input, output: reach };
    let inner = Compute::conv(builder, x, Weights { source: Arc::new(phases), scales, zeros }, bias, window, groups)?;
    let interleaved = move |builder: &mut Builder, id: usize| {
        let split = vec![batch * groups, stride[0], stride[1], outputs, reach[0], reach[1]];
        let id = builder.view(id, split)?;
        let id = builder.transpose(id, &[0, 3, 4, 1, 5, 2])?;
        let whole = [0, 1].map(|d| reach[d] * stride[d]);
        let id = builder.view(id, vec![batch, groups * outputs, whole[0], whole[1]])?;
        let part = |d: usize| (before[d]..before[d] + size[d]).collect::<Vec<_>>();
        // What lies beyond the last tap is nothing but the bias, which is what ONNX has there too.
        let id = builder.pick(id, vec![(0..batch).collect(), (0..groups * outputs).collect(), part(0), part(1)])?;
        if signal { builder.view(id, vec![batch, groups * outputs, size[1]]) } else { Ok(id) }
    };
    Ok(pending(site, inner.then(interleaved)))
}

/// Strides, what is cut off above and to the left, and the size of the output.
fn geometry(
    node: &Node<'_>,
    signal: bool,
    kernel: [usize; 2],
    input: [usize; 2],
) -> Result<[[usize; 2]; 3], NodeFault> {
    let fault = |attribute: &str, reason| NodeFault::Attribute { attribute: attribute.into(), reason };
    // For a signal as if it were a plane: `row` is what its one row has.
    let ints = |name: &str, row: i64| {
        let given = node.attributes.ints(name)?;
        let along =
            |given: Vec<i64>| if signal { given.into_iter().flat_map(|along| [row, along]).collect() } else { given };
        Ok::<_, NodeFault>(given.map(along))
    };
    let side = |name: &str, given: i64, least: i64| {
        let fits = (least..=SIDE_MAX).contains(&given);
        usize::try_from(given).ok().filter(|_| fits).ok_or_else(|| fault(name, "is out of range"))
    };
    let pair = |name: &str, missing: usize, least: i64| match ints(name, least)?.as_deref() {
        None => Ok([missing; 2]),
        Some(&[a, b]) => Ok([side(name, a, least)?, side(name, b, least)?]),
        Some(_) => Err(fault(name, "must have one element for each side")),
    };
    if pair("dilations", 1, 1)? != [1, 1] {
        return Err(fault("dilations", "must be 1"));
    }
    if ints("kernel_shape", 1)?.is_some_and(|given| !given.iter().copied().eq(kernel.map(|k| k as i64))) {
        return Err(fault("kernel_shape", "must be the weights'"));
    }
    let stride = pair("strides", 1, 1)?;
    let more = pair("output_padding", 0, 0)?;
    if kernel.iter().any(|&k| k == 0 || k as u64 > SIDE_MAX.unsigned_abs()) || (0..2).any(|d| more[d] >= stride[d]) {
        return Err(fault("output_padding", "must be smaller than the strides, and the kernel up to 64"));
    }
    let full = [0, 1].map(|d| (input[d] - 1) * stride[d] + kernel[d] + more[d]);
    let wanted = match ints("output_shape", 1)?.as_deref() {
        None => None,
        Some(&[h, w]) => Some([side("output_shape", h, 1).or(large(h)), side("output_shape", w, 1).or(large(w))]),
        Some(_) => return Err(fault("output_shape", "must have one element for each side")),
    };
    let mode = node.attributes.text("auto_pad")?.unwrap_or("NOTSET");
    let pads = ints("pads", 0)?;
    let (mut before, mut size) = ([0; 2], [0; 2]);
    for d in [0, 1] {
        let wanted = match (&wanted, mode) {
            (Some(wanted), _) => Some(wanted[d].clone()?),
            (None, "SAME_UPPER" | "SAME_LOWER") => Some(input[d] * stride[d]),
            _ => None,
        };
        let cut = match (wanted, pads.as_deref()) {
            (Some(wanted), _) => {
                let all =
                    full[d].checked_sub(wanted).ok_or_else(|| fault("output_shape", "is larger than the result"))?;
                // ONNX's rule, which is the reverse of a convolution's.
                let first = if mode == "SAME_UPPER" { all / 2 } else { all - all / 2 };
                [first, all - first]
            }
            (None, None) => [0, 0],
            (None, Some(&[top, left, bottom, right])) if mode == "NOTSET" => {
                let own = if d == 0 { [top, bottom] } else { [left, right] };
                [side("pads", own[0], 0)?, side("pads", own[1], 0)?]
            }
            _ => return Err(fault("pads", "must have two elements for each side, and no auto_pad beside them")),
        };
        before[d] = cut[0];
        size[d] = full[d]
            .checked_sub(cut[0] + cut[1])
            .filter(|&size| size > 0)
            .ok_or_else(|| fault("pads", "leave nothing"))?;
        // The convolution below computes so many places.
        let computed = (input[d] + kernel[d].div_ceil(stride[d]) - 1) * stride[d];
        if before[d] + size[d] > computed {
            return Err(fault("output_padding", "reaches beyond all taps"));
        }
    }
    if !matches!(mode, "NOTSET" | "VALID" | "SAME_UPPER" | "SAME_LOWER") {
        return Err(fault("auto_pad", "is none of ONNX's four"));
    }
    Ok([stride, before, size])
}

/// An output may be larger than kernels are.
fn large(given: i64) -> Result<usize, NodeFault> {
    let fault = || NodeFault::Attribute { attribute: "output_shape".into(), reason: "is out of range" };
    usize::try_from(given).ok().filter(|side| (1..=1 << 16).contains(side)).ok_or_else(fault)
}

/// `[groups, stride, stride, o / groups]` rows of `[c / groups, taps, taps]`: tap `t` of phase `p` is tap
/// `p + stride · (taps − 1 − t)` of the file, because a convolution walks the other way.
fn phases(
    weights: &Weights,
    groups: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    taps: [usize; 2],
) -> Result<Constant, NodeFault> {
    let Data::Byte { signed, bytes } = &weights.source.data else {
        return Err(NodeFault::Operand { operand: "weights", reason: "must be uint8 or int8" });
    };
    let (inputs, outputs) = (weights.source.dims[0] / groups, weights.source.dims[1]);
    let per_output = weights.zeros.len() > 1;
    if per_output && weights.zeros.len() != outputs {
        return Err(NodeFault::Operand {
            operand: "zero point of the weights",
            reason: "must be one per output channel",
        });
    }
    let rows = groups * stride[0] * stride[1] * outputs;
    let mut data = Vec::with_capacity(rows * inputs * taps[0] * taps[1]);
    for row in 0..rows {
        let (output, rest) = (row % outputs, row / outputs);
        let (column, rest) = (rest % stride[1], rest / stride[1]);
        let (line, group) = (rest % stride[0], rest / stride[0]);
        let zero = formula::byte(weights.zeros[if per_output { output } else { 0 }]);
        for (input, down, right) in
            (0..inputs).flat_map(|i| (0..taps[0]).flat_map(move |d| (0..taps[1]).map(move |r| (i, d, r))))
        {
            let (y, x) = (line + stride[0] * (taps[0] - 1 - down), column + stride[1] * (taps[1] - 1 - right));
            let at = (((group * inputs + input) * outputs + output) * kernel[0] + y) * kernel[1] + x;
            data.push(if y < kernel[0] && x < kernel[1] { bytes[at] } else { zero });
        }
    }
    Ok(Constant { dims: vec![rows, inputs, taps[0], taps[1]], data: Data::Byte { signed: *signed, bytes: data } })
}
