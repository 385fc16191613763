//! The seam for code that must know of a change, or may veto it. The order
//! of the calls is `engine.rs`'s.

use alloc::boxed::Box;
use core::error::Error;

use super::change::Change;

/// The error that a listener returns: whatever it has, boxed by `?`.
///
/// Its text appears in log lines and in the status as it is. Keep secrets out.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// Takes part in a change, in two phases.
///
/// First every listener is asked to `prepare`, in order of registration; any of
/// them may veto with an error, and nobody has seen anything yet. Then the new
/// snapshot becomes visible to readers. Then every listener is called to `commit`,
/// in the same order, so that it already reads the new value. After a veto those
/// that had prepared get `abort`, in reverse order.
///
/// A listener that was prepared always gets its commit or its abort. It is
/// called from one thread at a time and sees strictly growing versions. It is
/// not called for the first load: what there is to set up then, the program
/// sets up from the first snapshot.
///
/// A panic in a listener counts as an error where the host catches panics; what
/// the panic said is not repeated, for it may quote a secret.
pub trait Listener<T>: Send {
    /// Gets ready, with nothing visible yet: bind the port, build the client.
    ///
    /// # Errors
    ///
    /// An error is a veto: the change does not happen, the old snapshot stays,
    /// and the candidate is offered again later, since what failed here may
    /// come from the world and not from the file.
    fn prepare(&mut self, change: &Change<T>) -> Result<(), BoxError> {
        let _ = change;
        Ok(())
    }

    /// Takes the new snapshot into use; readers see it already.
    ///
    /// # Errors
    ///
    /// An error is reported, in the log and in the status, and does not keep
    /// the other listeners from being called. The change stays.
    fn commit(&mut self, change: &Change<T>) -> Result<(), BoxError>;

    /// Undoes `prepare`: a later listener vetoed the change.
    fn abort(&mut self, change: &Change<T>) {
        let _ = change;
    }
}

/// What to do if a listener fails to take an active snapshot into use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnCommitError {
    /// Report it; the change stays, and the others are notified, too.
    #[default]
    Continue,
    /// Finish the round, and then roll back to the newest content before it, as
    /// by `rollback`: a round of its own, which never leads to another.
    RollBack,
}

/// A closure that is notified only if some part differs.
pub(crate) struct OnChangeOf<S, F> {
    pub(crate) select: S,
    pub(crate) f: F,
}

impl<T, P, S, F> Listener<T> for OnChangeOf<S, F>
where
    P: PartialEq,
    S: Fn(&T) -> &P + Send,
    F: FnMut(&P, &P) -> Result<(), BoxError> + Send,
{
    fn commit(&mut self, change: &Change<T>) -> Result<(), BoxError> {
        let (old, new) = ((self.select)(&change.old), (self.select)(&change.new));
        if old == new {
            return Ok(());
        }
        (self.f)(old, new)
    }
}

/// A closure takes part in the second phase only.
impl<T, F> Listener<T> for F
where
    F: FnMut(&Change<T>) -> Result<(), BoxError> + Send,
{
    fn commit(&mut self, change: &Change<T>) -> Result<(), BoxError> {
        self(change)
    }
}
