//! `tagfall report`: the page in a real browser.

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
    let output = Command::new(env!("CARGO_BIN_EXE_tagfall"))
        .args(["report", "-o"])
        .arg(&page)
        .arg(archive)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    (folder, page)
}

/// A copy of the archive with some texts replaced, in JSON notation.
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
        if gzip {
            MultiGzDecoder::new(stored.as_slice()).read_to_string(&mut text)
        } else {
            stored.as_slice().read_to_string(&mut text)
        }
        .unwrap();
        for (old, new) in others {
            text = text.replace(old, new);
        }
        let mut out = GzEncoder::new(Vec::new(), Compression::fast());
        out.write_all(text.as_bytes()).unwrap();
        fs::write(target, if gzip { out.finish().unwrap() } else { text.into_bytes() }).unwrap();
    }
}

/// Texts of wide pictures that overlap or leave their picture.
const OVERLAPS: &str = "[...document.querySelectorAll('.across')].flatMap(picture => {\
    const texts = [...picture.querySelectorAll('text')], frame = picture.getBoundingClientRect();\
    const boxes = texts.map(text => [text.textContent, text.getBoundingClientRect()]);\
    const out = boxes.filter(([, b]) => b.left < frame.left - 1 || b.right > frame.right + 1 || b.bottom > frame.bottom + 1).map(([t]) => 'cut: ' + t);\
    const on = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 5;\
    return out.concat(boxes.flatMap(([t, a], n) => boxes.slice(n + 1).filter(([, b]) => on(a, b)).map(([u]) => t + ' / ' + u)));\
}).join('; ')";

#[test]
fn a_browser_shows_what_was_found() {
    let Some(browser) = Browser::start("a_browser_shows_what_was_found") else { return };
    let (_folder, page) = report(&incident());
    browser.open(&page);
    assert_eq!(browser.ask("document.title"), "Lost container images: 1 finding: 1 critical");
    assert_eq!(
        browser.ask("document.querySelector('h1').textContent"),
        "shop/checkout lost an image to a second push of release-2026.03.02"
    );
    assert_eq!(browser.ask("document.querySelectorAll('.index li.finding.critical').length"), 1);
    assert_eq!(browser.ask("document.querySelector('.rows .what').textContent"), "release-2026.03.02");
    assert_eq!(
        browser.ask("document.querySelectorAll('article details.more:first-of-type tbody tr').length"),
        10,
        "a row for each event of the evidence"
    );
    // The lost image: with the tag, without it, gone. The other image exists. The service is down until it is
    // deployed again.
    let bars =
        "[...document.querySelectorAll('.across > rect')].map(bar => bar.getAttribute('class')).join()";
    assert_eq!(browser.ask(bars), "tagged,fuse,gone,tagged,service,outage,chip");
    assert_eq!(
        browser.ask("document.querySelectorAll('.across line.vain').length"),
        5,
        "each pull that found nothing"
    );
    // Both nine seconds and fourteen days can be seen, and the time after the loss is wider than the nine
    // seconds.
    let widths =
        "[...document.querySelectorAll('.across > rect')].slice(0, 3).map(bar => +bar.getAttribute('width'))";
    assert_eq!(browser.ask(&format!("(([a, b, c]) => a > 50 && b > a && c > b)({widths})")), true);
    let gaps = "[...document.querySelectorAll('.across .gap')].map(gap => gap.textContent).join()";
    assert_eq!(browser.ask(gaps), "9 s,7 d 12 h,14 d 6 h,2 min 10 s,45 min 17 s,11 min 41 s");
    // No text overlaps another one or leaves the picture.
    assert_eq!(browser.ask(OVERLAPS), "");
    // If the style sheet were not the one that the policy allows, nothing of it would apply.
    assert_eq!(
        browser.ask("getComputedStyle(document.querySelector('#details > details')).borderLeftStyle"),
        "solid"
    );
    assert_eq!(browser.complaints(), [""; 0]);
    assert_eq!(browser.requests(&page), [format!("file://{}", page.display())], "a page that loads nothing");
}

