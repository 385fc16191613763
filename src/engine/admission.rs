//! From bytes to a value that may become active: limits, parse, normalize, validate, build.
//! What becomes of the value then, or of the reasons against it, is
//! `engine.rs`'s.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::built::{Built, Final};
use super::catch::{Catch, PANICKED, Panicked, guarded};
use super::checks::{Beside, Checks, Found};
use super::document::{Content, Document, Layer};
use super::error::Stage;
use super::format::Format;
use super::limits::Limits;
use super::listener::BoxError;
use super::named::{NamedFile, Names};
use super::notes::{Notes, UnknownKeys};
use super::observer::{OnStep, Section, during};
use super::receipt::Phase;
use super::report::{Place, Problem, Report};
use super::snapshot::Snapshot;

type Build<C, S> = Box<dyn FnMut(&C, Option<&S>, &Document) -> Result<S, BoxError> + Send>;

/// A configuration that names more files than this is taken for a mistake.
pub(crate) const MAX_NAMES: usize = 1000;

/// Why a document is rejected, and where on its way.
pub(crate) struct Unfit {
    pub(crate) stage: Stage,
    pub(crate) report: Report,
    /// It depends on more than the content.
    pub(crate) may_pass_later: bool,
    /// The fields that take effect only at a start, if they are the only reason.
    pub(crate) restart: Vec<Arc<str>>,
}

impl Unfit {
    pub(crate) fn of(stage: Stage, report: Report) -> Self {
        Unfit {
            stage,
            report,
            may_pass_later: stage == Stage::Build,
            restart: Vec::new(),
        }
    }
}

/// What a document is worth.
pub(crate) enum Admitted<T> {
    New(T),
    /// It stands for the very value that is active.
    Equal,
    /// It stands for the very value that is quarantined.
    Quarantined,
    /// The value names other files than were read with it: these.
    Names(Vec<Arc<str>>),
}

/// What a new value may be equal to.
pub(crate) struct Known<'a, T> {
    pub(crate) active: Option<Peer<'a, T>>,
    pub(crate) quarantined: Option<Peer<'a, T>>,
}

/// A value, and the files that it was read with.
pub(crate) struct Peer<'a, T> {
    pub(crate) value: &'a T,
    pub(crate) files: &'a [NamedFile],
}

impl<'a, T> Peer<'a, T> {
    pub(crate) fn of(snapshot: &'a Snapshot<T>) -> Self {
        Peer {
            value: snapshot.value(),
            files: snapshot.document().files(),
        }
    }

    fn map<U>(&self, part: impl FnOnce(&'a T) -> &'a U) -> Peer<'a, U> {
        Peer {
            value: part(self.value),
            files: self.files,
        }
    }
}

/// What holds for every step: how to call code of others, the bounds, and who watches.
pub(crate) struct Rules<'a> {
    pub(crate) catch: Catch,
    pub(crate) limits: Limits,
    pub(crate) unknown_keys: UnknownKeys,
    pub(crate) on_step: &'a mut OnStep<'a>,
}

/// Where values come from: a parser, or an admission and what is built from it.
trait Source<T> {
    fn make(
        &mut self,
        rules: &mut Rules<'_>,
        document: &Document,
        known: &Known<'_, T>,
        notes: &mut Notes,
    ) -> Result<Admitted<T>, Unfit>;

    /// Whether its values depend on more than the content.
    fn asks_the_world(&self) -> bool;

    /// Whether both are made of equal values, where that can be told.
    fn are_equal(&self, a: &T, b: &T) -> bool;

    fn has_restart_fields(&self) -> bool;

    /// Returns the fields of what they are made of that differ and take effect only at a
    /// start.
    fn restart_fields(&self, catch: Catch, a: &T, b: &T) -> Vec<Arc<str>>;
}

/// A source of values, and who judges them.
pub(crate) struct Admission<T> {
    source: Box<dyn Source<T> + Send>,
    pub(crate) checks: Checks<T>,
    equal: Option<fn(&T, &T) -> bool>,
    names: Option<Names<T>>,
}

