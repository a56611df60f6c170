//! The queue of objects that have arrived and wait for a worker.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::{self, ThreadId};

use tokio::sync::OwnedSemaphorePermit;

use super::buffers::Buffers;
use crate::source::Delivery;
use crate::source::local::lock;

/// An object on its way to a worker, with the permits of the budgets that it holds until the worker asks
/// for the next one.
pub(super) struct Parcel {
    pub delivery: Delivery,
    pub bytes: Vec<u8>,
    pub permits: Vec<OwnedSemaphorePermit>,
}

/// The queue between the runtime and the workers. It needs no limit of its own, because every parcel holds
/// permits.
pub(super) struct Arrivals {
    queue: Mutex<Queue>,
    arrived: Condvar,
    /// Permits of the objects that workers are processing.
    in_hand: Mutex<HashMap<ThreadId, Vec<OwnedSemaphorePermit>>>,
    pub buffers: Buffers,
}

#[derive(Default)]
struct Queue {
    parcels: VecDeque<Parcel>,
    closed: bool,
}

impl Arrivals {
    /// For a process that may use `memory_bytes_max`.
    pub(super) fn new(memory_bytes_max: u64) -> Self {
        Self {
            queue: Mutex::default(),
            arrived: Condvar::new(),
            in_hand: Mutex::default(),
            buffers: Buffers::new(memory_bytes_max),
        }
    }

    pub(super) fn put(&self, parcel: Parcel) {
        let mut queue = lock(&self.queue);
        if !queue.closed {
            queue.parcels.push_back(parcel);
            self.arrived.notify_one();
        }
    }

    /// Waits for the next parcel and puts its bytes into `buffer`. `None` once closed and empty. A worker
    /// that calls this has finished its previous object.
    pub(super) fn take(&self, buffer: &mut Vec<u8>) -> Option<Delivery> {
        self.buffers.give(std::mem::take(buffer));
        let worker = thread::current().id();
        drop(lock(&self.in_hand).remove(&worker));
        let mut queue = lock(&self.queue);
        let parcel = loop {
            match queue.parcels.pop_front() {
                Some(parcel) => break parcel,
                None if queue.closed => return None,
                None => queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner),
            }
        };
        drop(queue);
        *buffer = parcel.bytes;
        lock(&self.in_hand).insert(worker, parcel.permits);
        Some(parcel.delivery)
    }

    /// No more will come; what is queued is still handed out.
    pub(super) fn close_after_last(&self) {
        lock(&self.queue).closed = true;
        self.arrived.notify_all();
    }

    /// No more is handed out.
    pub(super) fn close_now(&self) {
        let mut queue = lock(&self.queue);
        queue.closed = true;
        queue.parcels.clear();
        self.arrived.notify_all();
    }
}
