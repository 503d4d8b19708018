//! Killed runs leave no output, and the next run is complete.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use throng::normalize::UserType;

use crate::support::{config, lines, run};

#[test]
fn sigkill_leaves_no_output_and_the_rerun_is_complete() {
    let dir = tempfile::tempdir().unwrap();
    let (input, out) = (dir.path().join("input.txt"), dir.path().join("out"));
    fs::write(&input, lines(UserType::EmailHash, 300_000, 5)).unwrap();
    let mut killed = 0;
    for attempt in 0..12 {
        let mut child = Command::new(env!("CARGO_BIN_EXE_throng"))
            .args(["prepare", "-q", "-t", "email_hash", "-o"])
            .arg(&out)
            .arg(&input)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // At another point each time; it does not matter which.
        std::thread::sleep(Duration::from_millis(5 + attempt * 23));
        child.kill().unwrap();
        if child.wait().unwrap().success() {
            break;
        }
        killed += 1;
        assert!(!out.exists() || complete(&out), "complete or absent");
        if out.exists() {
            fs::remove_dir_all(&out).unwrap();
        }
    }
    assert!(killed > 0);
    if out.exists() {
        fs::remove_dir_all(&out).unwrap();
    }
    run(config(UserType::EmailHash, &[input], &out)).unwrap();
    assert!(complete(&out));
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

fn complete(dir: &std::path::Path) -> bool {
    let manifest = throng::emit::Manifest::read(dir).unwrap();
    manifest.problems(dir, &throng::stop::Stop::default()).unwrap().is_empty()
}
