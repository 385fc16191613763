//! A configuration together with what the program built from it, so that nobody
//! ever mixes a configuration and a client of different versions.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::error::Error;
use core::fmt;

use super::change::Change;
use super::listener::{BoxError, Listener};
use super::snapshot::Snapshot;

/// A configuration, and the state that was built from this very one: clients,
/// pools, compiled rules. It is what readers get after
/// [`Engine::build`](crate::engine::Engine::build) or `Builder::build`.
///
/// `Debug` leaves both out: they may hold secrets.
#[non_exhaustive]
pub struct Built<C, S> {
    /// What was parsed and validated.
    pub config: Arc<C>,
    /// What was built from it.
    pub state: S,
}

impl<C, S> Built<C, S> {
    /// Puts both together, for tests of code that reads them.
    pub fn new(config: C, state: S) -> Self {
        let config = Arc::new(config);
        Built { config, state }
    }
}

impl<C, S> fmt::Debug for Built<C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Built").finish_non_exhaustive()
    }
}

/// Says that an error of [`build`](crate::engine::Engine::build) comes from the document and not
/// from the world: building it again would fail again, so it is not tried again until the
/// source changes.
///
/// ```
/// use steadyconf::engine::{BoxError, Final};
///
/// fn connect(cipher: &str) -> Result<(), BoxError> {
///     match cipher {
///         "aes" => Ok(()),
///         // Waiting does not help.
///         _ => Err(Final::new("there is no such cipher").into()),
///     }
/// }
/// assert!(connect("rot13").unwrap_err().is::<Final>());
/// ```
#[derive(Debug)]
pub struct Final(BoxError);

impl Final {
    /// The same error, as a final one.
    pub fn new(error: impl Into<BoxError>) -> Self {
        Final(error.into())
    }
}

impl fmt::Display for Final {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for Final {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// A listener of the configuration alone, among those of what is built from it.
pub(crate) struct OfConfig<C>(pub(crate) Box<dyn Listener<C>>);

impl<C, S> Listener<Built<C, S>> for OfConfig<C> {
    fn prepare(&mut self, change: &Change<Built<C, S>>) -> Result<(), BoxError> {
        self.0.prepare(&config_of(change))
    }

    fn commit(&mut self, change: &Change<Built<C, S>>) -> Result<(), BoxError> {
        self.0.commit(&config_of(change))
    }

    fn abort(&mut self, change: &Change<Built<C, S>>) {
        self.0.abort(&config_of(change));
    }
}

fn config_of<C, S>(change: &Change<Built<C, S>>) -> Change<C> {
    let part = |whole: &Snapshot<Built<C, S>>| Arc::new(whole.part(whole.config.clone()));
    Change::new(part(&change.old), part(&change.new))
}
