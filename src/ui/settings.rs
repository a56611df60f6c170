//! The output of `--show-config`: each setting, its value, and where it came from.

use std::io::{self, Write};

use super::page::Page;

/// Width of the longest name with a gap.
const NAME: usize = 18;

/// Writes names, values and origins in the order given.
pub fn write(out: &mut dyn Write, columns: Option<usize>, rows: &[[String; 3]]) -> io::Result<()> {
    let page = &mut Page::new(out, columns);
    rows.iter().try_for_each(|[name, value, origin]| {
        page.point(0, &format!("{name:<NAME$}"), &format!("{value} ({origin})"))
    })
}