#[test]
fn folds_open_boxes_hide_and_a_small_screen_is_enough() {
    let Some(browser) = Browser::start("folds_open_boxes_hide_and_a_small_screen_is_enough") else { return };
    let (_folder, page) = report(&incident());
    browser.open(&page);
    let shown = |selector: &str| {
        browser.ask(&format!(
            "document.querySelector('{selector}').checkVisibility({{contentVisibilityAuto: true}})"
        ))
    };
    assert_eq!(shown("article .more table"), false);
    browser.click("article .more summary");
    assert_eq!(browser.ask("document.querySelectorAll('article .more[open]').length"), 1);
    assert_eq!(shown("article .more table"), true);
    assert_eq!(shown("#details > .critical"), true);
    browser.click("#show-critical");
    assert_eq!(shown("#details > .critical"), false);
    assert_eq!(shown(".index li.critical"), false);
    browser.click("#show-critical");
    assert_eq!(shown("#details > .critical"), true);
    // One drawing is horizontal, the other vertical.
    browser.narrow_to(1200);
    assert_eq!((shown(".across"), shown(".down")), (true.into(), false.into()));
    browser.narrow_to(600);
    assert_eq!((shown(".across"), shown(".down")), (false.into(), true.into()));
    for width in [500, 800, 1400] {
        browser.narrow_to(width);
        assert_eq!(
            browser.ask("document.documentElement.scrollWidth <= document.documentElement.clientWidth"),
            true,
            "{width}"
        );
    }
}

/// A small organisation: the incident in several accounts, so that there is more than one finding.
fn organisation() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..3 {
        let (account, name) =
            (format!("22223333444{n}"), format!("\"repositoryName\":\"shop/checkout-{n}\""));
        rewritten(
            &incident(),
            &folder.path().join(n.to_string()),
            &[("111122223333", &account), ("\"repositoryName\":\"shop/checkout\"", &name)],
        );
    }
    folder
}

#[test]
fn every_line_of_the_index_opens_its_finding_and_a_repository_can_be_chosen() {
    let Some(browser) =
        Browser::start("every_line_of_the_index_opens_its_finding_and_a_repository_can_be_chosen")
    else {
        return;
    };
    let archive = organisation();
    let (_folder, page) = report(archive.path());
    browser.open(&page);
    let links = browser.ask("document.querySelectorAll('.rows a').length").as_u64().unwrap();
    assert!(links > 1, "{links}");
    assert_eq!(browser.ask("[...document.querySelectorAll('.rows a')].filter(link => !document.getElementById(link.hash.slice(1))).length"), 0);
    assert_eq!(browser.ask("document.querySelectorAll('#details > details[open]').length"), 0);
    browser.click(".group:last-of-type .rows a");
    let opened = "document.querySelector(location.hash).closest('details').open";
    assert_eq!(browser.ask(opened), true);
    assert_eq!(browser.ask(OVERLAPS), "");
    let groups =
        "[...document.querySelectorAll('.index .group')].filter(group => group.checkVisibility()).length";
    assert!(browser.ask(groups).as_u64().unwrap() > 1);
    browser.click("#of option.c1");
    assert_eq!(browser.ask(groups), 1);
    assert_eq!(browser.complaints(), [""; 0]);
}

