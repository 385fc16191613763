//! The one way in which the engine calls code that is not its own.

pub(crate) const PANICKED: &str =
    "panicked (what it said is not repeated here: it may hold a secret)";

/// The code that was called panicked. What it said is lost on purpose: panic
/// messages quote values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panicked;

/// How the engine calls code that is not its own: a format, a validator, a
/// listener, a detector.
///
/// The default is a plain call, for `core` cannot catch panics. With `std`,
/// install one that calls `catch_unwind`; `Reloader` does.
pub type Catch = fn(&mut dyn FnMut()) -> Result<(), Panicked>;

pub(crate) fn plain_call(call: &mut dyn FnMut()) -> Result<(), Panicked> {
    call();
    Ok(())
}

/// Calls `f` through `catch` and hands its result out.
pub(crate) fn guarded<R>(catch: Catch, f: impl FnOnce() -> R) -> Result<R, Panicked> {
    let mut f = Some(f);
    let mut result = None;
    catch(&mut || result = f.take().map(|f| f()))?;
    result.ok_or(Panicked)
}
