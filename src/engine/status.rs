//! The present state, as it is shown outside. It is computed from the engine's
//! state when it is asked for, and never stored there.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::digest::Digest;
use super::error::{DetectError, ListenerError, Rejection, Stage};
use super::event::Joined;
use super::moment::{Moment, WallClock};
use super::receipt::{Doing, Receipt};
use super::report::{OneLine, Problem};
use super::restart::PendingRestart;
use super::version::Version;

/// A poll that lasts longer hangs: in a callback, or in a file system.
const HANGS: Duration = Duration::from_secs(30);

/// Why the source and the active snapshot differ, or why it is not known.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The source cannot be read.
    Source(DetectError),
    /// What it holds is rejected.
    Rejected(Arc<Rejection>),
    /// What it holds changes all the time, and has not held still for long
    /// enough to count.
    StillChanging,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Source(error) => write!(f, "{error}"),
            Failure::Rejected(rejection) => write!(f, "{rejection}"),
            Failure::StillChanging => f.write_str("the source is still changing"),
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A failure that has not ended yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastError {
    /// What is wrong.
    pub failure: Failure,
    /// Since when: the poll that found it first.
    pub since: Duration,
}

/// A source that cannot be had, while what it held last stays in force.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stale {
    /// Which, and why.
    pub error: DetectError,
    /// Since when.
    pub since: Duration,
}

/// How the active snapshot does while it has to prove itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probation {
    /// When it is over, if the health check is content then.
    pub until: Duration,
    /// What the health check said, if it fails and there was no rollback: there
    /// is nothing to go back to, or a listener vetoed it.
    pub failure: Option<Arc<str>>,
}

/// The state of things at one moment. All times are on the timeline of `now`:
/// monotonic, since the start.
///
/// It prints as a few lines for people, with the times of a clock on the wall if it comes
/// from a `Reloader`; [`prometheus`](Self::prometheus) writes it for a program.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Status {
    /// The active snapshot; `None` before the first load.
    pub version: Option<Version>,
    /// Its digest: of the bytes at the source that stand for it.
    pub digest: Option<Digest>,
    /// Where it came from, the lowest precedence first.
    pub origins: Arc<[Arc<str>]>,
    /// When it became active.
    pub applied_at: Option<Duration>,
    /// The last poll of the source.
    pub last_poll: Option<Duration>,
    /// The last poll that found the source and the active snapshot to be the same.
    pub last_success: Option<Duration>,
    /// What is wrong now; `None` if nothing is. It ends when the source is good
    /// again, also if it went back to the very bytes that are active.
    pub last_error: Option<LastError>,
    /// How many polls in a row ended in a failure; 0 if nothing is wrong with the source.
    pub consecutive_failures: u64,
    /// How many times something from the source became active, the first load
    /// included.
    pub reloads: u64,
    /// How many times the source turned to something that is rejected or vetoed:
    /// however often that is polled, and whatever the reasons, it counts once.
    pub rejections: u64,
    pub(crate) rejections_by_stage: [u64; Stage::ALL.len()],
    /// How many times the source turned out to be unreadable, or to be so for another
    /// reason.
    pub source_errors: u64,
    /// How many times older content became active again.
    pub rollbacks: u64,
    /// The digest of what was rolled back from, while it is what is at the
    /// source: it is not applied again until the source changes.
    pub quarantined: Option<Digest>,
    /// Whether the active snapshot is the last known good, read from disk at the start
    /// because the source was missing or rejected: it is not current.
    pub from_last_good: bool,
    /// Why the last known good on disk cannot be trusted to be the active snapshot: it
    /// could not be written, or not flushed. It changes nothing else. An engine alone writes none.
    pub last_good_error: Option<Arc<str>>,
    /// While the active snapshot has to prove itself; see
    /// [`Engine::probation`](crate::engine::Engine::probation).
    pub probation: Option<Probation>,
    /// Whether what was last seen at the source differs from the active snapshot:
    /// it is rejected, quarantined, or still settling. While the source cannot be read,
    /// the last that is known.
    pub source_differs: bool,
    /// Since when there is content at the source that has not held still for
    /// long enough yet; `None` if there is none.
    pub settling_since: Option<Duration>,
    /// Until when new content at the source waits for its turn; see
    /// [`Engine::stagger`](crate::engine::Engine::stagger).
    pub staggered_until: Option<Duration>,
    /// Which listeners failed to take the active snapshot into use.
    pub listener_errors: Arc<[ListenerError]>,
    /// The restart that the program waits for, if there is one; see
    /// [`Engine::restart_only`](crate::engine::Engine::restart_only).
    pub pending_restart: Option<PendingRestart>,
    /// Keys of the active snapshot that no field takes. They change nothing else.
    pub warnings: Arc<[Problem]>,
    /// When the next poll is due.
    pub next_poll: Duration,
    /// Whether a thread polls by itself. An engine alone has none.
    pub thread_alive: bool,
    /// Since when a poll is under way, if one is. One that does not end is a
    /// callback or a file system that hangs.
    pub in_poll_since: Option<Duration>,
    /// The sources that cannot be had, while what they held last stays in force: what is
    /// active may be old there. Files are never among them: one that cannot be read is an
    /// error of the whole.
    pub stale: Vec<Stale>,
    /// Which phase or listener that poll is in, if it is in one: what hangs, by name. An
    /// engine alone does not know.
    pub doing: Option<Doing>,
    /// The receipts of the last 32 attempts, the newest last. An engine alone has none.
    pub receipts: Vec<Arc<Receipt>>,
    /// The clock on the wall, for people. An engine alone has none.
    pub(crate) clock: Option<WallClock>,
}

