//! The life of a lost image as a strip: while it had a tag, while it had none, and since it is gone; with the pulls above it.

use std::collections::BTreeMap;
use std::io;

use crate::model::{Finding, StepKind, Timeline, Timestamp};
use crate::ui::html::Html;
use crate::ui::quantity::{counted, span};

/// The strip's inner width, in its own units.
const WIDTH: i64 = 960;
const MARGIN: i64 = 20;

/// From the first thing that is known to the last.
struct Scale {
    from: Timestamp,
    to: Timestamp,
}

impl Scale {
    fn place(&self, time: Timestamp) -> i64 {
        let length = i128::from(self.to.seconds_since(self.from).max(1));
        let at = i128::from(time.seconds_since(self.from)).clamp(0, length);
        MARGIN + i64::try_from(at * i128::from(WIDTH) / length).unwrap_or(0)
    }
}

/// What the strip is made of. `until` is when the logs end: what is alive then goes on to there.
pub fn write(html: &mut Html<'_>, finding: &Finding, life: Option<&Timeline>, until: Option<Timestamp>) -> io::Result<()> {
    let lost = &finding.lost;
    let steps = life.map(|life| life.steps.as_slice()).unwrap_or_default();
    let known = [lost.pushed_at, lost.untagged_at, lost.gone_at];
    let first = known.into_iter().flatten().chain(steps.first().map(|step| step.time).filter(|_| lost.pushed_at.is_none())).min();
    let last_step = steps.last().map(|step| step.time);
    let end = if lost.gone_at.is_none() { until } else { None };
    let last = known.into_iter().flatten().chain(last_step).chain(end).max();
    let (Some(from), Some(to)) = (first, last) else { return Ok(()) };
    let scale = Scale { from, to };

    html.raw("<svg class=\"life\" viewBox=\"0 0 1000 62\" role=\"img\" aria-label=\"")?.text(&told(finding))?.raw("\">\n")?;
    let pulls = steps.iter().filter(|step| step.time >= from && matches!(step.kind, StepKind::Pull | StepKind::PullFailed | StepKind::TaskStopped));
    let mut ticks: BTreeMap<i64, bool> = BTreeMap::new();
    for pull in pulls {
        let late = lost.gone_at.is_some_and(|gone| pull.time > gone);
        *ticks.entry(scale.place(pull.time)).or_default() |= late;
    }
    for (x, late) in ticks {
        html.raw(if late { "<rect class=\"pull late\" x=\"" } else { "<rect class=\"pull\" x=\"" })?.value(x)?;
        html.raw("\" y=\"4\" width=\"2\" height=\"14\"/>\n")?;
    }
    let untagged = lost.untagged_at.or(lost.gone_at).unwrap_or(to);
    let gone = lost.gone_at.unwrap_or(to);
    write_bar(html, "tagged", "with a tag", &scale, (from, untagged))?;
    write_bar(html, "untagged", "without a tag", &scale, (untagged, gone))?;
    write_bar(html, "gone", "gone", &scale, (gone, to))?;
    for (title, time) in [("pushed", lost.pushed_at), ("lost its last tag", lost.untagged_at), ("gone", lost.gone_at)] {
        if let Some(time) = time {
            html.raw("<circle class=\"mark\" r=\"5\" cy=\"29\" cx=\"")?.value(scale.place(time))?.raw("\"><title>")?;
            html.raw(title)?.raw(" ")?.value(time)?.raw("</title></circle>\n")?;
        }
    }
    html.raw("<text x=\"20\" y=\"56\">")?
        .value(from)?
        .raw("</text>\n<text x=\"980\" y=\"56\" text-anchor=\"end\">")?
        .value(to)?
        .raw("</text>\n</svg>\n")?;
    html.raw("<p class=\"told\">")?.text(&told(finding))?.raw("</p>\n")?;
    Ok(())
}

fn write_bar(html: &mut Html<'_>, class: &'static str, title: &'static str, scale: &Scale, (from, to): (Timestamp, Timestamp)) -> io::Result<()> {
    let (left, right) = (scale.place(from), scale.place(to));
    if right <= left {
        return Ok(());
    }
    html.raw("<rect class=\"")?.raw(class)?.raw("\" y=\"22\" height=\"14\" x=\"")?.value(left)?.raw("\" width=\"")?.value(right - left)?;
    html.raw("\"><title>")?.raw(title)?.raw(" from ")?.value(from)?.raw(" to ")?.value(to)?.raw("</title></rect>\n")?;
    Ok(())
}

/// The strip in words, for those who do not see it.
fn told(finding: &Finding) -> String {
    let (lost, usage) = (&finding.lost, &finding.usage);
    let mut parts = vec![match lost.pushed_at {
        Some(time) => format!("pushed {time}"),
        None => "pushed before the logs".to_owned(),
    }];
    let after = |from: Option<Timestamp>, to: Timestamp| from.map(|from| format!(" {} later", span(to.seconds_since(from)))).unwrap_or_default();
    if let Some(untagged) = lost.untagged_at {
        parts.push(format!("lost its last tag{}", after(lost.pushed_at, untagged)));
    }
    match lost.gone_at {
        Some(gone) => parts.push(format!("gone{}", after(lost.untagged_at.or(lost.pushed_at), gone))),
        None => parts.push("still there when the logs end".to_owned()),
    }
    if usage.pulls_after_gone > 0 {
        parts.push(format!("then asked for {}", counted(usage.pulls_after_gone, "time", "times")));
    }
    parts.join(" → ")
}
