//! Work in parallel, results in order: the one place where threads, queues and shutdown are put together.
//!
//! The caller's thread makes jobs. For each it puts an empty slot into a bounded queue and hands the job to the pool; the
//! worker puts its result into the slot; a sink thread takes the slots in queue order. So there is no sorting and no
//! reorder buffer, and the length of the queue bounds what is under way. Pool tasks compute and return, they never wait
//! on a queue: with one thread that would never end (rayon issues 835 and 1269).

use crossbeam_channel::{Receiver, bounded};
use rayon::ThreadPool;

use crate::error::{Error, Result};

/// Runs `work` on the pool for every job that `next` makes, and passes the results to `sink` in the order of the jobs.
/// At most `in_flight` results wait. The first error ends all; one of `sink` goes before one of `next`.
pub fn ordered<J: Send, R: Send>(
    pool: &ThreadPool,
    in_flight: usize,
    mut next: impl FnMut() -> Result<Option<J>>,
    work: impl Fn(J) -> R + Sync,
    mut sink: impl FnMut(R) -> Result<()> + Send,
) -> Result<()> {
    let (slots, queue) = bounded::<Receiver<R>>(in_flight);
    std::thread::scope(|threads| {
        let consumer = threads.spawn(move || {
            for slot in queue {
                sink(
                    slot.recv()
                        .map_err(|_| Error::Internal("a worker stopped without a result"))?,
                )?;
            }
            Ok(())
        });
        let produced = pool.in_place_scope(|tasks| {
            while let Some(job) = next()? {
                let (result, slot) = bounded(1);
                // The sink is gone only if it failed; its error is reported below.
                if slots.send(slot).is_err() {
                    break;
                }
                let work = &work;
                tasks.spawn(move |_| {
                    // Nobody waits for the result once the sink has failed.
                    let _unwanted = result.send(work(job));
                });
            }
            Ok(())
        });
        drop(slots);
        let taken = consumer
            .join()
            .unwrap_or(Err(Error::Internal("the thread that takes results panicked")));
        taken.and(produced)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(threads: usize) -> ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads")
    }

    #[test]
    fn results_come_in_order_with_any_number_of_threads() {
        for threads in [1, 2, 8] {
            let mut jobs = 0..1000_u64;
            let mut results = Vec::new();
            ordered(
                &pool(threads),
                4,
                || Ok(jobs.next()),
                |job| (0..job % 97).fold(job, |sum, n| std::hint::black_box(sum + n) - n),
                |result| {
                    results.push(result);
                    Ok(())
                },
            )
            .expect("no error");
            assert_eq!(results, (0..1000).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_error_of_either_side_ends_it() {
        let failed =
            ordered(&pool(2), 2, || Ok(Some(())), |()| (), |()| Err(Error::Internal("sink")));
        assert!(matches!(failed, Err(Error::Internal("sink"))));
        let mut left = 10;
        let failed = ordered(
            &pool(2),
            2,
            || {
                left -= 1;
                if left == 0 { Err(Error::Internal("next")) } else { Ok(Some(())) }
            },
            |()| (),
            |()| Ok(()),
        );
        assert!(matches!(failed, Err(Error::Internal("next"))));
    }
}
