//! Inputs that are not what they seem, on the real binary: archives, encodings, devices, names, numbers of files.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use throng::limits::{MEMORY_BYTES_BESIDE, MEMORY_BYTES_MIN, SAMPLE_BYTES};

type Pack<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;

const LINE: &[u8] = b"mary@example.com\n";

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
    command.current_dir(dir).args(args).env_remove("THRONG_TOKEN").stdin(Stdio::null());
    command
}

/// Prepares addresses within the least memory.
fn prepare(dir: &Path, args: &[&str]) -> Output {
    let memory = MEMORY_BYTES_MIN.to_string();
    let fixed =
        ["prepare", "-t", "email_hash", "-o", "out", "--overwrite", "--json", "--memory", &memory];
    command(dir, &[&fixed[..], args].concat()).output().unwrap()
}

/// Exit code and standard error, which is a line or two whatever files are called.
#[track_caller]
fn ends(output: &Output, code: i32, message: &str) {
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(message), "{message}: {said}");
    if code != 0 {
        let is_known =
            |line: &str| ["error: ", "hint: ", "note: "].iter().any(|w| line.starts_with(w));
        assert!(said.lines().all(is_known), "{said}");
        assert!(!said.contains("mary@"), "{said}");
    }
}

fn summary(output: &Output) -> serde_json::Value {
    ends(output, 0, "");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An archive whose header asks for a dictionary of nearly 4 GiB.
fn xz_with_huge_dictionary() -> Vec<u8> {
    let mut xz = liblzma::encode_all(LINE, 0).unwrap();
    // Behind the stream's header of 12 bytes: size, flags, id of the filter, size of its properties, dictionary.
    xz[12 + 4] = 40;
    let end = 12 + (usize::from(xz[12]) + 1) * 4 - 4;
    let mut crc = flate2::Crc::new();
    crc.update(&xz[12..end]);
    xz[end..end + 4].copy_from_slice(&crc.sum().to_le_bytes());
    xz
}

/// A frame that asks for a window of 2 GiB and holds a raw block.
fn zstd_with_huge_window() -> Vec<u8> {
    let block = (u32::try_from(LINE.len()).unwrap() << 3 | 1).to_le_bytes();
    [&[0x28, 0xb5, 0x2f, 0xfd, 0, (31 - 10) << 3], &block[..3], LINE].concat()
}

#[test]
fn what_is_no_text_is_told_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let wide = |text: &str, width: usize| -> Vec<u8> {
        text.bytes().flat_map(|byte| [vec![byte], vec![0; width - 1]].concat()).collect()
    };
    let text = "id,email\n1,mary@example.com\n2,bert@example.com\n";
    let mut tar = vec![0; 1024];
    tar[..5].copy_from_slice(b"a.csv");
    tar[257..262].copy_from_slice(b"ustar");
    tar[512..512 + LINE.len()].copy_from_slice(LINE);
    for (bytes, message) in [
        (wide(text, 4), "looks like UTF-32"),
        ([vec![0; 3], wide(text, 4)].concat(), "looks like UTF-32"),
        (gzip(&gzip(LINE)), "it is compressed twice"),
        (gzip(&tar), "it is a tar archive"),
        (b"\x1f\x9d\x90mary".to_vec(), "in a way that throng does not read"),
        (xz_with_huge_dictionary(), "takes more than 128 MiB of memory"),
        (zstd_with_huge_window(), "takes more than 128 MiB of memory"),
        ([gzip(LINE), b"garbage behind it".to_vec()].concat(), "the compressed data is damaged"),
        ([gzip(LINE), gzip(LINE)[..20].to_vec()].concat(), "the compressed data ends too early"),
    ] {
        fs::write(dir.path().join("in"), bytes).unwrap();
        ends(&prepare(dir.path(), &["in"]), 3, message);
    }
    assert!(!dir.path().join("out").exists());
}

