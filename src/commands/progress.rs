//! Showing how far a run is: a bar on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal, stderr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::Builder;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use throng::progress::{Phase, Progress};
use throng::sync::SyncProgress;
use throng::upload::UploadProgress;

use super::{Event, log, tell};
use crate::cli::{ProgressArg, ShowArgs};

/// Time between two drawings of the bar.
const TICK: Duration = Duration::from_millis(100);

/// Time between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// The same for those who want to see it in any case.
const LINE_OFTEN: Duration = Duration::from_secs(1);

/// Progress of something, as it is shown.
pub(crate) struct View {
    what: &'static str,
    at: u64,
    /// 0 if it is not known.
    total: u64,
    is_bytes: bool,
    /// Text that a line adds.
    detail: String,
    /// The figures of it, for programs.
    fields: Value,
}

/// Does some work, and shows meanwhile what `view` says of it after so much time.
pub(super) fn shown<T>(
    show: ShowArgs,
    view: impl Fn(Duration) -> View + Sync,
    work: impl FnOnce() -> T,
) -> T {
    let line_every = match show.progress {
        ProgressArg::Auto if !show.quiet => LINE_EVERY,
        ProgressArg::Auto | ProgressArg::Never => return work(),
        ProgressArg::Always => LINE_OFTEN,
    };
    let view = &view;
    std::thread::scope(|scope| {
        let (running, done) = bounded(0);
        // Without a thread to show it, it is not shown.
        let _unseen = Builder::new().spawn_scoped(scope, move || watch(view, line_every, &done));
        let result = work();
        drop(running);
        result
    })
}

/// Shows progress until the sender of `done` is dropped.
fn watch(view: &impl Fn(Duration) -> View, line_every: Duration, done: &Receiver<()>) {
    let is_drawn = stderr().is_terminal() && !log::is_json();
    let bar = is_drawn.then(ProgressBar::no_length);
    let started = Instant::now();
    let mut line_at = line_every;
    while done.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
        match &bar {
            Some(bar) => draw(bar, &view(started.elapsed())),
            None if started.elapsed() >= line_at => {
                line_at += line_every;
                say(view(started.elapsed()));
            }
            None => {}
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

fn draw(bar: &ProgressBar, view: &View) {
    let style = if view.is_bytes {
        "{spinner} {msg} {wide_bar} {percent}% {bytes_per_sec} {eta} left"
    } else {
        "{spinner} {msg} {wide_bar} {percent}% {per_sec} {eta} left"
    };
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar.set_message(view.what);
    if view.total > 0 {
        bar.set_length(view.total);
    }
    bar.set_position(view.at);
}

impl View {
    /// From 0 to 1, if it is known how much there is.
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more precision than f64 has")]
    fn share(&self) -> Option<f64> {
        (self.total > 0).then(|| self.at as f64 / self.total as f64)
    }

    /// Its figures, for programs.
    pub(crate) fn into_fields(self) -> Value {
        let share = self.share();
        let mut fields = self.fields;
        fields["phase"] = self.what.into();
        fields["share"] = share.into();
        fields
    }
}

fn say(view: View) {
    let share = view.share();
    let percent = share.map_or_else(String::new, |share| format!(" {:.0}%,", share * 100.0));
    let line = format!("{}:{percent} {}", view.what, view.detail);
    tell(Event::Progress, line, view.into_fields());
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Shows the progress of a preparation.
#[expect(clippy::cast_precision_loss, reason = "a rate needs no more precision than f64 has")]
pub(crate) fn of_prepare(progress: &Progress, elapsed: Duration) -> View {
    let records = get(&progress.records);
    let rate = (records as f64 / elapsed.as_secs_f64()).round();
    let detail = format!("{records} records, {rate:.0} records/s");
    let fields = json!({ "records": records, "records_per_second": rate });
    let (what, at, total, is_bytes) = match progress.phase() {
        Phase::Reading => ("reading", get(&progress.bytes_read), get(&progress.bytes_total), true),
        Phase::Writing => ("writing", get(&progress.resolved), get(&progress.entries), false),
        Phase::Publishing => ("publishing", 1, 1, false),
    };
    View { what, at, total, is_bytes, detail, fields }
}

/// Shows the progress of a nightly job.
pub(crate) fn of_sync(progress: &SyncProgress, elapsed: Duration) -> View {
    if progress.is_uploading.load(Ordering::Relaxed) {
        of_upload(&progress.upload, elapsed)
    } else {
        of_prepare(&progress.prepare, elapsed)
    }
}

/// Shows the progress of an upload.
#[expect(clippy::cast_precision_loss, reason = "a rate needs no more precision than f64 has")]
pub(crate) fn of_upload(progress: &UploadProgress, elapsed: Duration) -> View {
    let (at, total) = (get(&progress.bytes_sent), get(&progress.bytes_total));
    let (done, parts) = (get(&progress.parts_done), get(&progress.parts_total));
    let rate = at as f64 / 1e6 / elapsed.as_secs_f64();
    let left = total.saturating_sub(at) as f64 / 1e6 / rate.max(1e-9);
    let left = if at > 0 { format!(", {left:.0} s left") } else { String::new() };
    let detail = format!("{done} of {parts} parts confirmed, {rate:.1} MB/s{left}");
    let fields = json!({ "parts_done": done, "parts": parts, "bytes_sent": at, "bytes": total });
    View { what: "uploading", at, total, is_bytes: true, detail, fields }
}
