//! Seconds since the epoch, and the three ways CloudTrail writes them.

/// 2026-03-02T00:00:00Z, the beginning of every world.
pub const BEGIN: u64 = 1_772_409_600;
pub const MINUTE: u64 = 60;
pub const HOUR: u64 = 3_600;
pub const DAY: u64 = 86_400;

/// Year, month and day for a number of days since 1970-01-01 (Howard Hinnant's civil calendar).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// `2026-03-02T10:00:09Z`.
pub fn rfc3339(second: u64) -> String {
    let (year, month, day) = civil(second / DAY);
    let rest = second % DAY;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / HOUR, rest / 60 % 60, rest % 60)
}

/// `2026/03/02`, the day folder of a key.
pub fn day_folder(second: u64) -> String {
    let (year, month, day) = civil(second / DAY);
    format!("{year:04}/{month:02}/{day:02}")
}

/// `20260302T1000Z`, the delivery time in an object's name.
pub fn name_stamp(second: u64) -> String {
    let text = rfc3339(second);
    format!("{}{}{}T{}{}Z", &text[..4], &text[5..7], &text[8..10], &text[11..13], &text[14..16])
}

/// The format of times in responses, with the narrow space of newer Java: `Mar 2, 2026, 10:00:09\u{202f}AM`.
pub fn java_locale(second: u64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day) = civil(second / DAY);
    let rest = second % DAY;
    let hour = rest / HOUR;
    let half = if hour < 12 { "AM" } else { "PM" };
    let month = MONTHS[month as usize - 1];
    format!(
        "{month} {day}, {year}, {}:{:02}:{:02}\u{202f}{half}",
        (hour + 11) % 12 + 1,
        rest / 60 % 60,
        rest % 60
    )
}
