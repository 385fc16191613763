//! What the application says of a value: it may normalize the value, and then judges it.
//! What becomes of the value, or of the problems, is `admission.rs`'s.

use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::catch::{Catch, PANICKED, Panicked, guarded};
use super::document::Document;
use super::lens::Inspect;
use super::limits::Limits;
use super::report::{Problem, Report};
use super::restart::RestartOnly;

type Normalizer<T> = Box<dyn Fn(&mut T, &mut Report) + Send>;
type Validator<T> = Box<dyn Fn(&T, &mut Report) + Send>;
type ChangeValidator<T> = Box<dyn Fn(&T, &T, &mut Report) + Send>;

/// Normalizers and validators, each in order of registration.
pub(crate) struct Checks<T> {
    normalizers: Vec<Normalizer<T>>,
    validators: Vec<Validator<T>>,
    change_validators: Vec<ChangeValidator<T>>,
    pub(crate) restart_only: RestartOnly<T>,
}

/// What is wrong with a value.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) report: Report,
    /// The fields that take effect only at a start, if nothing else is wrong.
    pub(crate) restart: Vec<Arc<str>>,
}

/// What the checks get besides the value.
pub(crate) struct Beside<'a, T> {
    pub(crate) catch: Catch,
    pub(crate) limits: Limits,
    pub(crate) document: &'a Document,
    pub(crate) active: Option<&'a T>,
    pub(crate) tree: Option<&'a dyn Inspect>,
}

impl<T> Checks<T> {
    pub(crate) const fn new() -> Self {
        Checks {
            normalizers: Vec::new(),
            validators: Vec::new(),
            change_validators: Vec::new(),
            restart_only: RestartOnly::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.normalizers.is_empty()
            && self.validators.is_empty()
            && self.change_validators.is_empty()
            && self.restart_only.is_empty()
    }

    pub(crate) fn normalize(&mut self, change: impl Fn(&mut T, &mut Report) + Send + 'static) {
        self.normalizers.push(Box::new(change));
    }

    pub(crate) fn validate(&mut self, check: impl Fn(&T, &mut Report) + Send + 'static) {
        self.validators.push(Box::new(check));
    }

    pub(crate) fn validate_change(&mut self, check: impl Fn(&T, &T, &mut Report) + Send + 'static) {
        self.change_validators.push(Box::new(check));
    }

    /// Normalizes the value, and returns every problem with it.
    pub(crate) fn run(&self, value: &mut T, beside: &Beside<'_, T>) -> Found {
        let catch = beside.catch;
        let mut report = Report::with_limit(beside.limits.problems());
        for normalizer in &self.normalizers {
            let call = |report: &mut Report| normalizer(value, report);
            ask(catch, "a normalizer", &mut report, call);
            // What comes after it would judge a value that is not finished.
            if !report.is_empty() {
                break;
            }
        }
        if report.is_empty() {
            self.judge(value, beside, &mut report);
        }
        let mut restart = Vec::new();
        if let (true, Some(active)) = (report.is_empty(), beside.active) {
            restart = self.restart_only.rejected(catch, active, value);
            let needs = |path: &Arc<str>| report.add(&**path, "needs a restart");
            restart.iter().for_each(needs);
        }
        locate_all(beside.tree, beside.document, report.problems_mut());
        Found { report, restart }
    }

    fn judge(&self, value: &T, beside: &Beside<'_, T>, report: &mut Report) {
        for validator in &self.validators {
            let call = |report: &mut Report| validator(value, report);
            ask(beside.catch, "a validator", report, call);
        }
        if let (true, Some(active)) = (report.is_empty(), beside.active) {
            for validator in &self.change_validators {
                let call = |report: &mut Report| validator(active, value, report);
                ask(beside.catch, "a validator", report, call);
            }
        }
    }
}

/// Calls one of them; a panic of it is a problem, too.
fn ask(catch: Catch, who: &str, report: &mut Report, call: impl FnOnce(&mut Report)) {
    if guarded(catch, || call(report)) == Err(Panicked) {
        report.add("", format!("{who} {PANICKED}"));
    }
}

/// Gives every problem its place that has none.
fn locate_all(tree: Option<&dyn Inspect>, document: &Document, problems: &mut [Problem]) {
    let Some(tree) = tree else {
        return;
    };
    for problem in problems {
        if problem.place().is_some() || problem.path().is_empty() {
            continue;
        }
        if let Some(located) = tree.locate(document, problem.path()) {
            *problem = problem.clone().at(located.place);
        }
    }
}
