//! What is known of the source: whether it can be read and holds still, what it showed
//! last, and what became of that.

use alloc::sync::Arc;
use core::time::Duration;

use super::active::Bytes;
use super::document::Document;
use super::error::{DetectError, Rejection, Stage};
use super::outcome::Outcome;
use super::retry::Retry;
use super::snapshot::Snapshot;

/// Content that has not held still for this long is a failure.
const STILL_CHANGING: Duration = Duration::from_secs(10);

/// A poll vouches for no more than this of the time since the last one: nobody saw what
/// the source did meanwhile.
const VOUCHES_FOR: Duration = Duration::from_secs(5);

/// After so long without a poll that saw it move, it moves anew. A process may have been
/// suspended.
const FORGETS: Duration = Duration::from_secs(60);

/// The source, as the last polls saw it.
pub(crate) struct Source<T> {
    pub(crate) health: Health,
    /// What it showed last, once it showed something.
    pub(crate) seen: Option<Seen<T>>,
}

/// Whether the source can be read, and holds still.
pub(crate) enum Health {
    /// The last poll read it, and it held still.
    Steady,
    /// The last poll found it moving. `unreadable`: it could not be read before, and
    /// nothing good was seen since.
    Settling {
        until: Duration,
        restless: Restless,
        unreadable: Option<Unreadable>,
    },
    /// The last poll could not read it. `restless`: it moved before, and was not seen at
    /// rest since.
    Unreadable {
        unreadable: Unreadable,
        restless: Option<Restless>,
    },
}

/// Since when the source cannot be read, and why.
#[derive(Clone)]
pub(crate) struct Unreadable {
    pub(crate) error: DetectError,
    pub(crate) since: Duration,
}

/// Content that moves.
#[derive(Clone, Copy)]
pub(crate) struct Restless {
    pub(crate) since: Duration,
    /// For how long polls have seen it move.
    pub(crate) lasted: Duration,
    last_seen: Duration,
}

impl Restless {
    /// Returns what is known after it was seen moving once more.
    fn again(before: Option<Restless>, now: Duration) -> Self {
        let begins = Restless {
            since: now,
            lasted: Duration::ZERO,
            last_seen: now,
        };
        let Some(before) = before else {
            return begins;
        };
        let gap = now.saturating_sub(before.last_seen);
        if gap > FORGETS {
            return begins;
        }
        Restless {
            since: before.since,
            lasted: before.lasted.saturating_add(gap.min(VOUCHES_FOR)),
            last_seen: now,
        }
    }

    /// Returns whether this is a failure, and not only a change under way.
    pub(crate) fn is_failure(&self) -> bool {
        self.lasted >= STILL_CHANGING
    }
}

/// What a poll made of the health.
pub(crate) enum News {
    /// Nothing that is news.
    Nothing,
    /// It cannot be read, for a reason that was not known.
    Failed,
    /// It has been changing for too long, as of now.
    StillChanging(Duration),
    /// It can be read again, after this error.
    Readable(DetectError),
}

impl Health {
    /// Takes out what is known of its trouble, of either kind.
    fn take(&mut self) -> (Option<Restless>, Option<Unreadable>) {
        match core::mem::replace(self, Health::Steady) {
            Health::Steady => (None, None),
            Health::Settling {
                restless,
                unreadable,
                ..
            } => (Some(restless), unreadable),
            Health::Unreadable {
                unreadable,
                restless,
            } => (restless, Some(unreadable)),
        }
    }

    /// The source moves.
    pub(crate) fn settles(&mut self, now: Duration, until: Duration) -> News {
        let (restless, unreadable) = self.take();
        let was_failure = restless.is_some_and(|restless| restless.is_failure());
        let restless = Restless::again(restless, now);
        *self = Health::Settling {
            until,
            restless,
            unreadable,
        };
        match restless.is_failure() && !was_failure {
            true => News::StillChanging(restless.lasted),
            false => News::Nothing,
        }
    }

    /// The source cannot be read.
    pub(crate) fn fails(&mut self, now: Duration, error: &DetectError) -> News {
        let (restless, known) = self.take();
        let known = known.filter(|known| known.error == *error);
        let news = match known {
            Some(_) => News::Nothing,
            None => News::Failed,
        };
        let unreadable = known.unwrap_or_else(|| Unreadable {
            error: error.clone(),
            since: now,
        });
        *self = Health::Unreadable {
            unreadable,
            restless,
        };
        news
    }

    /// The source was read and holds still.
    pub(crate) fn rests(&mut self) -> News {
        let (_, unreadable) = self.take();
        unreadable.map_or(News::Nothing, |known| News::Readable(known.error))
    }

    /// Returns what is known of its moving, whether or not it can be read now.
    pub(crate) fn restless(&self) -> Option<Restless> {
        match self {
            Health::Steady => None,
            Health::Settling { restless, .. } => Some(*restless),
            Health::Unreadable { restless, .. } => *restless,
        }
    }

    /// Returns whether it was told that the source changes all the time.
    pub(crate) fn is_still_changing(&self) -> bool {
        self.restless()
            .is_some_and(|restless| restless.is_failure())
    }
}

