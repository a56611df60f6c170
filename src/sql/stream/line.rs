//! Parallel work whose results are passed on in order.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use crate::sql::error::{Result, SqlError};

/// How many items each worker may be ahead of the next result.
const AHEAD: usize = 2;

/// Why passing on rows ended early.
#[derive(Debug)]
pub enum Interrupted {
    Query(SqlError),
    Output(io::Error),
}

impl From<SqlError> for Interrupted {
    fn from(error: SqlError) -> Self {
        Self::Query(error)
    }
}

impl From<io::Error> for Interrupted {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

type Done<T> = std::result::Result<(u64, T), Interrupted>;

/// Works on the items of `next` with `jobs` threads, and passes the results to `take` in the order of
/// `next`. Ends early when `cancelled` becomes true. Returns the sum of the numbers that `work` returns.
///
/// # Errors
///
/// The first error, by order of items, of any of the three.
pub(in crate::sql) fn in_order<W: Send, T: Send>(
    jobs: usize,
    cancelled: &AtomicBool,
    next: impl FnMut(usize) -> Result<Option<W>> + Send,
    work: impl Fn(W) -> Done<T> + Sync,
    mut take: impl FnMut(T) -> io::Result<()>,
) -> std::result::Result<u64, Interrupted> {
    let line = Line {
        source: Mutex::new((0, next)),
        state: Mutex::new(State { taken: 0, ready: BTreeMap::new(), end: None }),
        moved: Condvar::new(),
    };
    let worker = || {
        while let Some((at, thing)) = line.begin(jobs.max(1) * AHEAD) {
            line.put(at, thing.map_err(Interrupted::from).and_then(&work));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(worker);
        }
        let (mut sum, mut at) = (0, 0);
        let done = loop {
            if cancelled.load(Ordering::Relaxed) {
                break Ok(());
            }
            match line.take(at) {
                None => break Ok(()),
                Some(Err(error)) => break Err(error),
                Some(Ok((number, thing))) => {
                    sum += number;
                    if let Err(error) = take(thing) {
                        break Err(error.into());
                    }
                }
            }
            at += 1;
        };
        line.stop();
        done.map(|()| sum)
    })
}

/// Results waiting to be taken in order.
struct Line<N, T> {
    /// Number of items taken so far, and where the next one comes from.
    source: Mutex<(usize, N)>,
    state: Mutex<State<T>>,
    moved: Condvar,
}

struct State<T> {
    taken: usize,
    ready: BTreeMap<usize, Done<T>>,
    /// The number of items, once it is known.
    end: Option<usize>,
}

impl<W, N: FnMut(usize) -> Result<Option<W>>, T> Line<N, T> {
    /// The next item to work on, as soon as it is not too far ahead.
    fn begin(&self, ahead: usize) -> Option<(usize, Result<W>)> {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let at = source.0;
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            while state.end.is_none() && at >= state.taken + ahead {
                state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.end.is_none().then_some(())?;
        }
        source.0 += 1;
        match (source.1)(at).transpose() {
            Some(thing) => Some((at, thing)),
            None => {
                self.end(at);
                None
            }
        }
    }

    fn end(&self, count: usize) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).end = Some(count);
        self.moved.notify_all();
    }
}

impl<N, T> Line<N, T> {
    fn put(&self, at: usize, done: Done<T>) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).ready.insert(at, done);
        self.moved.notify_all();
    }

    /// `None`: there is no such item.
    fn take(&self, at: usize) -> Option<Done<T>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(done) = state.ready.remove(&at) {
                state.taken = at + 1;
                self.moved.notify_all();
                return Some(done);
            }
            if state.end.is_some_and(|end| at >= end) {
                return None;
            }
            state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn stop(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).end = Some(0);
        self.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_side_by_side_comes_in_order() {
        let mut seen = Vec::new();
        let next = |at: usize| Ok((at < 100).then_some(at));
        let work = |at: usize| {
            std::thread::yield_now();
            Ok((1, at * 2))
        };
        let sum = in_order(4, &AtomicBool::new(false), next, work, |number| {
            seen.push(number);
            Ok(())
        });
        assert_eq!(sum.unwrap(), 100);
        assert!(seen.iter().enumerate().all(|(at, number)| *number == at * 2));
    }

    #[test]
    fn the_first_fault_ends_it() {
        let next = |at: usize| if at == 7 { Err(SqlError::new("seven")) } else { Ok(Some(at)) };
        let mut count = 0;
        let done = in_order(
            3,
            &AtomicBool::new(false),
            next,
            |at| Ok((1, at)),
            |_| {
                count += 1;
                Ok(())
            },
        );
        assert!(matches!(done, Err(Interrupted::Query(error)) if error.message == "seven"));
        assert_eq!(count, 7);
        let full = in_order(
            3,
            &AtomicBool::new(false),
            |at| Ok(Some(at)),
            |at| Ok((1, at)),
            |_| Err(io::Error::other("full")),
        );
        assert!(matches!(full, Err(Interrupted::Output(_))));
    }
}
