//! The report in a real browser, and as text.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use throng::sync::{MustGoRecord, SyncRecord};

use crate::support::browser::{Browser, Screen};
use crate::support::nights;

const PHONE: (u32, u32) = (390, 844);
const DESK: (u32, u32) = (1280, 900);

fn page(kind: &str) -> String {
    let runs = nights::ending(kind).unwrap();
    match kind {
        "history" => throng::report::render_history(&runs).unwrap(),
        _ => throng::report::render(&runs[0], &runs[1..]).unwrap(),
    }
}

/// What sticks out to the right, and text that is hard to read by WCAG 2.2 AA (4.5 : 1; 3 : 1 if it is large).
const AUDIT: &str = r#"(() => {
  const wide = document.documentElement.clientWidth;
  const sticking = [...document.querySelectorAll("main *")]
    .filter(e => e.getBoundingClientRect().right > wide + 0.5 && !e.closest(".hidden, use, g, path"))
    .map(e => e.outerHTML.slice(0, 120));
  const parse = text => { const n = text.match(/[\d.]+/g).map(Number); return [n[0], n[1], n[2], n[3] ?? 1]; };
  const luminance = rgb => {
    const [r, g, b] = rgb.slice(0, 3).map(v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = e => {
    for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c[3] === 1) return c; }
    return [255, 255, 255, 1];
  };
  const faint = new Set();
  let texts = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || e.closest("title, desc, style, .hidden")) continue;
    const style = getComputedStyle(e);
    if (style.display === "none" || e.getClientRects().length === 0) continue;
    texts += 1;
    const ink = parse(e.closest("svg") ? style.fill : style.color);
    const [a, b] = [luminance(ink), luminance(ground(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const least = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
    if (ratio < least) faint.add(`${ratio.toFixed(2)} ${e.tagName}.${e.className}: ${walker.currentNode.data.trim().slice(0, 40)}`);
  }
  const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
  return {
    overflow: document.documentElement.scrollWidth - wide,
    sticking, texts,
    faint: [...faint],
    repeatedIds: ids.filter((id, i) => ids.indexOf(id) !== i),
    unnamed: [...document.querySelectorAll("[aria-labelledby]")]
      .flatMap(e => e.getAttribute("aria-labelledby").split(" ")).filter(id => !document.getElementById(id)),
    uncaptioned: [...document.querySelectorAll("table:not(:has(caption))")].length,
    headings: [...document.querySelectorAll("h1, h2, h3")].map(e => Number(e.tagName[1])),
    ground: getComputedStyle(document.body).backgroundColor,
  };
})()"#;

