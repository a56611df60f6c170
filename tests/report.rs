//! `tagfall report`: the page as a real browser shows it.

#[path = "report/browser.rs"]
mod browser;

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use browser::Browser;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use tempfile::TempDir;

fn incident() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/incident")
}

/// Writes the report of an archive into a folder of its own.
fn report(archive: &Path) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("report.html");
    let output = Command::new(env!("CARGO_BIN_EXE_tagfall")).args(["report", "-o"]).arg(&page).arg(archive).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    (folder, page)
}

/// A copy of the archive in which some texts are others, in JSON's spelling.
fn rewritten(from: &Path, to: &Path, others: &[(&str, &str)]) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            rewritten(&entry.path(), &target, others);
            continue;
        }
        let stored = fs::read(entry.path()).unwrap();
        let gzip = stored.starts_with(&[0x1f, 0x8b]);
        let mut text = String::new();
        if gzip { MultiGzDecoder::new(stored.as_slice()).read_to_string(&mut text) } else { stored.as_slice().read_to_string(&mut text) }.unwrap();
        for (old, new) in others {
            text = text.replace(old, new);
        }
        let mut out = GzEncoder::new(Vec::new(), Compression::fast());
        out.write_all(text.as_bytes()).unwrap();
        fs::write(target, if gzip { out.finish().unwrap() } else { text.into_bytes() }).unwrap();
    }
}

#[test]
fn a_browser_shows_what_was_found() {
    let Some(browser) = Browser::start("a_browser_shows_what_was_found") else { return };
    let (_folder, page) = report(&incident());
    browser.open(&page);
    assert_eq!(browser.ask("document.title"), "Lost container images: 1 finding: 1 critical");
    assert_eq!(browser.ask("document.querySelectorAll('article.finding.critical').length"), 1);
    assert_eq!(browser.ask("document.querySelector('article h3 code').textContent"), "shop/checkout:release-2026.03.02");
    assert_eq!(browser.ask("document.querySelectorAll('article details[open] tbody tr').length"), 9, "a row for each event of the evidence");
    // The strip: without a tag until it went, and the last pulls are of something that was gone.
    let strip = "[...document.querySelectorAll('svg.life rect')].map(bar => bar.getAttribute('class')).join()";
    assert_eq!(browser.ask(strip), "pull,pull,pull,pull,pull late,pull late,untagged,gone");
    let widths = "['untagged','gone'].map(name => +document.querySelector('svg.life rect.'+name).getAttribute('width') > 300).join()";
    assert_eq!(browser.ask(widths), "true,true");
    // The style sheet is the one that the policy names, or nothing of it would apply.
    assert_eq!(browser.ask("getComputedStyle(document.querySelector('article')).borderLeftStyle"), "solid");
    assert_eq!(browser.complaints(), [""; 0]);
    assert_eq!(browser.requests(&page), [format!("file://{}", page.display())], "a page that loads nothing");
}

#[test]
fn folds_open_boxes_hide_and_a_small_screen_is_enough() {
    let Some(browser) = Browser::start("folds_open_boxes_hide_and_a_small_screen_is_enough") else { return };
    let (_folder, page) = report(&incident());
    browser.open(&page);
    let shown = |selector: &str| browser.ask(&format!("document.querySelector('{selector}').checkVisibility({{contentVisibilityAuto: true}})"));
    assert_eq!(shown("article details:not([open]) table"), false);
    browser.click("article details:not([open]) summary");
    assert_eq!(browser.ask("document.querySelectorAll('article details[open]').length"), 2);
    assert_eq!(shown("article details:last-of-type table"), true);
    browser.click("#show-low");
    assert_eq!(shown("article.critical"), true);
    browser.click("#show-critical");
    assert_eq!(shown("article.critical"), false);
    browser.click("#show-critical");
    assert_eq!(shown("article.critical"), true);
    for width in [500, 800, 1400] {
        browser.narrow_to(width);
        assert_eq!(browser.ask("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), true, "{width}");
    }
}

/// Who calls AWS writes user agents, session names and tags.
#[test]
fn no_text_of_a_log_becomes_markup() {
    let Some(browser) = Browser::start("no_text_of_a_log_becomes_markup") else { return };
    let texts = [
        ("release-2026.03.02", "\"><img src=x onerror=\"document.title='owned'\">"),
        ("aws-cli/2.32.3", "</small></td><script>document.title='owned'</script><iframe src=\"http://127.0.0.1:9/\"></iframe>"),
        ("checkout-deploy/pipeline", "';!--\"<svg onload=document.title='owned'>=&{()}"),
    ];
    for (old, hostile) in texts {
        let quoted = serde_json::to_string(hostile).unwrap();
        let archive = tempfile::tempdir().unwrap();
        rewritten(&incident(), archive.path(), &[(old, quoted.trim_matches('"'))]);
        let (_folder, page) = report(archive.path());
        browser.open(&page);
        assert_eq!(browser.ask("document.title"), "Lost container images: 1 finding: 1 critical");
        assert_eq!(browser.ask("document.querySelectorAll('script, img, iframe, object, embed, link, a:not([href^=\"#\"])').length"), 0);
        assert_eq!(browser.ask("[...document.querySelectorAll('*')].flatMap(e => [...e.attributes]).filter(a => a.name.startsWith('on')).length"), 0);
        assert_eq!(browser.ask(&format!("document.body.textContent.includes({quoted})")), true, "{hostile} stands there as text");
        assert_eq!(browser.complaints(), [""; 0]);
        assert_eq!(browser.requests(&page).len(), 1);
    }
}

/// What would happen if something got past the escaping: the browser refuses it.
#[test]
fn the_policy_forbids_what_escaping_would_miss() {
    let Some(browser) = Browser::start("the_policy_forbids_what_escaping_would_miss") else { return };
    let (_folder, page) = report(&incident());
    let broken = "<script>document.title='owned'</script><img src=\"http://127.0.0.1:9/x.png\" onerror=\"document.title='owned'\">\
                  <style>h1 { display: none }</style><body>";
    let text = fs::read_to_string(&page).unwrap();
    assert!(text.contains("<body>"));
    fs::write(&page, text.replacen("<body>", broken, 1)).unwrap();
    browser.open(&page);
    assert_eq!(browser.ask("document.title"), "Lost container images: 1 finding: 1 critical");
    assert_eq!(browser.ask("getComputedStyle(document.querySelector('h1')).display"), "block");
    let complaints = browser.complaints().join("\n");
    for directive in ["inline script", "inline style", "loading the image"] {
        assert!(complaints.to_lowercase().contains(directive), "{directive}: {complaints}");
    }
}
