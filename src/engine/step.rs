//! Where an attempt is on its way, for whoever measures it. The engine has no clock;
//! who is told looks at one.

/// A stretch of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "otel"),
    allow(dead_code, reason = "nobody is told then")
)]
pub(crate) enum Phase {
    /// All of it: a document is judged.
    Attempt,
    /// All of it: older content becomes active again. Within an attempt it is a part of
    /// that.
    Rollback,
    /// All of it: a start from the last known good.
    LastGood,
    Parse,
    Validate,
    Build,
    Prepare,
    Commit,
}

/// A phase begins or ends. Phases nest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "otel"),
    allow(dead_code, reason = "nobody is told then")
)]
pub(crate) enum Step {
    Begins(Phase),
    Ends(Phase),
}

/// Who is told. A plain function: what it keeps, it keeps elsewhere.
pub(crate) type OnStep = fn(Step);

pub(crate) fn nobody(_: Step) {}

/// Tells of a phase around this.
pub(crate) fn during<R>(on_step: OnStep, phase: Phase, f: impl FnOnce() -> R) -> R {
    on_step(Step::Begins(phase));
    let result = f();
    on_step(Step::Ends(phase));
    result
}