impl Status {
    /// Returns what time it is at a moment of the timeline of `now`, such as
    /// [`applied_at`](Self::applied_at), by the clock on the wall: since the beginning of
    /// 1970, UTC. `None` if there is no such clock, as for an engine alone.
    #[must_use]
    pub fn since_epoch(&self, moment: Duration) -> Option<Duration> {
        self.clock.map(|clock| clock.at(moment))
    }

    /// Returns how many of the [`rejections`](Self::rejections) were at this stage, when
    /// they began.
    #[must_use]
    pub fn rejections_at(&self, stage: Stage) -> u64 {
        let count = self.rejections_by_stage.get(stage as usize);
        count.copied().unwrap_or_default()
    }

    /// Returns whether all is well: there is an active snapshot, it is not the last known
    /// good of an earlier run, nothing is known to be wrong with the source, nothing is
    /// quarantined, every listener has taken the active snapshot into use, no health
    /// check has failed that a rollback could not mend, and no poll has been under way
    /// for 30 s. Content that is still settling is nothing wrong, for a while.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        let failing = |probation: &Probation| probation.failure.is_some();
        self.version.is_some()
            && !self.from_last_good
            && self.last_error.is_none()
            && self.stale.is_empty()
            && self.quarantined.is_none()
            && self.listener_errors.is_empty()
            && !self.probation.as_ref().is_some_and(failing)
            && !self.hangs()
    }

    fn hangs(&self) -> bool {
        let since = self.in_poll_since.zip(self.clock);
        since.is_some_and(|(since, clock)| clock.now.saturating_sub(since) >= HANGS)
    }
}

/// A few lines for people.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.version, self.digest) {
            (Some(version), Some(digest)) => write!(f, "{version} {} is active", digest.short())?,
            _ => f.write_str("nothing is loaded")?,
        }
        if !self.origins.is_empty() {
            write!(f, ", from {}", Joined(&self.origins))?;
        }
        self.write_what_is_wrong(f)?;
        self.write_what_is_under_way(f)?;
        for warning in &*self.warnings {
            write!(f, "\n{warning}")?;
        }
        let (reloads, rejections) = (self.reloads, self.rejections);
        let rollbacks = self.rollbacks;
        write!(
            f,
            "\nreloads: {reloads}, rejections: {rejections}, rollbacks: {rollbacks}"
        )
    }
}

impl Status {
    fn write_what_is_wrong(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.is_healthy() {
            true => "\nhealthy",
            false => "\nnot healthy",
        })?;
        if self.from_last_good {
            f.write_str("\nit is the last known good of an earlier run, and not current")?;
        }
        if let Some(error) = &self.last_error {
            let since = self.moment(error.since);
            write!(f, "\nsince {since}: {}", error.failure)?;
        }
        for stale in &self.stale {
            let since = self.moment(stale.since);
            write!(f, "\nnot current since {since}: {}", stale.error)?;
        }
        if let Some(digest) = self.quarantined {
            let digest = digest.short();
            write!(
                f,
                "\n{digest} was rolled back from and is quarantined until the source changes"
            )?;
        }
        for error in &*self.listener_errors {
            write!(f, "\n{error}")?;
        }
        Ok(())
    }

    fn write_what_is_under_way(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(probation) = &self.probation {
            write!(f, "\non probation until {}", self.moment(probation.until))?;
            if let Some(failure) = &probation.failure {
                write!(f, ", and failing: {}", OneLine(failure))?;
            }
        }
        if let Some(since) = self.settling_since {
            write!(f, "\nnew content is settling since {}", self.moment(since))?;
        }
        if let Some(until) = self.staggered_until {
            write!(
                f,
                "\nnew content waits for its turn, {}",
                self.moment(until)
            )?;
        }
        if let Some(restart) = &self.pending_restart {
            let fields = Joined(&restart.fields);
            write!(f, "\na restart is pending for: {fields}")?;
            if restart.would_start == Some(false) {
                f.write_str("; with what is at the source now, it would fail")?;
            }
        }
        if let Some(since) = self.in_poll_since {
            write!(f, "\na poll is under way since {}", self.moment(since))?;
            if let Some(doing) = &self.doing {
                write!(f, ", in {doing} since {}", self.moment(doing.since))?;
            }
            match (self.hangs(), &self.doing) {
                (false, _) => {}
                (true, Some(_)) => f.write_str("; it hangs")?,
                (true, None) => f.write_str("; a callback or a file system hangs")?,
            }
        }
        if let Some(error) = &self.last_good_error {
            let error = OneLine(error);
            write!(f, "\nthe last known good cannot be written: {error}")?;
        }
        Ok(())
    }

    fn moment(&self, at: Duration) -> Moment {
        let clock = self.clock;
        Moment { at, clock }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn g20_a_poll_that_hangs_is_not_healthy() {
        let seconds = Duration::from_secs;
        for (now, is_healthy) in [(100, true), (129, true), (130, false)] {
            let status = Status {
                version: Some(Version::new(1)),
                in_poll_since: Some(seconds(100)),
                clock: Some(WallClock {
                    now: seconds(now),
                    since_epoch: seconds(now),
                }),
                ..Status::default()
            };
            assert_eq!(status.is_healthy(), is_healthy, "{now}");
            let said = status.to_string();
            assert!(
                said.contains("a poll is under way since 00:01:40 UTC"),
                "{said}"
            );
            assert_eq!(said.contains("hangs"), !is_healthy, "{said}");
        }
    }
}