impl<T: 'static> Admission<T> {
    pub(crate) fn new(format: impl Format<T> + Send + 'static) -> Self {
        Admission::of(Parser(Box::new(format)))
    }

    fn of(source: impl Source<T> + Send + 'static) -> Self {
        Admission {
            source: Box::new(source),
            checks: Checks::new(),
            equal: None,
            names: None,
        }
    }

    pub(crate) fn compare_by(&mut self, equal: fn(&T, &T) -> bool) {
        self.equal = Some(equal);
    }

    /// Says which files a value names.
    #[cfg_attr(
        not(feature = "std"),
        allow(dead_code, reason = "files are the host's")
    )]
    pub(crate) fn names(&mut self, names: Names<T>) {
        self.names = Some(names);
    }

    /// The same, with something built from every value that passes, from what was built
    /// before, and from the bytes that it was read from.
    pub(crate) fn build_from<S: 'static, E: Into<BoxError>>(
        self,
        mut build: impl FnMut(&T, Option<&S>, &Document) -> Result<S, E> + Send + 'static,
    ) -> Admission<Built<T, S>> {
        let build: Build<T, S> = Box::new(move |config, previous, document| {
            build(config, previous, document).map_err(Into::into)
        });
        Admission::of(Builds { from: self, build })
    }

    /// From bytes to a value that everyone is content with, or every reason
    /// against it.
    pub(crate) fn admit(
        &mut self,
        rules: &mut Rules<'_>,
        document: &Document,
        known: &Known<'_, T>,
        notes: &mut Notes,
    ) -> Result<Admitted<T>, Unfit> {
        let mut value = match self.source.make(rules, document, known, notes)? {
            Admitted::New(value) => value,
            other => return Ok(other),
        };
        let catch = rules.catch;
        let Found {
            mut report,
            restart,
        } = self.check(&mut value, rules, document, known, notes);
        let names = match report.is_empty() {
            true => self.other_names(catch, &value, document, &mut report),
            false => None,
        };
        let is = |known: &Option<Peer<'_, T>>| {
            known.as_ref().is_some_and(|known| {
                known.files == document.files()
                    && self.are_said_to_be_equal(catch, known.value, &value)
            })
        };
        let admitted = match (names, report.is_empty()) {
            (Some(names), _) => Some(Admitted::Names(names)),
            (None, true) if is(&known.active) => Some(Admitted::Equal),
            (None, true) if is(&known.quarantined) => Some(Admitted::Quarantined),
            (None, true) => return Ok(Admitted::New(value)),
            (None, false) => None,
        };
        // A destructor is the user's code, too.
        let _ = guarded(catch, move || drop(value));
        if let Some(admitted) = admitted {
            return Ok(admitted);
        }
        Err(Unfit {
            may_pass_later: self.source.asks_the_world(),
            restart,
            ..Unfit::of(Stage::Validate, report)
        })
    }

    /// Normalizes a value, and returns what is wrong with it.
    fn check(
        &self,
        value: &mut T,
        rules: &mut Rules<'_>,
        document: &Document,
        known: &Known<'_, T>,
        notes: &Notes,
    ) -> Found {
        if self.checks.is_empty() {
            return Found::default();
        }
        let beside = Beside {
            catch: rules.catch,
            limits: rules.limits,
            document,
            active: known.active.as_ref().map(|active| active.value),
            tree: notes.tree.as_deref(),
        };
        let run = |_: &mut OnStep<'_>| self.checks.run(value, &beside);
        during(rules.on_step, Section::Phase(Phase::Validate), run)
    }

    /// Returns whether any field takes effect only at a start.
    pub(crate) fn has_restart_fields(&self) -> bool {
        !self.checks.restart_only.is_empty() || self.source.has_restart_fields()
    }

    /// Returns the fields that differ and take effect only at a start.
    pub(crate) fn restart_fields(&self, catch: Catch, a: &T, b: &T) -> Vec<Arc<str>> {
        let mut fields = self.source.restart_fields(catch, a, b);
        fields.extend(self.checks.restart_only.changed(catch, a, b));
        fields
    }

    /// Returns the names of the files that belong to a value, if others were read with
    /// it. One that cannot be read is a reason against it.
    fn other_names(
        &self,
        catch: Catch,
        value: &T,
        document: &Document,
        report: &mut Report,
    ) -> Option<Vec<Arc<str>>> {
        let names = self.names.as_ref()?;
        let Ok(names) = guarded(catch, || names(value)) else {
            report.add("", format!("naming its files {PANICKED}"));
            return None;
        };
        if names.len() > MAX_NAMES {
            report.add("", format!("names more than {MAX_NAMES} files"));
            return None;
        }
        let read = document.files().iter().map(NamedFile::name);
        if !read.eq(names.iter()) {
            return Some(names);
        }
        for file in document.files() {
            if let Err(reason) = file.bytes() {
                let message = format!("{reason}, and the configuration names it");
                let place = Place::in_origin(file.name().clone());
                report.push(Problem::new("", message).at(place));
            }
        }
        None
    }

    /// Whether both values are equal, where somebody said how to tell.
    pub(crate) fn are_equal(&self, catch: Catch, a: &T, b: &T) -> bool {
        self.are_said_to_be_equal(catch, a, b)
            || guarded(catch, || self.source.are_equal(a, b)).unwrap_or(false)
    }

    fn are_said_to_be_equal(&self, catch: Catch, a: &T, b: &T) -> bool {
        let equal = |equal: fn(&T, &T) -> bool| guarded(catch, || equal(a, b)).unwrap_or(false);
        self.equal.is_some_and(equal)
    }
}

