//! Lanes from outside: order, errors and bounds, whoever makes the jobs.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn pool(threads: usize) -> ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads")
}

/// Lanes of so many jobs each, with an error of a job or of its result in some places.
fn run(
    threads: usize,
    bounds: Bounds,
    jobs: impl Fn(usize) -> u64 + Sync,
    breaks: impl Fn(usize, u64) -> Option<&'static str> + Sync,
) -> (Vec<Vec<u64>>, Result<()>) {
    let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let open_now = AtomicUsize::new(0);
    let steps = Steps {
        open: |lane: usize| {
            assert!(open_now.fetch_add(1, Ordering::SeqCst) < bounds.open.max(1));
            Ok(((lane, 0..jobs(lane)), (lane, Vec::new())))
        },
        next: |(lane, jobs): &mut (usize, std::ops::Range<u64>)| {
            let Some(job) = jobs.next() else { return Ok(None) };
            if breaks(*lane, job) == Some("next") {
                return Err(Error::usage(format!("next {lane}"), ""));
            }
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            Ok(Some(job))
        },
        work: |_, job: u64| {
            (0..job % 97 * 20).for_each(|n| assert!(std::hint::black_box(n) < 97 * 20));
            job
        },
        sink: |(lane, seen): &mut (usize, Vec<u64>), job| {
            now.fetch_sub(1, Ordering::SeqCst);
            if breaks(*lane, job) == Some("sink") {
                return Err(Error::usage(format!("sink {lane}"), ""));
            }
            seen.push(job);
            Ok(())
        },
        end: |_, (_, seen), outcome: Result<()>| {
            open_now.fetch_sub(1, Ordering::SeqCst);
            outcome.map(|()| seen)
        },
    };
    let (ended, done) = lanes(&pool(threads), bounds, steps);
    // Results that were dropped after an error are not counted back.
    assert!(done.is_err() || most.into_inner() <= bounds.in_flight.max(1));
    (ended, done)
}

#[test]
fn every_lane_has_its_results_in_order() {
    for threads in [1, 2, 8] {
        for (open, in_flight) in [(1, 1), (1, 8), (3, 2), (4, 64), (100, 7)] {
            let bounds = Bounds { lanes: 23, open, in_flight };
            let (ended, done) = run(threads, bounds, |lane| lane as u64 * 7 % 40, |_, _| None);
            let expected: Vec<Vec<u64>> =
                (0..23_u64).map(|lane| (0..lane * 7 % 40).collect()).collect();
            done.expect("no error");
            assert_eq!(ended, expected);
        }
    }
    let none = Bounds { lanes: 0, open: 2, in_flight: 2 };
    assert!(run(2, none, |_| 1, |_, _| None).0.is_empty());
}

#[test]
fn the_error_of_the_first_lane_that_has_one_is_told_and_all_before_it_are_done() {
    for threads in [1, 2, 8] {
        for seed in 0..60_u64 {
            let breaks = |lane: usize, job: u64| {
                let dice = (lane as u64 * 31 + job * 17 + seed).wrapping_mul(0x9e37_79b9) >> 7;
                match dice % 300 {
                    0 => Some("next"),
                    1 => Some("sink"),
                    _ => None,
                }
            };
            let bounds = Bounds { lanes: 12, open: 5, in_flight: 9 };
            let first = (0..12).find_map(|lane| {
                let broken = (0..30).find_map(|job| breaks(lane, job))?;
                Some((lane, format!("{broken} {lane}")))
            });
            let (ended, done) = run(threads, bounds, |_| 30, breaks);
            let lane = first.as_ref().map_or(12, |(lane, _)| *lane);
            assert_eq!(ended, vec![(0..30).collect::<Vec<_>>(); lane], "{threads} {seed}");
            let told = done.err().map(|error| error.to_string());
            assert_eq!(told, first.map(|(_, error)| error), "{threads} {seed}");
        }
    }
}

#[test]
#[should_panic(expected = "work")]
fn a_panic_in_a_step_reaches_the_caller() {
    let steps = Steps {
        open: |_| Ok(((), ())),
        next: |(): &mut ()| Ok(Some(())),
        work: |_, ()| panic!("work"),
        sink: |(): &mut (), ()| Ok(()),
        end: |(), (), outcome: Result<()>| outcome,
    };
    let _never = lanes(&pool(2), Bounds { lanes: 3, open: 2, in_flight: 2 }, steps);
}
