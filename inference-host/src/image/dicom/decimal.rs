//! Decimal strings (VR DS, PS3.5 section 6.2) as exact millionths.

/// Most characters of one decimal string.
const CHARS_MAX: usize = 16;
/// Largest magnitude, in units, that is read.
const UNITS_MAX: i128 = 1_000_000_000;
const MICRO_DIGITS: i32 = 6;

/// The number in millionths; none where it is not a decimal string, is finer than that, or exceeds 10⁹.
pub(super) fn micro(text: &str) -> Option<i64> {
    let text = text.trim_matches(' ');
    if text.len() > CHARS_MAX {
        return None;
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let all = [whole, part].concat();
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: i128 = all.parse().ok()?;
    if value == 0 {
        return Some(0);
    }
    let shift = exponent.checked_sub(i32::try_from(part.len()).ok()?)?.checked_add(MICRO_DIGITS)?;
    let power = 10_i128.checked_pow(shift.unsigned_abs())?;
    let scaled = if shift >= 0 {
        value.checked_mul(power)?
    } else if value % power == 0 {
        value / power
    } else {
        return None;
    };
    if scaled > UNITS_MAX * 1_000_000 {
        return None;
    }
    i64::try_from(if negative { -scaled } else { scaled }).ok()
}

#[cfg(test)]
mod tests {
    use super::micro;

    #[test]
    fn numbers_are_exact() {
        for (text, value) in [
            ("0", 0),
            (" 40 ", 40_000_000),
            ("-1024", -1_024_000_000),
            ("+1.5", 1_500_000),
            ("127.5", 127_500_000),
            ("1.000000", 1_000_000),
            (".000001", 1),
            ("1.", 1_000_000),
            ("4E2", 400_000_000),
            ("2.5e-1", 250_000),
            ("1000000000", 1_000_000_000_000_000),
            ("0e99", 0),
        ] {
            assert_eq!(micro(text), Some(value), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            " ",
            ".",
            "-",
            "e",
            "1e",
            "--1",
            "1,5",
            "0x10",
            "1 2",
            "0.0000001",
            "1e99",
            "1000000001",
            "1e-7",
            "NaN",
            "inf",
            "12345678901234567",
            "1.5.2",
            "1e+-2",
            "\u{661}",
        ] {
            assert_eq!(micro(text), None, "{text}");
        }
    }
}