#[test]
fn empty_archives_and_empty_members_are_no_text() {
    let dir = tempfile::tempdir().unwrap();
    let bzip2 = |bytes: &[u8]| {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let packs: [Pack<'_>; 4] =
        [&gzip, &bzip2, &|bytes| zstd::encode_all(bytes, 1).unwrap(), &|bytes| {
            liblzma::encode_all(bytes, 0).unwrap()
        }];
    for pack in packs {
        fs::write(dir.path().join("in"), [pack(b""), pack(LINE), pack(b"")].concat()).unwrap();
        assert_eq!(summary(&prepare(dir.path(), &["in"]))["audiences"][0]["written"], 1);
        fs::write(dir.path().join("in"), pack(b"")).unwrap();
        ends(&prepare(dir.path(), &["in"]), 3, "the inputs hold no values");
    }
}

#[test]
fn bombs_and_endless_lines_stay_within_memory() {
    let dir = tempfile::tempdir().unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(LINE).unwrap();
    for _ in 0..256 {
        encoder.write_all(&vec![b'x'; 1 << 20]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!((bomb.len() as u64) < MEMORY_BYTES_MIN / 16);
    fs::write(dir.path().join("in.gz"), bomb).unwrap();
    let done = summary(&prepare(dir.path(), &["in.gz", "--max-rejects", "1"]));
    assert_eq!(done["audiences"][0]["written"], 1);
    let peak = done["peak_memory_bytes"].as_u64().unwrap();
    assert!(peak <= MEMORY_BYTES_MIN + MEMORY_BYTES_BESIDE, "{peak}");
    // A table of a billion columns is left at once.
    let message = "refused `in.gz`, line 2: a record begins here that is longer than 1 MiB";
    ends(&prepare(dir.path(), &["in.gz", "--format", "csv", "-c", "1"]), 3, message);
}

#[test]
fn names_may_be_anything() {
    let dir = tempfile::tempdir().unwrap();
    let long = [&[b'x'; 251][..], b".txt"].concat();
    let names: [&[u8]; 7] = [
        b"a\nb.txt",
        b"\xff\xfe.txt",
        "\u{202e}txt.\u{1b}[2J".as_bytes(),
        &long,
        b"-c.txt",
        b"[x]*?.txt",
        b"{date}.txt",
    ];
    for name in names {
        let path = Path::new(std::ffi::OsStr::from_bytes(name));
        let run = |text: &[u8]| {
            fs::write(dir.path().join(path), text).unwrap();
            let fixed = ["prepare", "-t", "email_hash", "-o", "out", "--overwrite", "--json"];
            let mut command = command(dir.path(), &fixed);
            command.args(["--rejects", "rejects.csv", "--"]).arg(path).output().unwrap()
        };
        assert_eq!(summary(&run(LINE))["audiences"][0]["written"], 1);
        assert_eq!(
            command(dir.path(), &["verify", "out"]).output().unwrap().status.code(),
            Some(0)
        );
        let refused = run(b"nobody\n");
        ends(&refused, 3, "wrong file?");
        assert!(!refused.stderr.contains(&0x1b) && !refused.stderr.contains(&b'\x07'));
    }
}

#[test]
fn what_is_no_file_is_refused_or_read_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("folder")).unwrap();
    fs::create_dir_all(dir.path().join("sub/sub")).unwrap();
    symlink("two", dir.path().join("one")).unwrap();
    symlink("one", dir.path().join("two")).unwrap();
    let _socket = UnixListener::bind(dir.path().join("socket")).unwrap();
    for (input, message) in [
        ("/dev/zero", "it is a device"),
        ("one", "failed to open `one`"),
        ("socket", "failed to open `socket`"),
        ("folder", "it is a directory without files"),
        ("sub", "it is a directory with another one in it"),
        ("fold*", "only folders match"),
        ("/proc/self/mem", "failed to read"),
        ("/dev/null", "the inputs hold no values"),
        ("/proc/self/status", ""),
        ("none*.txt", "no file matches"),
    ] {
        ends(&prepare(dir.path(), &[input, "--no-header"]), 3, message);
    }
    let fifo = dir.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let writer = std::thread::spawn(move || drop(fs::File::options().write(true).open(fifo)));
    ends(&prepare(dir.path(), &["fifo"]), 3, "the inputs hold no values");
    writer.join().unwrap();
    fs::write(dir.path().join("in.txt"), LINE).unwrap();
    let twice = summary(&prepare(dir.path(), &["in.txt", "./in.txt", "in.txt"]));
    assert_eq!((&twice["records"], &twice["audiences"][0]["written"]), (&3.into(), &1.into()));
}

#[test]
fn nothing_is_read_without_end_besides_inputs() {
    let dir = tempfile::tempdir().unwrap();
    let list = ["audience", "list", "--ad-account", "7", "--endpoint", "http://127.0.0.1:1"];
    let sparse = fs::File::create(dir.path().join("1g")).unwrap();
    sparse.set_len(1 << 30).unwrap();
    let run = |args: &[&str]| command(dir.path(), args).env("THRONG_TOKEN", "x").output().unwrap();
    for endless in ["/dev/zero", "1g"] {
        let with_ca = run(&[&list[..], &["--ca-file", endless]].concat());
        ends(&with_ca, 2, "holds no certificate in PEM");
        ends(&run(&["sync", endless]), 2, "it is too large");
    }
    ends(&run(&[&list[..], &["--token-file", "/dev/zero"]].concat()), 2, "holds no token");
    #[cfg(feature = "sandbox")]
    ends(&run(&["sandbox", "--faults", "/dev/zero"]), 3, "refused `/dev/zero`");
    for deep in [&b"a = "[..], b"[a"] {
        let text = [deep, &b"[".repeat(100_000)].concat();
        fs::write(dir.path().join("deep.toml"), text).unwrap();
        ends(&run(&["sync", "deep.toml"]), 2, "not TOML");
    }
    fs::create_dir(dir.path().join("deep")).unwrap();
    fs::write(dir.path().join("deep/manifest.json"), b"[".repeat(1_000_000)).unwrap();
    ends(&run(&["verify", "deep"]), 3, "it is not a manifest of throng");
}

#[test]
fn fifteen_hundred_files_need_neither_descriptors_nor_memory() {
    const FILES: usize = 1500;
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("in")).unwrap();
    // More than is looked at of each, so that what was looked at must be given back.
    let text = [LINE, &vec![b'x'; SAMPLE_BYTES], b"\n"].concat();
    fs::write(dir.path().join("one.txt"), text).unwrap();
    for number in 0..FILES {
        symlink("../one.txt", dir.path().join(format!("in/{number}.txt"))).unwrap();
    }
    let script = format!(
        "ulimit -n 64; exec '{}' prepare 'in/*.txt' -t email_hash -o out --json --threads 2 \
         --format lines --no-header --max-rejects 100% --memory {MEMORY_BYTES_MIN}",
        env!("CARGO_BIN_EXE_throng")
    );
    let output = Command::new("sh").current_dir(dir.path()).args(["-c", &script]).output().unwrap();
    let done = summary(&output);
    assert_eq!(
        (&done["records"], &done["audiences"][0]["written"]),
        (&(2 * FILES).into(), &1.into())
    );
    let peak = done["peak_memory_bytes"].as_u64().unwrap();
    assert!(peak <= MEMORY_BYTES_MIN + MEMORY_BYTES_BESIDE, "{peak}");
}

#[test]
fn a_directory_is_not_replaced_while_an_input_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("in.txt"), LINE).unwrap();
    summary(&prepare(dir.path(), &["in.txt"]));
    fs::rename(dir.path().join("in.txt"), dir.path().join("out/in.txt")).unwrap();
    fs::write(dir.path().join("other.txt"), b"bert@example.com\n").unwrap();
    let message = "the output directory holds the input `out/in.txt`";
    ends(&prepare(dir.path(), &["out/in.txt"]), 2, message);
    ends(&prepare(dir.path(), &["other.txt", "--suppress", "out/in.txt"]), 2, message);
    assert_eq!(fs::read(dir.path().join("out/in.txt")).unwrap(), LINE);
}