fn audit(browser: &mut Browser, path: &Path, kind: &str) {
    let url = format!("file://{}", path.display());
    let mut grounds = Vec::new();
    for (width, height) in [PHONE, DESK] {
        for scheme in ["light", "dark"] {
            browser.open(path, Screen { width, height, scheme });
            if let Some(folder) = std::env::var_os("THRONG_SCREENSHOTS") {
                let name = format!("{kind}-{width}-{scheme}.png");
                fs::write(Path::new(&folder).join(name), browser.screenshot()).unwrap();
            }
            let found = browser.evaluate(AUDIT);
            let what = format!("{kind} at {width} px, {scheme}: {found}");
            for empty in ["sticking", "faint", "repeatedIds", "unnamed"] {
                assert_eq!(found[empty], json!([]), "{what}");
            }
            assert_eq!(
                (&found["overflow"], &found["uncaptioned"]),
                (&json!(0), &json!(0)),
                "{what}"
            );
            assert!(found["texts"].as_u64() > Some(50), "{what}");
            let headings: Vec<u64> =
                found["headings"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
            assert!(
                headings[0] == 1 && headings.windows(2).all(|two| two[1] <= two[0] + 1),
                "{what}"
            );
            assert_eq!(browser.requests(), [url.as_str()]);
            assert_eq!(browser.complaints(), Vec::<String>::new());
            grounds.push(found["ground"].clone());
        }
    }
    assert_ne!(grounds[0], grounds[1], "light and dark look alike");
    let printed = browser.print();
    assert!(printed.starts_with(b"%PDF"));
    if let Some(folder) = std::env::var_os("THRONG_SCREENSHOTS") {
        fs::write(Path::new(&folder).join(format!("{kind}.pdf")), printed).unwrap();
    }
}

/// Set `THRONG_SCREENSHOTS=DIR` to look at what it sees.
#[test]
fn pages_hold_in_a_browser_at_phone_and_desk_width_in_light_and_dark() {
    let Some(mut browser) = Browser::start() else {
        eprintln!("no chromium: the report was not looked at");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    for kind in ["done", "guard", "partial", "first", "nothing", "history"] {
        let path = dir.path().join(format!("{kind}.html"));
        fs::write(&path, page(kind)).unwrap();
        audit(&mut browser, &path, kind);
    }
    let path = dir.path().join("hostile.html");
    fs::write(&path, throng::report::render(&hostile(), &[]).unwrap()).unwrap();
    audit(&mut browser, &path, "hostile");
    assert_eq!(browser.evaluate("typeof hacked"), "undefined");
}

/// Elements that have no end.
const VOID: [&str; 3] = ["meta", "br", "!DOCTYPE"];

/// Checks that every element ends where it must, that every attribute is quoted, and that nothing asks for more than the
/// page itself.
fn check_html(html: &str) {
    let style_end = html.find("</style>").unwrap();
    let style = &html[html.find("<style>").unwrap()..style_end];
    let style = style.replace("url(#hatch)", "");
    assert!(!style.contains("url(") && !style.contains("@import"));
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        if open.last() == Some(&"style") {
            rest = &rest[rest.find("</style").unwrap()..];
        } else {
            rest = &rest[start..];
        }
        let end = rest.find('>').unwrap();
        let tag = &rest[1..end];
        rest = &rest[end + 1..];
        assert!(!tag.contains('<'), "`{tag}` is not closed");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{open:?}");
            continue;
        }
        check_attributes(tag);
        let name = tag.split([' ', '/']).next().unwrap();
        if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

fn check_attributes(tag: &str) {
    let name = tag.split([' ', '/']).next().unwrap();
    assert!(
        !["script", "link", "img", "iframe", "object", "base", "form", "a"].contains(&name),
        "{tag}"
    );
    let mut rest = tag[name.len()..].trim_end_matches('/').trim();
    while let Some((attribute, value)) = rest.split_once("=\"") {
        let attribute = attribute.trim();
        assert!(attribute.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-'), "{tag}");
        assert!(
            !attribute.starts_with("on") && attribute != "src" && attribute != "style",
            "{tag}"
        );
        let (value, after) = value.split_once('"').unwrap();
        assert!(attribute != "href" || value.starts_with('#'), "{tag}");
        rest = after;
    }
    assert!(rest.is_empty() || name == "!DOCTYPE", "{tag}");
}

#[test]
fn pages_are_well_formed_and_need_nothing_else() {
    for kind in ["done", "guard", "partial", "first", "nothing", "history"] {
        let html = page(kind);
        check_html(&html);
        assert!(!html.contains("http:") && !html.contains("https:"), "{kind}");
        assert!(html.len() < 256 << 10, "{kind} has {} bytes", html.len());
    }
    check_html(&throng::report::render(&SyncRecord::default(), &[]).unwrap());
    check_html(&throng::report::render_history(&[]).unwrap());
}

#[test]
fn hostile_names_are_text() {
    let records = [hostile()];
    for html in [
        throng::report::render(&records[0], &[]).unwrap(),
        throng::report::render_history(&records).unwrap(),
    ] {
        check_html(&html);
        assert!(!html.contains("<script") && !html.contains("<img") && !html.contains('\u{202e}'));
        assert!(html.contains("&lt;script&gt;hacked=1"));
    }
}

#[test]
fn the_page_says_what_happened() {
    for (kind, texts) in [
        (
            "done",
            &[
                "6,480 entries were uploaded to 2 audiences.",
                "353 people who opted out are in the live audience",
                "throng sync /etc/throng/nightly.toml --log json --replace",
                "email_hash-must-go.txt",
                "odd",
            ][..],
        ),
        ("guard", &["Stopped by a guard", "Nothing was sent", "--allow-shrink", "59.0%"]),
        ("partial", &["Partly uploaded", "Go on", "503 Service Unavailable", "14 requests failed"]),
        ("first", &["created in this run", "newly created"]),
        ("nothing", &["Nothing to do", "Everyone in the inputs is in the audience already"]),
        ("history", &["353 must go", "Stopped or failed", "run 37", "max_shrink", "91 runs"]),
    ] {
        let html = page(kind);
        for text in texts {
            let escaped = text.replace('/', "&#x2f;");
            assert!(html.contains(&escaped), "{kind}: {text}");
        }
    }
    assert!(!page("guard").contains("class=\"alarm\""));
    assert!(!page("first").contains("The last"));
}

#[test]
fn dry_runs_are_no_nights() {
    let mut runs = nights::ending("done").unwrap();
    let dry = SyncRecord { is_dry_run: true, ..runs[0].clone() };
    runs.insert(1, dry.clone());
    let html = throng::report::render(&runs[0], &runs[1..]).unwrap();
    assert_eq!(html, page("done"));
    let html = throng::report::render(&dry, &[]).unwrap();
    assert!(html.contains("Nothing was sent. 6,480 new entries would be uploaded."), "{html}");
}

const HOSTILE: &str = "\"'><script>hacked=1</script><img src=https://example.com/x onerror=hacked=1>{{ 7*7 }}\u{202e}`&amp;";

/// A record in which every text is hostile and very long.
fn hostile() -> SyncRecord {
    let mut record = nights::ending("guard").unwrap().swap_remove(0);
    let mut value = serde_json::to_value(&record).unwrap();
    poison(&mut value);
    record = serde_json::from_value(value).unwrap();
    record.audiences[0].figures.sets.must_go = 3;
    let audience = record.audiences[0].name.clone();
    record.must_go.push(MustGoRecord { audience, entries: 3, ..MustGoRecord::default() });
    "replace".clone_into(&mut record.audiences[0].action);
    record
}

fn poison(value: &mut Value) {
    match value {
        Value::String(text) => *text = format!("{HOSTILE}{}", "x".repeat(300)),
        Value::Array(values) => values.iter_mut().for_each(poison),
        Value::Object(fields) => fields.values_mut().for_each(poison),
        _ => {}
    }
}

#[test]
fn a_small_page_looks_so() {
    let mut run = nights::ending("first").unwrap().swap_remove(0);
    run.version = "1.2.3".to_owned();
    run.audiences.truncate(1);
    run.inputs.truncate(1);
    let html = throng::report::render(&run, &[]).unwrap();
    let (head, rest) = html.split_once("<style>").unwrap();
    let (_, body) = rest.split_once("</style>").unwrap();
    insta::assert_snapshot!(format!("{head}<style>...</style>{body}"));
}