/// The script can run because the policy has its hash, and it adds the promised functions; without
/// --interactive no script can run.
#[test]
fn the_script_that_was_asked_for_searches_and_sorts() {
    let Some(browser) = Browser::start("the_script_that_was_asked_for_searches_and_sorts") else { return };
    let archive = organisation();
    let (folder, plain) = report(archive.path());
    assert!(!fs::read_to_string(&plain).unwrap().contains("<script"));
    let page = folder.path().join("interactive.html");
    let output = Command::new(env!("CARGO_BIN_EXE_tagfall"))
        .args(["report", "--interactive", "-o"])
        .arg(&page)
        .arg(archive.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    browser.open(&page);
    let rows = "[...document.querySelectorAll('.rows > li')].filter(row => row.checkVisibility()).length";
    let all = browser.ask(rows).as_u64().unwrap();
    let search = |text: &str| {
        let script = format!(
            "(field => {{ field.value = '{text}'; field.dispatchEvent(new Event('input')); }})(document.querySelector('.tools input'))"
        );
        browser.ask(&script);
        browser.ask(rows).as_u64().unwrap()
    };
    assert_eq!(search("no such thing"), 0);
    assert_eq!(search("shop/checkout-1"), 1);
    assert_eq!(search(""), all);
    browser.click(".rows a");
    assert_eq!(
        browser.ask("document.querySelector(location.hash).querySelectorAll('button.copy').length > 0"),
        true
    );
    assert_eq!(browser.complaints(), [""; 0]);
    assert_eq!(browser.requests(&page).len(), 1);
}

/// In both colour schemes, with everything unfolded. TAGFALL_AXE is the path of axe-core's `axe.min.js`.
#[test]
fn nobody_is_kept_out() {
    let Some(axe) = std::env::var_os("TAGFALL_AXE") else {
        eprintln!(
            "SKIPPED: nobody_is_kept_out: TAGFALL_AXE names no axe.min.js (`npm pack axe-core` has it)"
        );
        return;
    };
    let source = fs::read_to_string(axe).unwrap();
    for dark in [false, true] {
        let Some(browser) = Browser::start_in("nobody_is_kept_out", dark) else { return };
        let (folder, plain) = report(&incident());
        let interactive = folder.path().join("interactive.html");
        let output = Command::new(env!("CARGO_BIN_EXE_tagfall"))
            .args(["report", "--interactive", "-o"])
            .arg(&interactive)
            .arg(incident())
            .output();
        assert_eq!(output.unwrap().status.code(), Some(0));
        for page in [plain, interactive] {
            browser.open(&page);
            assert_eq!(browser.ask("matchMedia('(prefers-color-scheme: dark)').matches"), dark);
            browser.ask("document.querySelectorAll('details').forEach(fold => fold.open = true)");
            browser.ask(&format!("(() => {{ {source}\n }})()"));
            let found = "axe.run().then(found => found.violations.map(one => one.id + ': ' + one.nodes.map(node => node.html).join(' ')))";
            assert_eq!(browser.ask(found), serde_json::json!([]), "{}", page.display());
        }
    }
}

/// User agents, session names and tags are chosen by callers of AWS.
#[test]
fn no_text_of_a_log_becomes_markup() {
    let Some(browser) = Browser::start("no_text_of_a_log_becomes_markup") else { return };
    let texts = [
        ("release-2026.03.02", "\"><img src=x onerror=\"document.title='owned'\">"),
        (
            "aws-cli/2.32.3",
            "</small></td><script>document.title='owned'</script><iframe src=\"http://127.0.0.1:9/\"></iframe>",
        ),
        ("checkout-deploy/pipeline", "';!--\"<svg onload=document.title='owned'>=&{()}"),
    ];
    for (old, hostile) in texts {
        let quoted = serde_json::to_string(hostile).unwrap();
        let archive = tempfile::tempdir().unwrap();
        rewritten(&incident(), archive.path(), &[(old, quoted.trim_matches('"'))]);
        let (_folder, page) = report(archive.path());
        browser.open(&page);
        assert_eq!(browser.ask("document.title.startsWith('Lost container images: ')"), true);
        assert_eq!(browser.ask("document.querySelectorAll('script, img, iframe, object, embed, link, a:not([href^=\"#\"])').length"), 0);
        assert_eq!(browser.ask("[...document.querySelectorAll('*')].flatMap(e => [...e.attributes]).filter(a => a.name.startsWith('on')).length"), 0);
        assert_eq!(
            browser.ask(&format!("document.body.textContent.includes({quoted})")),
            true,
            "{hostile} stands there as text"
        );
        assert_eq!(browser.complaints(), [""; 0]);
        assert_eq!(browser.requests(&page).len(), 1);
    }
}

/// If anything got past the escaping, the browser would block it.
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
