//! Windows of convolutions and pools: kernel, strides, dilations, padding, and the output they give. Those over signals,
//! `[n, c, l]`, are windows over planes of one row.

use super::{compute::shape, node::Node};
use crate::{error::NodeFault, ir::Window};

/// Largest kernel, stride, dilation or padding along one side.
const SIDE_MAX: i64 = 4096;

/// The sides of each plane of a tensor of shape `[n, c, h, w]`, or of each signal of `[n, c, l]`.
pub(super) fn plane(dims: &[usize]) -> Result<[usize; 2], NodeFault> {
    match *dims {
        [_, _, length] => Ok([1, length]),
        [_, _, height, width] => Ok([height, width]),
        _ => Err(shape("the input must be planes, [n, c, h, w], or signals, [n, c, l]", dims)),
    }
}

/// The shape of what a window gives for an input of this shape.
pub(super) fn output(dims: &[usize], channels: usize, window: &Window) -> Vec<usize> {
    let batch = dims.first().copied().unwrap_or(1);
    let sides = window.output.iter().copied().skip(usize::from(dims.len() == 3));
    [batch, channels].into_iter().chain(sides).collect()
}

/// A window over the planes of a tensor; `kernel` is the weights' where there are some.
pub(super) fn window(node: &Node<'_>, dims: &[usize], kernel: Option<[usize; 2]>) -> Result<Window, NodeFault> {
    measured(node, dims, kernel).map(|(window, _)| window)
}

/// The window, and whether its last place ends within the padded input.
fn measured(node: &Node<'_>, dims: &[usize], kernel: Option<[usize; 2]>) -> Result<(Window, bool), NodeFault> {
    let input = plane(dims)?;
    let signal = dims.len() == 3;
    let pair = |name: &str, missing: Option<[usize; 2]>, least: i64| match node.attributes.ints(name)?.as_deref() {
        Some(&[a, b]) if !signal => Ok([side(name, a, least)?, side(name, b, least)?]),
        Some(&[only]) if signal => Ok([1, side(name, only, least)?]),
        Some(_) if signal => Err(fault(name, "must have one element")),
        Some(_) => Err(fault(name, "must have two elements")),
        None => missing.ok_or_else(|| fault(name, "is left out")),
    };
    let given = pair("kernel_shape", kernel, 1)?;
    if kernel.is_some_and(|kernel| kernel != given) {
        return Err(fault("kernel_shape", "must be the weights'"));
    }
    let stride = pair("strides", Some([1, 1]), 1)?;
    let dilation = pair("dilations", Some([1, 1]), 1)?;
    let extent = [0, 1].map(|d| (given[d] - 1) * dilation[d] + 1);
    let pads = padding(node, signal, input, extent, stride)?;
    // Only pools have it.
    let ceil = if kernel.is_none() { node.attributes.int("ceil_mode")?.unwrap_or(0) } else { 0 };

    let (mut output, mut exact) = ([0; 2], true);
    for d in [0, 1] {
        let room = (input[d] + pads[d] + pads[d + 2])
            .checked_sub(extent[d])
            .ok_or_else(|| shape("the window is larger than the padded input", dims))?;
        output[d] = room / stride[d] + 1;
        // One more window, unless it would begin behind the input.
        if ceil != 0 && room % stride[d] != 0 && output[d] * stride[d] < input[d] + pads[d] {
            output[d] += 1;
            exact = false;
        }
    }
    Ok((Window { kernel: given, stride, dilation, pad: [pads[0], pads[1]], input, output }, exact))
}

/// A pool's window: padding is smaller than the kernel, and no window lies in the padding alone. And whether the last
/// one ends within the padded input, as all do without `ceil_mode`.
pub(super) fn pool_window(node: &Node<'_>, dims: &[usize]) -> Result<(Window, bool), NodeFault> {
    let (window, exact) = measured(node, dims, None)?;
    let Window { kernel, stride, dilation, pad, input, output } = window;
    for d in [0, 1] {
        let reach = (output[d] - 1) * stride[d] + (kernel[d] - 1) * dilation[d] + 1;
        let after = reach.saturating_sub(pad[d] + input[d]);
        // A window that begins inside the input has an element there; of one that begins before it, this is the first
        // tap that is not in the padding.
        let first = |place: usize| {
            let before = pad[d] - place * stride[d];
            before.next_multiple_of(dilation[d]) - before
        };
        let mut early = (0..output[d]).take_while(|place| place * stride[d] < pad[d]);
        if pad[d].max(after) >= kernel[d] || early.any(|place| first(place) >= input[d]) {
            return Err(fault("pads", "must be smaller than the kernel and leave some input to every window"));
        }
    }
    Ok((window, exact))
}

/// Top, left, bottom, right.
fn padding(
    node: &Node<'_>,
    signal: bool,
    input: [usize; 2],
    extent: [usize; 2],
    stride: [usize; 2],
) -> Result<[usize; 4], NodeFault> {
    let given = node.attributes.ints("pads")?;
    let mode = node.attributes.text("auto_pad")?.unwrap_or("NOTSET");
    let same = |d: usize| {
        let wanted = input[d].div_ceil(stride[d]);
        ((wanted - 1) * stride[d] + extent[d]).saturating_sub(input[d])
    };
    match (mode, given.as_deref()) {
        ("NOTSET", None) | ("VALID", _) => Ok([0; 4]),
        ("NOTSET", Some(&[before, after])) if signal => Ok([0, side("pads", before, 0)?, 0, side("pads", after, 0)?]),
        ("NOTSET", Some(&[top, left, bottom, right])) if !signal => {
            let mut pads = [0; 4];
            for (pad, given) in pads.iter_mut().zip([top, left, bottom, right]) {
                *pad = side("pads", given, 0)?;
            }
            Ok(pads)
        }
        ("NOTSET", Some(_)) if signal => Err(fault("pads", "must have two elements")),
        ("NOTSET", Some(_)) => Err(fault("pads", "must have four elements")),
        ("SAME_UPPER", _) => {
            let [h, w] = [same(0), same(1)];
            Ok([h / 2, w / 2, h - h / 2, w - w / 2])
        }
        ("SAME_LOWER", _) => {
            let [h, w] = [same(0), same(1)];
            Ok([h - h / 2, w - w / 2, h / 2, w / 2])
        }
        _ => Err(fault("auto_pad", "must be NOTSET, VALID, SAME_UPPER or SAME_LOWER")),
    }
}

fn side(name: &str, value: i64, least: i64) -> Result<usize, NodeFault> {
    usize::try_from(value)
        .ok()
        .filter(|_| (least..=SIDE_MAX).contains(&value))
        .ok_or_else(|| fault(name, "must be small and not negative, strides and kernels not zero"))
}

fn fault(attribute: &str, reason: &'static str) -> NodeFault {
    NodeFault::Attribute { attribute: attribute.into(), reason }
}
