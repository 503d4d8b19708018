//! Draws reports of made-up nights, to look at:
//!
//! ```text
//! cargo run --example report > target/report.html              a night that went well, with people who must go
//! cargo run --example report -- guard > target/report.html     a half-written export
//! cargo run --example report -- partial | first | nothing | history | metrics
//! ```

use std::process::ExitCode;

mod nights;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "it is there to print")]
fn main() -> ExitCode {
    let kind = std::env::args().nth(1).unwrap_or_else(|| "done".to_owned());
    let Some(runs) = nights::ending(&kind) else {
        eprintln!("done, guard, partial, first, nothing, history or metrics");
        return ExitCode::from(2);
    };
    let drawn = match kind.as_str() {
        "history" => throng::report::render_history(&runs),
        "metrics" => Ok(throng::report::metrics(
            &runs[0],
            runs[1..].iter().find(|run| run.is_success()).map(|run| run.ended_at),
        )),
        _ => throng::report::render(&runs[0], &runs[1..]),
    };
    match drawn {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
