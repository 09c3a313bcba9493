//! Functions of real numbers that no processor computes the same way as another: in integers.
//!
//! `exp` is a Taylor series in fixed point, the others are made of it. They are the values of tables that are computed
//! once, at admission, so they may be slow. SPEC.md ("Functions") writes each step down; what they give is within
//! 2^−38 of the real function, and the tests hold their digests.

/// `ln 2` with 120 bits after the point.
const LN2: i128 = 921_350_637_599_661_305_226_344_307_672_478_454;
/// `2 / √π` with 44 bits after the point.
const TWO_BY_ROOT_PI: u128 = 19_850_656_236_187;
/// One with 62 and with 44 bits after the point.
const ONE: u64 = 1 << 62;
const ONE_44: u128 = 1 << 44;

/// `mantissa · 2^(exponent − 62)` with a mantissa from 2^62 to 2^63.
#[derive(Clone, Copy)]
struct Power {
    mantissa: u64,
    exponent: i32,
}

impl Power {
    /// With 62 bits after the point, cut off; for at most 1.
    fn fixed(self) -> u64 {
        let down = self.exponent.unsigned_abs();
        if down > 63 { 0 } else { self.mantissa >> down }
    }
}

/// `e^x`, where `x` has 120 bits after the point.
fn power(x: i128) -> Power {
    let exponent = x.div_euclid(LN2);
    // Below ln 2, so 62 bits are left of it.
    let rest = unsigned(x.rem_euclid(LN2) >> 58);
    let (mut sum, mut term) = (u128::from(ONE), u128::from(ONE));
    for n in 1..=32u32 {
        term = ((term * rest) >> 62) / u128::from(n);
        sum += term;
    }
    let exponent = i32::try_from(exponent).unwrap_or(i32::MAX);
    // Cut-off errors only make it smaller, so it stays below 2.
    Power { mantissa: u64::try_from(sum).unwrap_or(u64::MAX), exponent }
}

fn unsigned(value: i128) -> u128 {
    value.unsigned_abs()
}

/// `value` with so many bits after the point, cut off towards minus infinity; |value| is below 2^(127 − bits).
fn fixed(value: f32, bits: u32) -> i128 {
    let raw = value.to_bits();
    let (exponent, fraction) = (raw >> 23 & 0xff, i128::from(raw & 0x7f_ffff));
    let (mantissa, exponent) = if exponent == 0 { (fraction, 1) } else { (fraction | 1 << 23, exponent) };
    let signed = if value.is_sign_negative() { -mantissa } else { mantissa };
    // value = signed · 2^(exponent − 150)
    let shift = i64::from(exponent) - 150 + i64::from(bits);
    if shift >= 0 { signed << shift.min(103) } else { signed >> (-shift).min(127) }
}

/// `numerator / 2^62 · 2^exponent`, rounded to f32; zero below the least normal number.
#[allow(clippy::cast_precision_loss, reason = "the rounding is meant")]
fn scaled(numerator: u64, exponent: i32) -> f32 {
    let least = 63 - i32::try_from(numerator.leading_zeros()).unwrap_or(0) - 62 + exponent;
    if numerator == 0 || least < -126 {
        return 0.0;
    }
    // Both factors are powers of two that f32 has, and so are the steps between.
    let half = exponent / 2;
    numerator as f32 * two(-62) * two(half) * two(exponent - half)
}

/// `2^n` for n from −126 to 127.
fn two(n: i32) -> f32 {
    f32::from_bits((n.clamp(-126, 127) + 127).unsigned_abs() << 23)
}

/// `e^x`; infinity above 88.72, zero where it is below the least normal number.
pub(crate) fn exp(x: f32) -> f32 {
    if x > 88.72 {
        f32::INFINITY
    } else if x < -88.0 {
        0.0
    } else {
        let Power { mantissa, exponent } = power(fixed(x, 120));
        scaled(mantissa, exponent)
    }
}

/// `2^30 · e^−x` for `x ≥ 0` in f32, rounded down: the weights of softmax.
pub(crate) fn softmax_weight(x: f32) -> u32 {
    if x > 32.0 {
        return 0;
    }
    u32::try_from(power(-fixed(x, 120)).fixed() >> 32).unwrap_or(0)
}

/// `1 / (1 + e^−x)`.
pub(crate) fn sigmoid(x: f32) -> f32 {
    if x < -88.0 {
        return 0.0;
    }
    let e = power(-fixed(x.abs().min(88.0), 120));
    let below = u128::from(ONE) + u128::from(e.fixed());
    let (above, exponent) = if x < 0.0 { (e.mantissa, e.exponent) } else { (ONE, 0) };
    scaled(quotient(u128::from(above), below), exponent)
}