struct Parser<T>(Box<dyn Format<T> + Send>);

impl<T> Source<T> for Parser<T> {
    fn make(
        &mut self,
        rules: &mut Rules<'_>,
        document: &Document,
        _: &Known<'_, T>,
        notes: &mut Notes,
    ) -> Result<Admitted<T>, Unfit> {
        within_limits(rules.limits, document)
            .map_err(|problem| Unfit::of(Stage::Limits, problem.into()))?;
        let mut report = Report::with_limit(rules.limits.problems());
        let (catch, limits) = (rules.catch, rules.limits);
        let parsed = during(rules.on_step, Section::Phase(Phase::Parse), |_| {
            guarded(catch, || self.0.parse(document, &limits, notes))
        });
        if rules.unknown_keys == UnknownKeys::Allow {
            notes.unknown_keys.clear();
        }
        match parsed {
            Ok(Ok(value)) => return self.unless_unknown(value, rules, notes),
            Ok(Err(found)) => report.absorb(found),
            Err(Panicked) => report.add("", format!("the parser {PANICKED}")),
        }
        if report.is_empty() {
            report.add("", "rejected by the parser, without a reason");
        }
        // A key that nothing takes is often the one that is missing, misspelt.
        notes.tell_unknown_keys(&mut report);
        Err(Unfit::of(Stage::Parse, report))
    }

    fn asks_the_world(&self) -> bool {
        false
    }

    fn are_equal(&self, _: &T, _: &T) -> bool {
        false
    }

    fn has_restart_fields(&self) -> bool {
        false
    }

    fn restart_fields(&self, _: Catch, _: &T, _: &T) -> Vec<Arc<str>> {
        Vec::new()
    }
}

impl<T> Parser<T> {
    /// Rejects what has keys that nothing takes, if that was asked for.
    fn unless_unknown(
        &self,
        value: T,
        rules: &mut Rules<'_>,
        notes: &mut Notes,
    ) -> Result<Admitted<T>, Unfit> {
        if rules.unknown_keys != UnknownKeys::Reject || notes.unknown_keys.is_empty() {
            return Ok(Admitted::New(value));
        }
        let _ = guarded(rules.catch, move || drop(value));
        let mut report = Report::with_limit(rules.limits.problems());
        notes.tell_unknown_keys(&mut report);
        Err(Unfit::of(Stage::Parse, report))
    }
}

