//! Counts, sizes and spans of time for people.

use std::time::Duration;

/// `1234567` → `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 object`, `2 objects`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// `1536` → `1.5 KiB`.
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    let mut value = number as f64;
    let mut unit = "B";
    for next in UNITS {
        // 1023.96 would be rounded to 1024.0 of the smaller unit.
        if value < 1023.95 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// A span of time in its two largest units: `9 s`, `2 min 30 s`, `3 d 4 h`.
pub fn span(seconds: i64) -> String {
    const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let sign = if seconds < 0 { "-" } else { "" };
    let total = seconds.unsigned_abs();
    let first = UNITS.iter().position(|(_, size)| total >= *size).unwrap_or(3);
    let (unit, size) = UNITS[first];
    let mut text = format!("{sign}{} {unit}", count(total / size));
    if let Some((smaller, smaller_size)) = UNITS.get(first + 1)
        && (total % size) / smaller_size > 0
    {
        text.push_str(&format!(" {} {smaller}", (total % size) / smaller_size));
    }
    text
}

/// How long a run took: `0.04 s`, `0.4 s`, then as [`span`].
pub fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    // A short time is not shown as zero.
    if seconds < 0.095 {
        return format!("{:.2} s", seconds.max(0.01));
    }
    if time < Duration::from_secs(60) {
        format!("{seconds:.1} s")
    } else {
        span(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_sizes() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0, 1023, 1024, 1536, 1_048_575, 1 << 30].map(bytes),
            ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "1.0 GiB"]
        );
        assert_eq!(bytes(u64::MAX), "16384.0 PiB");
        assert_eq!(
            (counted(1, "object", "objects"), counted(2, "object", "objects")),
            ("1 object".into(), "2 objects".into())
        );
    }

    #[test]
    fn spans() {
        assert_eq!(
            [0, 9, 150, 120, 273_600, 86_401].map(span),
            ["0 s", "9 s", "2 min 30 s", "2 min", "3 d 4 h", "1 d"]
        );
        assert_eq!(span(-90), "-1 min 30 s");
        assert!(span(i64::MIN).starts_with('-'));
        assert_eq!(elapsed(Duration::from_millis(1_250)), "1.2 s");
    }
}