/// `(1 − e^−2|x|) / (1 + e^−2|x|)`, with the sign of `x`.
pub(crate) fn tanh(x: f32) -> f32 {
    let e = power(-fixed((2.0 * x.abs()).min(88.0), 120)).fixed();
    let value = scaled(quotient(u128::from(ONE - e.min(ONE)), u128::from(ONE) + u128::from(e)), 0);
    if x < 0.0 { -value } else { value }
}

/// `above / below` with 62 bits after the point, cut off; both have 62, and the quotient is below 2.
fn quotient(above: u128, below: u128) -> u64 {
    u64::try_from((above << 62) / below).unwrap_or(u64::MAX)
}

/// The error function: `2/√π · e^−x² · Σ x·(2x²)^n / (1·3·5·…·(2n + 1))`.
#[allow(clippy::cast_precision_loss, reason = "the rounding is meant")]
pub(crate) fn erf(x: f32) -> f32 {
    let value = if x.abs() >= 4.0 {
        1.0
    } else {
        let a = unsigned(fixed(x.abs(), 44));
        let square = (a * a) >> 44;
        let (mut sum, mut term) = (a, a);
        for n in 1..=120u128 {
            term = ((term * (2 * square)) >> 44) / (2 * n + 1);
            sum += term;
        }
        let e = power(-i128::try_from(square << 76).unwrap_or(0)).fixed() >> 18;
        let value = (((sum * u128::from(e)) >> 44) * TWO_BY_ROOT_PI) >> 44;
        value.min(ONE_44) as f32 * two(-44)
    };
    if x < 0.0 { -value } else { value }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    /// 20,001 arguments from −10 to 10, and what lies far outside.
    fn arguments() -> Vec<f32> {
        let near = (-10_000i16..=10_000).map(|step| f32::from(step) / 1000.0);
        let far = [1e-30, 1e-10, 1e-5, 50.0, 87.9, 88.0, 88.7, 89.0, 104.0, 1e6, f32::MAX];
        near.chain(far.into_iter().flat_map(|x| [x, -x])).collect()
    }

    fn digest(function: impl Fn(f32) -> f32) -> String {
        let bytes: Vec<u8> = arguments().into_iter().flat_map(|x| function(x).to_bits().to_le_bytes()).collect();
        Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn values_do_not_change() {
        let weights = |x: f32| f32::from_bits(softmax_weight(x.abs()));
        expect_test::expect![[r#"
            exp db4dc2c0fed4603c
            sigmoid 8783e3c874b64925
            tanh 3cefd1d71c181f6b
            erf cf8ff3dcb4097e36
            weights 5fbd2e9d6a50fb01"#]]
        .assert_eq(&format!(
            "exp {}\nsigmoid {}\ntanh {}\nerf {}\nweights {}",
            digest(exp),
            digest(sigmoid),
            digest(tanh),
            digest(erf),
            digest(weights)
        ));
    }

    /// The standard library's functions are good to some units of the last place of f64.
    #[test]
    fn values_are_those_of_the_functions() {
        let close = |name: &str, x: f32, got: f32, want: f64| {
            let error = (f64::from(got) - want).abs();
            // Half a unit of the last place, and a little; or what fixed points cut off.
            assert!(error <= want.abs() * 6.0e-8 + 1e-11, "{name}({x}) = {got}, not {want}");
        };
        for x in arguments() {
            let wide = f64::from(x);
            if (-87.0..=88.7).contains(&x) {
                close("exp", x, exp(x), wide.exp());
            }
            close("sigmoid", x, sigmoid(x), 1.0 / (1.0 + (-wide).exp()));
            close("tanh", x, tanh(x), wide.tanh());
            let weight = f64::from(softmax_weight(x.abs()));
            let want = (-wide.abs()).exp() * f64::from(1 << 30);
            assert!(weight <= want && weight > want - 1.001, "{x}: {weight}, not {want}");
        }
        assert_eq!((exp(0.0), sigmoid(0.0), tanh(0.0), erf(0.0)), (1.0, 0.5, 0.0, 0.0));
        assert_eq!((exp(200.0), exp(-200.0), sigmoid(200.0), sigmoid(-200.0)), (f32::INFINITY, 0.0, 1.0, 0.0));
        assert_eq!((tanh(-50.0), erf(-4.5), softmax_weight(0.0)), (-1.0, -1.0, 1 << 30));
    }

    /// Abramowitz and Stegun, table 7.1.
    #[test]
    fn the_error_function_is_that_of_the_tables() {
        for (x, want) in [
            (0.1f32, 0.112_462_916_0f64),
            (0.5, 0.520_499_877_8),
            (1.0, 0.842_700_792_9),
            (1.5, 0.966_105_146_5),
            (2.0, 0.995_322_265_0),
            (3.0, 0.999_977_909_5),
            (3.5, 0.999_999_256_9),
        ] {
            assert!((f64::from(erf(x)) - want).abs() < 7e-8, "erf({x}) = {}", erf(x));
            assert_eq!(erf(-x).to_bits(), (-erf(x)).to_bits());
        }
    }
}