fn within_limits(limits: Limits, document: &Document) -> Result<(), Problem> {
    let max = limits.bytes();
    if document.len() > max {
        let message = format!("larger than the limit of {max} bytes");
        return Err(Problem::new("", message));
    }
    let blank = document.layers().iter().find(|l| must_not_be_so(l));
    if let Some(layer) = blank {
        let place = Place::in_origin(layer.origin().clone());
        return Err(Problem::new("", "is empty").at(place));
    }
    if document.layers().is_empty() {
        return Err(Problem::new("", "there is no source at all"));
    }
    Ok(())
}

/// A layer that says nothing, and may not. A key that was emptied is no key.
fn must_not_be_so(layer: &Layer) -> bool {
    let counts = *layer.content() == Content::Document || layer.is_secret();
    counts && !layer.is_optional() && is_blank(layer.bytes())
}

/// Nothing but white space, or a byte order mark: the first half of "missing,
/// empty, comment-only and truncated are never all defaults". Comments are the
/// format's to know.
pub(crate) fn is_blank(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes.iter().all(|b| b.is_ascii_whitespace() || *b == 0)
}

/// An admission, and what is built from every value that passes it.
struct Builds<C, S> {
    from: Admission<C>,
    build: Build<C, S>,
}

impl<C: 'static, S> Source<Built<C, S>> for Builds<C, S> {
    fn make(
        &mut self,
        rules: &mut Rules<'_>,
        document: &Document,
        known: &Known<'_, Built<C, S>>,
        notes: &mut Notes,
    ) -> Result<Admitted<Built<C, S>>, Unfit> {
        let of_config = Known {
            active: known
                .active
                .as_ref()
                .map(|built| built.map(|built| &*built.config)),
            quarantined: known
                .quarantined
                .as_ref()
                .map(|built| built.map(|built| &*built.config)),
        };
        let config = match self.from.admit(rules, document, &of_config, notes)? {
            Admitted::New(config) => config,
            Admitted::Equal => return Ok(Admitted::Equal),
            Admitted::Quarantined => return Ok(Admitted::Quarantined),
            Admitted::Names(names) => return Ok(Admitted::Names(names)),
        };
        let catch = rules.catch;
        let previous = known.active.as_ref().map(|built| &built.value.state);
        let built = during(rules.on_step, Section::Phase(Phase::Build), |_| {
            call_build(catch, || (self.build)(&config, previous, document))
        });
        match built {
            Ok(state) => Ok(Admitted::New(Built::new(config, state))),
            Err(unfit) => {
                let _ = guarded(catch, move || drop(config));
                Err(unfit)
            }
        }
    }

    fn asks_the_world(&self) -> bool {
        true
    }

    fn are_equal(&self, a: &Built<C, S>, b: &Built<C, S>) -> bool {
        // Inside of the caller's guard.
        let plain = super::catch::plain_call;
        self.from.are_equal(plain, &a.config, &b.config)
    }

    fn has_restart_fields(&self) -> bool {
        self.from.has_restart_fields()
    }

    fn restart_fields(&self, catch: Catch, a: &Built<C, S>, b: &Built<C, S>) -> Vec<Arc<str>> {
        self.from.restart_fields(catch, &a.config, &b.config)
    }
}

/// Builds, and returns why not. An error becomes text inside of the guard: that is the
/// user's code, too.
fn call_build<S>(catch: Catch, build: impl FnOnce() -> Result<S, BoxError>) -> Result<S, Unfit> {
    let built = guarded(catch, || {
        build().map_err(|error| (error.to_string(), error.is::<Final>()))
    });
    let (reason, is_final) = match built {
        Ok(Ok(state)) => return Ok(state),
        Ok(Err(error)) => error,
        Err(Panicked) => (format!("the build {PANICKED}"), false),
    };
    Err(Unfit {
        may_pass_later: !is_final,
        ..Unfit::of(Stage::Build, Problem::new("", reason).into())
    })
}