/// What the source showed last, and what became of it.
pub(crate) struct Seen<T> {
    pub(crate) document: Document,
    pub(crate) verdict: Verdict<T>,
}

impl<T> Seen<T> {
    pub(crate) fn turn(&self) -> Option<Turn> {
        match self.verdict {
            Verdict::New { turn, .. } => turn,
            _ => None,
        }
    }
}

/// What became of what the source shows.
pub(crate) enum Verdict<T> {
    /// It was not judged yet: a panic ended that, or the files that it names are still to
    /// be read. Until it came, this was so.
    New {
        before: Before<T>,
        /// If it has to wait for its turn.
        turn: Option<Turn>,
    },
    /// It is the active snapshot, or other bytes of an equal value.
    Current,
    /// It was rolled back from.
    Quarantined(Quarantined<T>),
    Rejected(Rejected),
}

/// When it is the turn of this instance to judge new content.
#[derive(Clone, Copy)]
pub(crate) struct Turn {
    pub(crate) due: Duration,
    /// Since when the source has shown something new, this or what this took the place of.
    pub(crate) since: Duration,
}

/// What was so of the content before.
pub(crate) enum Before<T> {
    Nothing,
    Quarantined(Quarantined<T>),
    Rejected(Rejected),
}

impl<T> Before<T> {
    /// Returns what a verdict leaves for the next content, and what is over with it.
    pub(crate) fn of(verdict: Option<Verdict<T>>) -> (Self, Option<Verdict<T>>) {
        match verdict {
            Some(Verdict::New { before, .. }) => (before, None),
            Some(Verdict::Quarantined(quarantined)) => (Before::Quarantined(quarantined), None),
            Some(Verdict::Rejected(rejected)) => (Before::Rejected(rejected), None),
            over => (Before::Nothing, over),
        }
    }
}

/// What was rolled back from while the source shows it.
pub(crate) struct Quarantined<T> {
    /// The value, for comparing.
    pub(crate) snapshot: Arc<Snapshot<T>>,
    /// The bytes that the source shows for it.
    pub(crate) bytes: Bytes,
}

/// Why the content of the source is not active.
pub(crate) struct Rejected {
    pub(crate) rejection: Arc<Rejection>,
    /// The poll that found it first.
    pub(crate) since: Duration,
    /// When it is tried again, if it depends on more than the content.
    pub(crate) retry: Option<Retry>,
    /// The fields that take effect only at a start, if they are the only reason.
    pub(crate) restart: Arc<[Arc<str>]>,
}

impl Rejected {
    /// Returns whether it is time to try it again.
    pub(crate) fn is_due(&self, now: Duration) -> bool {
        self.retry.is_some_and(|retry| retry.at <= now)
    }

    /// Returns the outcome of each poll while it lasts.
    pub(crate) fn outcome(&self) -> Outcome {
        let rejection = self.rejection.clone();
        match self.retry {
            Some(Retry { at: retry_at, .. }) if rejection.stage() == Stage::Prepare => {
                Outcome::Vetoed {
                    rejection,
                    retry_at,
                }
            }
            _ => Outcome::Rejected(rejection),
        }
    }
}

impl<T> Source<T> {
    pub(crate) const fn new() -> Self {
        Source {
            health: Health::Steady,
            seen: None,
        }
    }

    /// What the source shows has this verdict now. Returns the one before, which may hold
    /// a value.
    #[must_use]
    pub(crate) fn judged(&mut self, verdict: Verdict<T>) -> Option<Verdict<T>> {
        let seen = self.seen.as_mut()?;
        Some(core::mem::replace(&mut seen.verdict, verdict))
    }

    /// What was quarantined before new content came is not so any more. Returns it, for it
    /// holds a value.
    #[must_use]
    pub(crate) fn forgive(&mut self) -> Option<Before<T>> {
        match &mut self.seen.as_mut()?.verdict {
            Verdict::New { before, .. } => Some(core::mem::replace(before, Before::Nothing)),
            _ => None,
        }
    }

    pub(crate) fn rejected(&self) -> Option<&Rejected> {
        match &self.seen.as_ref()?.verdict {
            Verdict::Rejected(rejected) => Some(rejected),
            _ => None,
        }
    }

    /// Returns what is rejected as far as anybody knows: new content ends that when it is
    /// judged.
    pub(crate) fn known_rejected(&self) -> Option<&Rejected> {
        match &self.seen.as_ref()?.verdict {
            Verdict::New {
                before: Before::Rejected(rejected),
                ..
            } => Some(rejected),
            _ => self.rejected(),
        }
    }

    pub(crate) fn quarantined(&self) -> Option<&Quarantined<T>> {
        match &self.seen.as_ref()?.verdict {
            Verdict::Quarantined(quarantined)
            | Verdict::New {
                before: Before::Quarantined(quarantined),
                ..
            } => Some(quarantined),
            _ => None,
        }
    }

    /// Returns when what the source shows is to be judged, if that waits.
    pub(crate) fn turn(&self) -> Option<Turn> {
        self.seen.as_ref()?.turn()
    }

    /// Returns whether the source shows the active content.
    pub(crate) fn is_current(&self) -> bool {
        let seen = self.seen.as_ref();
        seen.is_some_and(|seen| matches!(seen.verdict, Verdict::Current))
    }
}
