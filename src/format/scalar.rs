//! What a plain scalar means: the core schema of YAML 1.2, as `serde_yaml` reads it.

pub(super) fn is_null(text: &str) -> bool {
    matches!(text, "null" | "Null" | "NULL" | "~")
}

pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// Reads a whole number: whether it is negative, and its size. Digits after a leading
/// zero are text, as in a phone number.
pub(super) fn whole(text: &str) -> Option<(bool, u128)> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x', ..] => (16, &digits[2..]),
        [b'0', b'o', ..] => (8, &digits[2..]),
        [b'0', b'b', ..] => (2, &digits[2..]),
        [b'0', _, ..] => return None,
        _ => (10, digits),
    };
    let is_signed_again = digits.starts_with(['+', '-']);
    let size = u128::from_str_radix(digits, radix).ok();
    size.filter(|_| !is_signed_again)
        .map(|size| (negative, size))
}

pub(super) fn unsigned(text: &str) -> Option<u128> {
    whole(text).and_then(|(negative, size)| (!negative).then_some(size))
}

pub(super) fn signed(text: &str) -> Option<i128> {
    match whole(text)? {
        (true, size) => 0_i128.checked_sub_unsigned(size),
        (false, size) => i128::try_from(size).ok(),
    }
}

/// Reads a number where one is asked for.
pub(super) fn fraction(text: &str) -> Option<f64> {
    match text {
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Some(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Some(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Some(f64::NAN),
        _ => {}
    }
    // `inf` and `nan` are names.
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Returns whether a text is a number with a fraction where nobody asked for a number.
pub(super) fn is_fraction(text: &str) -> bool {
    !is_phone_number(text) && fraction(text).is_some()
}

/// Returns whether a text is a number that is too large to be read as one.
pub(super) fn is_out_of_range(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_whole = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse::<f64>().ok();
    let is_infinite = number.is_some_and(f64::is_infinite) && digits.starts_with(char::is_numeric);
    (is_whole && !is_phone_number(text) && whole(text).is_none()) || is_infinite
}

fn is_phone_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit())
}

/// Returns whether a plain scalar is a string: no null, no boolean, no number.
pub(super) fn is_string(text: &str) -> bool {
    // Most keys are names, and this is asked of every key.
    let may_be_more = |first: u8| {
        matches!(
            first,
            b'0'..=b'9' | b'+' | b'-' | b'.' | b'~' | b't' | b'T' | b'f' | b'F' | b'n' | b'N'
        )
    };
    match text.as_bytes().first() {
        None => false,
        Some(first) if !may_be_more(*first) => true,
        Some(_) => {
            !is_null(text) && boolean(text).is_none() && whole(text).is_none() && !is_fraction(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_what_serde_yaml_makes_of_them() {
        for (text, expected) in [
            ("0", Some((false, 0))),
            ("-12", Some((true, 12))),
            ("+12", Some((false, 12))),
            ("0x1F", Some((false, 31))),
            ("-0o17", Some((true, 15))),
            ("0b101", Some((false, 5))),
            ("007", None),
            ("0x", None),
            ("+-1", None),
            ("1_000", None),
            ("", None),
        ] {
            assert_eq!(whole(text), expected, "{text}");
        }
        assert_eq!(
            signed("-170141183460469231731687303715884105728"),
            Some(i128::MIN)
        );
        assert_eq!(unsigned("-1"), None);
        for text in [
            "a", "007", "+007", "1.2.3", "inf", "e5", "tru", "-", ".", "0x1F.5",
        ] {
            assert!(is_string(text), "{text}");
        }
        for text in [
            "", "~", "null", "True", "1", "1.5", "1e3", ".5", ".inf", "-.INF", ".nan",
        ] {
            assert!(!is_string(text), "{text}");
        }
        assert!(is_out_of_range(&"9".repeat(40)) && is_out_of_range("1e999"));
        assert!(!is_out_of_range("1.2.3") && !is_out_of_range("0123") && !is_out_of_range("x"));
    }
}