#[test]
fn excels_line_that_names_the_delimiter_is_no_record() {
    let dir = tempfile::tempdir().unwrap();
    let rows = "1;mary@example.com\r\n2;nobody\r\n";
    for (text, column) in [
        (format!("sep=;\r\nid;email\r\n{rows}"), "email"),
        (format!("\u{feff}\"sep=;\"\r\n{rows}"), "2"),
    ] {
        fs::write(dir.path().join("in.csv"), &text).unwrap();
        let args = ["in.csv", "-c", column, "--max-rejects", "1", "--rejects", "rejects.csv"];
        assert_eq!(summary(&prepare(dir.path(), &args))["audiences"][0]["written"], 1);
        let line = text.lines().count();
        let rejects = fs::read_to_string(dir.path().join("rejects.csv")).unwrap();
        assert!(rejects.contains(&format!("in.csv,{line},")), "{rejects}");
    }
}

#[test]
fn the_filter_ends_when_nobody_reads_its_answers() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = command(dir.path(), &["hash", "-t", "email_hash"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(LINE).unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap());
    let mut answer = String::new();
    answers.read_line(&mut answer).unwrap();
    assert!(answer.starts_with("f1904cf1"), "{answer}");
    drop(answers);
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(started.elapsed() < Duration::from_mins(1), "it waits for input that nobody needs");
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(status.code(), Some(0));
    drop(stdin);
}
