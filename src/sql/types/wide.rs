//! Decimals as numbers and texts: how one is stored that has more than 18 digits, and how one is written.

/// The stored form of a value of a wide type.
pub(in crate::sql) fn packed(value: i128) -> String {
    format!("{:032x}", value.cast_unsigned() ^ (1 << 127))
}

/// The value of a stored form.
pub(in crate::sql) fn unpacked(text: &str) -> Option<i128> {
    u128::from_str_radix(text, 16).ok().map(|bits| (bits ^ (1 << 127)).cast_signed())
}

/// The nearest double.
pub(in crate::sql) fn double(value: i128, scale: u8) -> f64 {
    show(value, scale).parse().unwrap_or(f64::NAN)
}

/// Writes a number with as many digits after the point as the type has.
pub(in crate::sql) fn show(value: i128, scale: u8) -> String {
    let scale = usize::from(scale);
    let digits = format!("{:0width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if value < 0 { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}
