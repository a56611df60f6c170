//! A bar chart of losses over time: a bar for each day, week or month, by severity.

use maud::{Markup, html};

use crate::model::{DAY_MILLIS, DAY_SECONDS, Finding, Severity, Timestamp};
use crate::ui::quantity::counted;

/// Possible widths of a bar, in days, so that a chart has some dozens of bars at most.
const WIDTHS: [(i64, &str); 4] = [(1, "day"), (7, "7 days"), (30, "30 days"), (365, "365 days")];
const BARS_MAX: i64 = 60;
/// The chart's size in its own units.
const WIDTH: i64 = 960;
const HEIGHT: i64 = 80;

/// When the finding's loss happened: when the image was gone, else when it lost its tag.
fn when(finding: &Finding) -> Option<Timestamp> {
    finding.lost.gone_at.or(finding.lost.untagged_at)
}

/// The chart; empty if fewer than two losses have a time.
pub fn page(findings: &[Finding]) -> Markup {
    let days: Vec<(i64, Severity)> = findings
        .iter()
        .filter_map(|finding| Some((when(finding)?.seconds().div_euclid(DAY_SECONDS), finding.severity)))
        .collect();
    let (Some(first), Some(last)) =
        (days.iter().map(|(day, _)| *day).min(), days.iter().map(|(day, _)| *day).max())
    else {
        return html! {};
    };
    if days.len() < 2 {
        return html! {};
    }
    let (width, word) =
        WIDTHS.into_iter().find(|(width, _)| (last - first) / width < BARS_MAX).unwrap_or(WIDTHS[3]);
    let bars = (last - first) / width + 1;
    let mut heights = vec![[0_u64; Severity::ALL.len()]; usize::try_from(bars).unwrap_or(0)];
    for (day, severity) in days {
        let bar = usize::try_from((day - first) / width).ok().and_then(|at| heights.get_mut(at));
        if let Some(number) = bar.and_then(|bar| bar.get_mut(severity as usize)) {
            *number += 1;
        }
    }
    let highest = heights.iter().map(|bar| bar.iter().sum::<u64>()).max().unwrap_or(1).max(1);
    let title = |n: i64, bar: &Bar| {
        format!("from {}: {}", day_text(first + n * width), counted(bar.iter().sum(), "image", "images"))
    };
    html! {
        figure {
            figcaption { "Images lost, a bar for every " (word) "; the highest is " (highest) } "\n"
            svg class="chart" viewBox="0 0 1000 110" role="img" aria-label="Images lost over time" {
                @for (n, heights) in (0_i64..).zip(&heights) {
                    (bar(&title(n, heights), (20 + n * WIDTH / bars, (WIDTH / bars - 1).clamp(1, 40)), heights, highest))
                }
                text x="20" y="104" { (day_text(first)) }
                text x="980" y="104" text-anchor="end" { (day_text(last)) }
            }
        }
        "\n"
    }
}

/// Number of findings of each severity.
type Bar = [u64; Severity::ALL.len()];

/// The worst severity is at the bottom, where heights are easiest to compare.
fn bar(title: &str, (x, width): (i64, i64), bar: &Bar, highest: u64) -> Markup {
    let top = |number: u64| {
        HEIGHT - i64::try_from(u128::from(number) * HEIGHT as u128 / u128::from(highest)).unwrap_or(0)
    };
    let mut below = 0;
    let mut pieces = Vec::new();
    for (severity, number) in Severity::ALL.iter().zip(bar) {
        let (upper, lower) = (top(below + number), top(below));
        pieces.extend((upper < lower).then_some((severity.word(), upper, lower)));
        below += number;
    }
    html! {
        g {
            title { (title) }
            @for (class, upper, lower) in pieces { rect class=(class) x=(x) y=(upper + 8) width=(width) height=(lower - upper) {} }
        }
    }
}

fn day_text(day: i64) -> String {
    let mut text = Timestamp::from_millis(day.saturating_mul(DAY_MILLIS)).to_string();
    text.truncate("2026-03-02".len());
    text
}
