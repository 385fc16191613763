//! Sources that are not files, among those that are: what each showed at this poll.

use super::super::remote::{Remote, Shown};
use super::super::std::prelude::rust_2024::*;
use super::super::std::sync::Arc;
use super::{Failed, FileDetector, Place};
use crate::engine::Layer;

/// One source, and what is known of it.
#[derive(Debug)]
pub(super) struct RemotePart {
    remote: Arc<Remote>,
    /// What it showed at this poll, and its number.
    shown: Option<(u64, Vec<Layer>)>,
    /// The number of what was taken in last.
    read: Option<u64>,
    /// A reloader asks it anew by itself, before anything is locked.
    is_shared: bool,
}

impl Drop for RemotePart {
    fn drop(&mut self) {
        self.remote.end();
    }
}

impl RemotePart {
    pub(super) fn new(remote: Arc<Remote>) -> Self {
        RemotePart {
            remote,
            shown: None,
            read: None,
            is_shared: false,
        }
    }

    pub(super) fn name(&self) -> &Arc<str> {
        self.remote.name()
    }

    pub(super) fn layers(&self) -> &[Layer] {
        self.shown.as_ref().map_or(&[], |(_, layers)| layers)
    }

    pub(super) fn is_read(&self) -> bool {
        let shown = self.shown.as_ref().map(|(revision, _)| *revision);
        shown.is_some() && shown == self.read
    }

    pub(super) fn remember(&mut self) {
        self.read = self.shown.as_ref().map(|(revision, _)| *revision);
    }

    fn take_in(&mut self) -> Result<(), Failed> {
        let Shown { revision, layers } = self.remote.shows();
        self.shown = Some((revision, layers.map_err(Failed::Remote)?));
        Ok(())
    }
}

impl FileDetector {
    pub(super) fn remotes(&self) -> impl Iterator<Item = &RemotePart> {
        self.places.iter().filter_map(|place| match place {
            Place::Remote(part) => Some(part),
            _ => None,
        })
    }

    pub(super) fn remotes_mut(&mut self) -> impl Iterator<Item = &mut RemotePart> {
        self.places.iter_mut().filter_map(|place| match place {
            Place::Remote(part) => Some(part),
            _ => None,
        })
    }

    pub(super) fn ask_remotes(&mut self) -> Result<(), Failed> {
        self.remotes_mut().try_for_each(RemotePart::take_in)
    }

    /// Waits for the first answer of each. Whatever comes later, their threads fetch.
    pub(super) fn ask_remotes_first(&self) {
        for part in self.remotes() {
            part.remote.max_bytes(self.max_bytes);
            // All are asked before one is waited for.
            part.remote.start();
        }
        for part in self.remotes() {
            part.remote.first();
        }
    }

    /// Has them asked for all of it, unless their reloader does.
    pub(super) fn refresh_remotes(&self) {
        for part in self.remotes().filter(|part| !part.is_shared) {
            part.remote.ask_anew();
        }
    }

    /// Returns them for the reloader, which reports how they are, and asks them anew.
    pub(in super::super) fn shared_remotes(&mut self) -> Vec<Arc<Remote>> {
        let share = |part: &mut RemotePart| {
            part.is_shared = true;
            part.remote.clone()
        };
        self.remotes_mut().map(share).collect()
    }
}
